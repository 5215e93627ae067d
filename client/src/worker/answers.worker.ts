/** Some of the owner's ring-LWE answers, for the Worker at the other end of the port that comes. */
import { type Endpoint, serveAnswers } from '../../../protocols/index.ts';

self.onmessage = ({ data }: MessageEvent<MessagePort>) => serveAnswers(data as unknown as Endpoint);

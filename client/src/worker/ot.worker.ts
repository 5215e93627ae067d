/** The oblivious transfers of one party of one session, for the Worker at the other end of the port that comes. */
import { type Endpoint, serveOtStream } from '../../../protocols/index.ts';

self.onmessage = ({ data }: MessageEvent<MessagePort>) => serveOtStream(data as unknown as Endpoint);

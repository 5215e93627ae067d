/** The oblivious transfers of one party of one session. */
import { type Endpoint, serveOtStream } from '../../../protocols/index.ts';

serveOtStream(self as unknown as Endpoint);

/** The thread that otThread.ts starts. */
import { workerData } from 'node:worker_threads';
import { type Endpoint, serveOtStream } from '../../protocols/index.ts';

serveOtStream((workerData as { control: Endpoint }).control);

// A worker thread does not inherit the TypeScript loader (Node 20): registers it, then runs the module that workerData names.
import { workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
await import(workerData.module);

/** A thread that ends when it is asked for something: what a Worker without memory left does. */
import { workerData } from 'node:worker_threads';

(workerData as { control: MessagePort }).control.onmessage = ({ data }: { data: { type: string } }) => {
  if (data.type === 'job') process.exit(3);
};

let measured: Promise<number | undefined> | undefined;

/** Bytes per second, as speed.worker.ts measures them, once for the page; undefined where it cannot. */
export function machineSpeed(): Promise<number | undefined> {
  measured ??= new Promise((resolve) => {
    const worker = new Worker(new URL('./speed.worker.ts', import.meta.url), { type: 'module', name: 'speed' });
    const finish = (speed: number | undefined) => {
      worker.terminate();
      resolve(speed);
    };
    worker.onmessage = ({ data }: MessageEvent<number>) => finish(data);
    worker.onerror = (event) => {
      event.preventDefault();
      finish(undefined);
    };
    worker.postMessage('measure');
  });
  return measured;
}

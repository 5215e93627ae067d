/** A thread of the headless owner that fails at its first client; once the file FAILED_BEFORE exists, an ordinary one. */
import { existsSync, writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

const { FAILED_BEFORE: marker = '' } = process.env;
if (existsSync(marker)) await import('../../scripts/lib/ownerWorker.ts');
else {
  parentPort!.postMessage('ready');
  parentPort!.on('message', () => {
    if (marker) writeFileSync(marker, '');
    throw new Error('out of memory');
  });
}

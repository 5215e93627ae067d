/**
 * No Worker starts another one. In Firefox (153) one that does stands still for ever now and then, on a busy machine: pairings stopped at
 * "Exchanging keys". The page starts them (client/src/worker/helperWorkers.ts).
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../../client/src/worker/', import.meta.url));

/** All files of ours that run when this one does. */
function reached(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, from] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export|\}) (?!type)[^;]*?from '(\.[^']+\.ts)';/gms,
  ))
    reached(path.resolve(path.dirname(file), from), seen);
  return seen;
}

const entries = readdirSync(folder).filter((name) => name.endsWith('.worker.ts'));

test('there are some, and they reach the protocol', () => {
  expect(entries).toContain('protocol.worker.ts');
  const files = [...reached(`${folder}protocol.worker.ts`)].map((file) => path.basename(file));
  expect(files).toEqual(expect.arrayContaining(['helpers.ts', 'otInWorker.ts', 'session.ts', 'ntt.ts']));
});

test.each(entries)('%s starts no other', (entry) => {
  const starting = [...reached(folder + entry)].filter((file) =>
    /\bnew (?:Shared)?Worker\(/.test(readFileSync(file, 'utf8')),
  );
  expect(starting).toEqual([]);
});

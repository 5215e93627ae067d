// What the picker says that an answer takes, before anything has run, against what it took.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { timeOf } from '../../client/src/session/price.ts';
import { costOf } from '../../client/src/worker/costOf.ts';
import { modelFolder } from '../../scripts/lib/models.ts';

/** Of the machine below, as speed.worker.ts measures it. */
const bytesPerSecond = 2.8e9;
const manifest = async (name: string) => readFile(`${await modelFolder(name)}manifest.json`, 'utf8');
/** Of models that were measured and have left the zoo. */
const earlier = async (name: string) => readFile(new URL(`../vectors/price/${name}.json`, import.meta.url), 'utf8');

// Two Chromium 156 tabs, 2 vCPU of an AMD EPYC (Zen 3, AVX2), quiet, wire version 8, 2026-11-29 (PERFORMANCE.md).
test.each([
  { name: 'imagenette-2026-11-28', read: earlier, offlineMs: 9500, onlineMs: 2800 },
  { name: 'imagenet1k', read: manifest, offlineMs: 83_200, onlineMs: 27_200 },
])('$name takes about as long as it is said to', async ({ name, read, ...measured }) => {
  const said = timeOf(costOf(await read(name)), bytesPerSecond);
  for (const phase of ['offlineMs', 'onlineMs'] as const)
    expect(Math.abs(Math.log(said[phase] / measured[phase])), phase).toBeLessThan(Math.log(1.2));
});

test('imagenette-exact, which nothing was solved for, takes as many times as long as it is said to', async () => {
  // Both beside other work, on the same machine and day: 11.4 and 3.93 s, 45.8 and 17.0 s.
  const [small, large] = await Promise.all([earlier('imagenette-2026-11-28'), manifest('imagenette-exact')]);
  const [said, saidLarge] = [small, large].map((json) => timeOf(costOf(json), bytesPerSecond));
  expect(Math.abs(Math.log(saidLarge.offlineMs / said.offlineMs / (45.8 / 11.4)))).toBeLessThan(Math.log(1.3));
  expect(Math.abs(Math.log(saidLarge.onlineMs / said.onlineMs / (17 / 3.93)))).toBeLessThan(Math.log(1.3));
});

test('a machine of half the speed takes twice as long', async () => {
  const cost = costOf(await manifest('cifar10'));
  const [fast, slow] = [timeOf(cost, bytesPerSecond), timeOf(cost, bytesPerSecond / 2)];
  expect(slow.offlineMs / fast.offlineMs).toBeCloseTo(2);
  expect(slow.onlineMs / fast.onlineMs).toBeCloseTo(2);
});

// What the picker says that an answer takes, before anything has run, against what it took.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { timeOf } from '../../client/src/session/price.ts';
import { costOf } from '../../client/src/worker/costOf.ts';
import { modelFolder } from '../../scripts/lib/models.ts';

/** Of the machine below, as speed.worker.ts measures it. */
const bytesPerSecond = 3.55e9;
const manifest = async (name: string) => readFile(`${await modelFolder(name)}manifest.json`, 'utf8');

// Two Chromium 156 tabs, 2 vCPU of an AMD EPYC (Zen 5), quiet, 2026-11-30, wire version 14 (PERFORMANCE.md). Fitted to the first two.
test.each([
  { name: 'imagenette', offlineMs: 3110, onlineMs: 990, within: 1.07 },
  { name: 'imagenet1k', offlineMs: 36_700, onlineMs: 12_000, within: 1.07 },
  { name: 'imagenette-small', offlineMs: 2560, onlineMs: 970, within: 1.3 },
  { name: 'imagenette-exact', offlineMs: 15_200, onlineMs: 4750, within: 1.3 },
  { name: 'tinyimagenet', offlineMs: 11_700, onlineMs: 3990, within: 1.3 },
])('$name takes about as long as it is said to', async ({ name, within, ...measured }) => {
  const said = timeOf(costOf(await manifest(name)), bytesPerSecond);
  for (const phase of ['offlineMs', 'onlineMs'] as const)
    expect(Math.abs(Math.log(said[phase] / measured[phase])), phase).toBeLessThan(Math.log(within));
});

test('a machine of half the speed takes twice as long', async () => {
  const cost = costOf(await manifest('cifar10'));
  const [fast, slow] = [timeOf(cost, bytesPerSecond), timeOf(cost, bytesPerSecond / 2)];
  expect(slow.offlineMs / fast.offlineMs).toBeCloseTo(2);
  expect(slow.onlineMs / fast.onlineMs).toBeCloseTo(2);
});

/** Odd picture files in the Worker that is shipped, in both browsers: the pixels that Node and the exporter see too. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FromImageWorker } from '../../client/src/worker/messages.ts';
import { firefoxPath, launchFirefox } from '../support/firefox.ts';
import { difference, largestDifference, oddPictures, readOddPicture, side } from '../support/oddPictures.ts';
import { startApp } from './support/app.ts';

const worker = (await readdir(path.join(import.meta.dirname, '../../client/dist/assets'))).find((file) =>
  file.startsWith('image.worker-'),
);

/** Runs in the page. @returns the picture's bytes, or the reason why there are none */
async function prepareInPage(script: string, base64: string, side: number): Promise<number[] | string> {
  const image = new Worker(script, { type: 'module' });
  const answer = new Promise<FromImageWorker>((resolve, reject) => {
    image.onmessage = ({ data }) => resolve(data);
    image.onerror = ({ message }) => reject(new Error(message));
  });
  const file = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
  image.postMessage({ id: 0, file, preprocessing: { shorterSide: side, crop: side } });
  const seen = await answer;
  image.terminate();
  return 'image' in seen ? [...seen.image.pixels] : seen.problem;
}

type Prepare = (base64: string) => Promise<number[] | string>;

async function inChromium(work: (prepare: Prepare) => Promise<void>): Promise<void> {
  const app = await startApp();
  try {
    const page = await app.page();
    await page.goto(app.url);
    const source = `(${prepareInPage})`;
    await work(
      (base64) =>
        page.evaluate(`${source}(${JSON.stringify(`/assets/${worker}`)}, "${base64}", ${side})`) as ReturnType<Prepare>,
    );
  } finally {
    await app.stop();
  }
}

async function inFirefox(work: (prepare: Prepare) => Promise<void>): Promise<void> {
  const app = await startApp();
  const firefox = await launchFirefox();
  try {
    const page = await firefox.newPage();
    await page.goto(app.url);
    await work((base64) => page.evaluate(prepareInPage, `/assets/${worker}`, base64, side));
  } finally {
    await firefox.close();
    await app.stop();
  }
}

interface Case {
  run: typeof inChromium;
  isThere: boolean;
}

describe.each<Case & { browser: string }>([
  { browser: 'Chromium', run: inChromium, isThere: true },
  { browser: 'Firefox', run: inFirefox, isThere: firefoxPath !== undefined },
])('odd picture files in $browser', ({ run, isThere }: Case) => {
  test.skipIf(!isThere)('are seen or refused as in the table', async () => {
    await run(async (prepare) => {
      const wrong: string[] = [];
      for (const odd of oddPictures) {
        const seen = await prepare((await readOddPicture(odd)).toString('base64'));
        const isRight = odd.problem
          ? seen === odd.problem
          : !(typeof seen === 'string') && difference(seen, odd) <= largestDifference;
        if (!isRight)
          wrong.push(`${odd.file}: ${typeof seen === 'string' ? seen : `differs by ${difference(seen, odd)}`}`);
      }
      expect(wrong).toEqual([]);
    });
  });
});

/** The build has the terms of what it takes from others: page, workers and fonts. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { licenses } from '../../client/licenses.ts';

const root = path.join(import.meta.dirname, '../..');

test('licenses.md names what page and workers import and the files that styles name, once, each with its terms', async () => {
  const { page, worker } = licenses() as unknown as Record<
    'page' | 'worker',
    { moduleParsed(module: { id: string }): void; generateBundle(options: object, bundle: object): Promise<void> }
  >;
  page.moduleParsed({ id: `${root}/node_modules/@noble/hashes/sha2.js` });
  page.moduleParsed({ id: `\0${root}/node_modules/simple-peer/simplepeer.min.js?commonjs` });
  page.moduleParsed({ id: `${root}/client/src/main.ts` });
  worker.moduleParsed({ id: `${root}/node_modules/@noble/hashes/utils.js` });
  worker.moduleParsed({ id: `${root}/node_modules/@noble/ciphers/chacha.js` });
  const font = '../node_modules/@fontsource-variable/bricolage-grotesque/files/font.woff2';
  const bundle = { a: { type: 'chunk' }, b: { type: 'asset', originalFileNames: [font] } };
  const emitted: { fileName: string; source: string }[] = [];
  await page.generateBundle.call({ emitFile: (file: (typeof emitted)[0]) => emitted.push(file) } as never, {}, bundle);
  expect(emitted.map(({ fileName }) => fileName)).toEqual(['licenses.md']);
  const [{ source }] = emitted;
  expect([...source.matchAll(/^## (\S+) /gm)].map(([, name]) => name)).toEqual([
    '@fontsource-variable/bricolage-grotesque',
    '@noble/ciphers',
    '@noble/hashes',
    'simple-peer',
  ]);
  expect(source).toContain('(OFL-1.1)');
  expect(source).toContain('SIL OPEN FONT LICENSE');
  expect(source).toContain('Paul Miller');
});

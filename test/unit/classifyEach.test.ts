/** `npm run classify -- --image FOLDER`: every picture of a folder in one session. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { classifyEach, pictureFiles } from '../../scripts/lib/classifyEach.ts';
import { withOwner } from '../../scripts/lib/headlessClient.ts';
import { startHeadless } from '../support/headless.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pictures-'));
});
afterEach(() => rm(folder, { recursive: true }));

const png = (value: number) =>
  sharp({ create: { width: 20, height: 16, channels: 3, background: { r: value, g: 90, b: 255 - value } } })
    .png()
    .toBuffer();

describe('which files', () => {
  test('a folder’s by name, without hidden files and folders; a file is itself', async () => {
    for (const name of ['b.png', 'a.png', '.hidden']) await writeFile(path.join(folder, name), 'x');
    await mkdir(path.join(folder, 'c'));
    expect(await pictureFiles(folder)).toEqual(['a.png', 'b.png'].map((name) => path.join(folder, name)));
    expect(await pictureFiles(path.join(folder, 'a.png'))).toEqual([path.join(folder, 'a.png')]);
  });

  test('nothing there is said', async () => {
    await expect(pictureFiles(path.join(folder, 'none'))).rejects.toThrow('no such file');
    await expect(pictureFiles(folder)).rejects.toThrow('without files');
  });
});

test('each picture has its answer and its figures; what is no picture is told and costs the owner nothing', async () => {
  for (const [name, bytes] of [
    ['a.png', await png(10)],
    ['b.txt', Buffer.from('no picture')],
    ['c.png', await png(200)],
  ] as const)
    await writeFile(path.join(folder, name), bytes);
  const { owner, invites, server, stop } = await startHeadless({ rooms: 1 });
  try {
    const files = await pictureFiles(folder);
    const all = await withOwner(invites[0], { server }, async (session) => {
      const found = [];
      for await (const each of classifyEach(session, files)) found.push(each);
      return found;
    });
    expect(all.map(({ file }) => path.basename(file))).toEqual(['a.png', 'b.txt', 'c.png']);
    const [first, text, last] = all;
    expect('unreadable' in text && text.unreadable).toContain('b.txt');
    if ('unreadable' in first || 'unreadable' in last) throw new Error('expected two answers');
    expect(first.classification.logits).not.toEqual(last.classification.logits);
    // The same plan: the same bytes with each picture.
    expect(first.phases.online.bytesClientToOwner).toBe(last.phases.online.bytesClientToOwner);
    expect(owner.answers).toEqual([2]);
  } finally {
    await stop();
  }
});

test('a single file that is no picture is an error before the owner is asked', async () => {
  const file = path.join(folder, 'b.txt');
  await writeFile(file, 'no picture');
  await expect(classifyEach(undefined as never, [file]).next()).rejects.toThrow('b.txt');
});

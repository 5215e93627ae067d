/** The proof sketch names the file of each lemma: every such file exists, and no protocol is without a place in it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const named = (page: string) =>
  new Set([...readFileSync(`${root}docs/${page}`, 'utf8').matchAll(/`([\w/.-]+\.ts)`/g)].map(([, file]) => file));

it.each(['security-proof.md', 'malicious-client.md'])('%s names files that are there', (page) => {
  expect(named(page).size).toBeGreaterThan(3);
  for (const file of named(page))
    expect(existsSync(`${root}${file}`) || existsSync(`${root}protocols/${file}`), file).toBe(true);
});

it.each(['layers', 'offline', 'offline/ot', 'offline/rlwe', 'ot', 'rlwe'])(
  'every file of %s has its place',
  (folder) => {
    const files = readdirSync(`${root}protocols/${folder}`).filter((file) => file.endsWith('.ts'));
    expect(files.length).toBeGreaterThan(2);
    const proof = named('security-proof.md');
    expect(files.map((file) => `${folder}/${file}`).filter((file) => !proof.has(file))).toEqual([]);
  },
);

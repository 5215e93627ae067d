/** The client's words: none outside its language files, and each there in every language. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'svelte/compiler';
import { describe, expect, test } from 'vitest';
import { de } from '../../client/src/language/de.ts';
import { en } from '../../client/src/language/en.ts';
import { languages } from '../../client/src/language/language.ts';

const source = path.join(import.meta.dirname, '../../client/src');

/** Names, of files and of papers too, which are the same in every language. */
const untranslated =
  /^(Blindsight|· Blindsight|JSON|CSV|npm run import|(manifest|weights)\.json|weights\.bin|.+ \(20\d\d\))$/;
/** Attributes that people read or hear. */
const spoken = ['aria-label', 'title', 'placeholder', 'alt', 'label', 'text'];

interface Node {
  type: string;
  name?: string;
  data?: string;
  value?: unknown;
}

/** What a component says in words of its own: text between tags, spoken attributes, sentences in its script. */
function bareWords(component: string): string[] {
  const { fragment, instance } = parse(component, { modern: true });
  const found: string[] = [];
  const visit = (node: unknown, isSpoken: boolean, isScript: boolean): void => {
    if (Array.isArray(node)) for (const child of node) visit(child, isSpoken, isScript);
    if (typeof node !== 'object' || node === null || !('type' in node)) return;
    const { type, name, data, value } = node as Node;
    if (type === 'Text' && isSpoken && /\p{L}{2}/u.test(data!)) found.push(data!.trim());
    // Words in an expression: several of them, or one that is an alternative or an attribute is seen by its company.
    if (isScript && type === 'Literal' && typeof value === 'string' && isSentence(value)) found.push(value);
    if (isScript && type === 'TemplateElement' && isSentence((value as { raw: string }).raw))
      found.push((value as { raw: string }).raw);
    for (const [key, child] of Object.entries(node)) {
      if (key === 'comments' || key === 'leadingComments' || key === 'trailingComments') continue;
      visit(
        child,
        /Attribute|Directive/.test(type) ? spoken.includes(name!) : isSpoken,
        isScript || key === 'expression',
      );
    }
  };
  visit(fragment, true, false);
  visit(instance?.content, false, true);
  return found.filter((text) => !untranslated.test(text));
}

/** Three words, or two that begin like a sentence: no style, no selector, no path. */
const isSentence = (text: string): boolean =>
  /\p{L}{2,}[,’]? \p{L}+[,’]? \p{L}{2,}/u.test(text) || /^\p{Lu}\p{Ll}+ \p{Ll}{2,}/u.test(text);

test('components have no words of their own', async () => {
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.svelte'));
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) expect(bareWords(await readFile(path.join(source, file), 'utf8')), file).toEqual([]);
});

test.each([
  ['<p>Not here</p>', ['Not here']],
  ['<button aria-label="Close it"></button>', ['Close it']],
  ["<p>{busy ? 'Wait a moment' : ''}</p>", ['Wait a moment']],
  ["<script>let notice = 'Choose another file';</script>", ['Choose another file']],
  ['<p class="soft small" style:width="2px">{t().start.title} · 3 %</p>', []],
])('words in %s are found', (component, words) => expect(bareWords(component)).toEqual(words));

/** All strings by their paths, with `⟨0⟩`, `⟨1⟩` … as values. */
function sayAll(words: unknown, at = ''): Record<string, string> {
  if (typeof words === 'string') return { [at]: words };
  if (typeof words === 'function')
    return { [at]: String(words(...Array.from({ length: words.length }, (_, i) => `⟨${i}⟩`))) };
  return Object.assign({}, ...Object.entries(words as object).map(([key, value]) => sayAll(value, `${at}.${key}`)));
}

describe.each([['de', de]])('%s', (_, translation) => {
  const [english, translated] = [sayAll(en), sayAll(translation)];

  test('has every string, and none is empty', () => {
    expect(Object.keys(translated)).toEqual(Object.keys(english));
    for (const [at, text] of Object.entries(translated)) expect(text.trim(), at).not.toBe('');
  });

  test('says the same values', () => {
    const values = (text: string) => [...new Set(text.match(/⟨\d⟩/g))].sort();
    for (const [at, text] of Object.entries(english)) expect(values(translated[at]), at).toEqual(values(text));
  });

  test('is translated: hardly a sentence is the English one', () => {
    const same = Object.entries(english).filter(([at, text]) => text === translated[at] && / \S+ \S+ /.test(text));
    expect(same).toEqual([]);
  });
});

test('a language is listed for every file', async () => {
  const files = (await readdir(path.join(source, 'language'))).filter((file) => file !== 'language.ts');
  expect(files.sort()).toEqual(
    Object.keys(languages)
      .map((code) => `${code}.ts`)
      .sort(),
  );
});

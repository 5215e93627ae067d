/** Which class a folder of pictures is: by the model's names, by numbers, and by a file of labels, as the import reads them. */
import { readFile } from 'node:fs/promises';

/**
 * @param names of the model's classes.
 * @param file with a line for each class in the model's order: a name, or a synset and a name, divided by tabs, with or without the number
 *   first; JSON also: a list of these, or an object by number. UTF-8. As read_labels of exporter/pictures.py reads it.
 * @returns the class of a folder, and -1 for what is none.
 * @throws Error when the file cannot be read, lacks a label, or has another number of classes.
 */
export async function classFinder(names: readonly string[], file?: string): Promise<(folder: string) => number> {
  const lines = file === undefined ? [] : await readLabels(file);
  if (file !== undefined && lines.length !== names.length)
    throw new Error(`${file}: ${lines.length} labels for ${names.length} classes`);
  const classes = new Map<string, number>();
  // A name comes before a part of another's name, and before a number.
  const know = (words: (index: number) => readonly string[]) => {
    for (const index of names.keys()) {
      for (const word of words(index).map(plain)) if (word !== '' && !classes.has(word)) classes.set(word, index);
    }
  };
  know((index) => [names[index]!, ...(lines[index] ?? [])]);
  know((index) => [names[index]!, lines[index]?.at(-1) ?? ''].flatMap((name) => name.split(',')));
  know((index) => [String(index)]);
  return (folder) => classes.get(plain(folder)) ?? -1;
}

async function readLabels(file: string): Promise<string[][]> {
  const bytes = await readFile(file).catch(() => {
    throw new Error(`${file}: there is no such file of labels`);
  });
  const text = utf8(file, bytes);
  const isJson = file.endsWith('.json');
  const rows = isJson ? jsonRows(file, text) : lineRows(text);
  if (rows.length === 0) throw new Error(`${file}: holds no label`);
  for (const [i, row] of rows.entries())
    if (row.at(-1) === '')
      throw new Error(`${file}: ${isJson ? `label ${i}` : `line ${i + 1}`}: expected a label, got none`);
  return rows;
}

/** Without a mark of byte order. */
function utf8(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`${file}: expected UTF-8: save the labels as UTF-8`);
  }
}

/** Empty lines at the end are none. */
function lineRows(text: string): string[][] {
  const rows = text.split(/\r\n|\n|\r/).map((line) => line.split('\t').map(plainText));
  while (rows.at(-1)?.every((cell) => cell === '')) rows.pop();
  const isNumbered = rows.every((row, i) => row.length > 1 && row[0] === String(i));
  return isNumbered ? rows.map((row) => row.slice(1)) : rows;
}

function jsonRows(file: string, text: string): string[][] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: no JSON (${(error as Error).message})`);
  }
  if (typeof value !== 'object' || value === null)
    throw new Error(`${file}: expected a list of labels, or an object of them by number`);
  const byNumber = value as Readonly<Record<string, unknown>>;
  return Object.keys(value).map((_, i) => {
    const row = [byNumber[i]].flat();
    if (row.length === 0 || !row.every((cell) => typeof cell === 'string'))
      throw new Error(`${file}: label ${i}: expected a name, or a list of a synset and a name`);
    return row.map(plainText);
  });
}

/** Without control characters, bidirectional overrides and marks of byte order; tabs and newlines are spaces. As exporter/text.py. */
const plainText = (text: string): string =>
  text
    .replaceAll(/[\t-\r\u0085\u2028\u2029]+/g, ' ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu, '')
    .trim();

/** Letters of any script and digits: people write one class in many ways. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '');

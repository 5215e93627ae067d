/** Which class a folder of pictures is: by the model's names, by numbers, and by a file of labels, as the import reads them. */
import { readFile } from 'node:fs/promises';

/**
 * @param names of the model's classes.
 * @param file with a line for each class in the model's order: a name, or a synset and a name, divided by tabs, with or without the number
 *   first; a JSON list of these also.
 * @returns the class of a folder, and -1 for what is none.
 * @throws Error when the file has another number of classes.
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
  know((index) => names[index]!.split(','));
  know((index) => [String(index)]);
  return (folder) => classes.get(plain(folder)) ?? -1;
}

async function readLabels(file: string): Promise<string[][]> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new Error(`${file}: there is no such file of labels`);
  });
  if (file.endsWith('.json')) return (JSON.parse(text) as (string | string[])[]).map((each) => [each].flat());
  const rows = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => line.split('\t'));
  const isNumbered = rows.every((row, i) => row.length > 1 && row[0]!.trim() === String(i));
  return isNumbered ? rows.map((row) => row.slice(1)) : rows;
}

/** Letters of any script and digits: people write one class in many ways. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '');

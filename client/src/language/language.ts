/**
 * The app's words, in the language that the user chose or the browser prefers. One file for each language; English is there
 * from the start, the others are loaded when somebody reads them.
 *
 * A new string: one line in `en.ts`, one in each other file; the type of the words makes sure that none is forgotten.
 * A new language: its file, and one line in `languages`.
 */
import { createSubscriber } from 'svelte/reactivity';
import { en } from './en.ts';

/** Same keys in every language, with the same values to put in. */
export type Words = typeof en;

/** `name` as its speakers call it; `locale` for the shape of numbers. */
export const languages = {
  en: { name: 'English', locale: 'en-GB', load: async (): Promise<Words> => en },
  de: { name: 'Deutsch', locale: 'de', load: async (): Promise<Words> => (await import('./de.ts')).de },
} as const;

export type Language = keyof typeof languages;

const storageKey = 'blindsight language';

let words: Words = en;
let current: Language = 'en';
let changed = () => {};
// Plain TypeScript, not a rune: tests and Workers read these words too.
const subscribe = createSubscriber((update) => {
  changed = update;
});

/** The words. What reads them in markup, `$derived` or `$effect` is drawn anew when the language changes. */
export function t(): Words {
  subscribe();
  return words;
}

/** The language that is shown. */
export function language(): Language {
  subscribe();
  return current;
}

/** For numbers: `12,000` or `12.000`. */
export const locale = (): string => languages[language()].locale;

/** The user's choice, or what the browser prefers; English where neither is known here. */
export function preferredLanguage(): Language {
  const isKnown = (code: string | null | undefined): code is Language => code != null && code in languages;
  const chosen = stored();
  if (isKnown(chosen)) return chosen;
  return navigator.languages.map((tag) => tag.split('-')[0]).find(isKnown) ?? 'en';
}

/** Shows another language from now on. Without its file (the server is gone) the one before stays. */
export async function showLanguage(next: Language): Promise<void> {
  try {
    words = await languages[next].load();
  } catch {
    return;
  }
  current = next;
  document.documentElement.lang = next;
  changed();
}

/** As `showLanguage`, and this browser remembers it. */
export async function chooseLanguage(next: Language): Promise<void> {
  try {
    localStorage.setItem(storageKey, next);
  } catch {
    // All site data is blocked: the choice holds until the tab is closed.
  }
  await showLanguage(next);
}

function stored(): string | null {
  try {
    return localStorage.getItem(storageKey);
  } catch {
    return null;
  }
}

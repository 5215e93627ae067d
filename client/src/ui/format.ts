import { locale } from '../language/language.ts';

/** Numbers for people: three significant digits, with their unit. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const units = ['kB', 'MB', 'GB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${threeDigits(value)} ${units[unit]}`;
}

export function formatMs(ms: number): string {
  if (ms < 999.5) return `${fixed(ms, ms < 10 ? 1 : 0)} ms`;
  if (ms < 99_950) return `${threeDigits(ms / 1000)} s`;
  return formatWholeSeconds(ms);
}

/** For forecasts, whose fractions of a second would be made up: '4 s', '2 min 5 s'; at least '1 s'. */
export function formatWholeSeconds(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export function formatCount(count: number): string {
  return formatter(0).format(count);
}

export function formatPercent(fraction: number): string {
  const percent = fraction * 100;
  if (percent > 0 && percent < 0.1) return `< ${fixed(0.1, 1)} %`;
  return percent < 100 && percent >= 99.95 ? `> ${fixed(99.9, 1)} %` : `${fixed(percent, 1)} %`;
}

/** `digits` after the decimal sign of the language. */
export const fixed = (value: number, digits: number): string => formatter(digits).format(value);

const threeDigits = (value: number): string => fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0);

// Kept: `toLocaleString` would make a formatter at each call.
const formatters = new Map<string, Intl.NumberFormat>();

function formatter(digits: number): Intl.NumberFormat {
  const key = `${locale()} ${digits}`;
  let made = formatters.get(key);
  if (!made) {
    made = new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
    formatters.set(key, made);
  }
  return made;
}

/** The page's colours and font as a canvas needs them; read anew when the colour scheme changes. */
export interface ChartTheme {
  client: string;
  owner: string;
  exact: string;
  ink: string;
  inkSoft: string;
  line: string;
  /** A canvas font, as in CSS. */
  font: string;
}

export function chartTheme(element: Element): ChartTheme {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  return {
    client: color('--client-fill'),
    owner: color('--owner-fill'),
    exact: color('--exact'),
    ink: color('--ink'),
    inkSoft: color('--ink-soft'),
    line: color('--line'),
    font: `11px ${color('--text')}`,
  };
}

/** `color` (six hexadecimal digits, as in tokens.css) at `opacity` of 0 to 1. */
export function faded(color: string, opacity: number): string {
  return (
    color +
    Math.round(opacity * 255)
      .toString(16)
      .padStart(2, '0')
  );
}

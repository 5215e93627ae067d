import { tick } from 'svelte';

/**
 * For the element that takes the place of one that had the focus: without it a keyboard would start over at the top of the
 * page. A focus that is elsewhere stays there.
 */
export function takeLostFocus(element: HTMLElement): void {
  element.tabIndex = -1;
  void tick().then(() => {
    if (document.activeElement === document.body) element.focus({ preventScroll: true });
  });
}

/** What the steps' names (those of timm) mean, in plain words. */
import { t } from '../language/language.ts';

/** `blocks.0.attn.qkv` → `Block 1: queries, keys and values`; empty for a step that has no words. */
export function stepWords(name: string): string {
  const words = t().live.steps;
  const [, block, part] = /^blocks\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (block === undefined) return words.others[name] ?? '';
  const title = words.block(Number(block) + 1);
  return words.within[part] ? `${title}: ${words.within[part]}` : title;
}

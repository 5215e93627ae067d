/** What the steps' names (those of timm) mean, in plain words. */
const within: Record<string, string> = {
  norm1: 'normalise the tokens',
  'attn.qkv': 'queries, keys and values',
  'attn.scores': 'how much each token attends to each other',
  'attn.softmax': 'softmax of the exact rows',
  'attn.square': 'square instead of softmax, the other rows',
  'attn.units': 'square units beside attention',
  'attn.mix': 'mix the values by attention',
  'attn.proj': 'project and add to the tokens',
  norm2: 'normalise the tokens',
  'mlp.fc1': 'widen the exact tokens',
  'mlp.gelu': 'GELU of the exact tokens',
  'mlp.fc2': 'narrow the exact tokens',
  'mlp.merged': 'one matrix for all other tokens',
};
const others: Record<string, string> = {
  input: 'the image, split into two shares',
  patch_embed: 'patches become tokens',
  pool: 'average of the tokens',
  fc_norm: 'normalise the average',
  head: 'scores of the classes',
  'ring-LWE': 'products of encrypted random shares',
  'silent OT': 'random oblivious transfers',
  keys: 'keys, once per pairing',
  handshake: 'versions, description and plan compared',
};

/** `blocks.0.attn.qkv` → `Block 1: queries, keys and values`; empty for a step that has no words here. */
export function stepWords(name: string): string {
  const [, block, part] = /^blocks\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (block !== undefined)
    return within[part!] ? `Block ${Number(block) + 1}: ${within[part!]}` : `Block ${Number(block) + 1}`;
  return others[name] ?? '';
}

/** One line for each protocol that the meters name (the titles in protocols/layers). */
const notes: Record<string, string> = {
  'input sharing': 'The client sends the image minus its random share: uniform noise to the owner.',
  'linear (private weights)':
    'Matrix product with the owner’s weights. Its encrypted part was done offline; online it sends nothing.',
  'relative position (private table)':
    'The owner adds constants that depend on where two tokens are to its share; it sends nothing.',
  truncate: 'Drops fraction bits after a product; one oblivious transfer settles the carry.',
  'matrix product':
    'Product of two shared matrices by one-sided Beaver triples: masked differences travel, nothing else.',
  square: 'Square of shared numbers; cheaper than a product.',
  'sum of squares': 'Mean square of each token, for LayerNorm.',
  'scalar × vector': 'Scales each row by its own shared number.',
  'dot product': 'Products of shared numbers, summed.',
  spline: 'A piecewise polynomial; which piece, only an oblivious transfer knows.',
  exp: 'exp as a product of two table entries, looked up obliviously.',
  'ring-LWE':
    'The client’s random shares travel encrypted; the owner multiplies them by its weights under encryption and masks what it returns.',
  'silent OT':
    'Random oblivious transfers, grown from a few by pseudorandom trees: well under one bit of traffic each.',
  keys: 'Once per pairing: base oblivious transfers and the encryption’s public key.',
  'reveal to the client': 'The owner sends its share of the scores; the client adds its own.',
  'argmax, the label only to the client': 'Compares the scores on shares; only the winner’s number is revealed.',
};

const ofMany = 'argmax, the label only to the client';

/** The protocols that run in a step, each with its line; `protocol` is the plan's comma-separated list of titles. */
export function protocolsOf(protocol: string): { title: string; note: string }[] {
  // One title has a comma of its own.
  const whole = protocol.includes(ofMany) ? [ofMany] : [];
  const rest = protocol.replace(ofMany, '').split(', ').filter(Boolean);
  return [...rest, ...whole].map((title) => ({ title, note: notes[title] ?? '' }));
}

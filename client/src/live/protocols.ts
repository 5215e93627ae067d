/** One line for each protocol that the meters name. */
export const protocolNotes: Record<string, string> = {
  input: 'The client sends the image minus its random share: uniform noise to the owner.',
  linear: 'Matrix product with the owner’s weights. The encrypted part was done offline; online it costs nothing.',
  truncate: 'Drops fraction bits after a product; one oblivious transfer decides about the carry.',
  product: 'Product of two shared numbers by a one-sided Beaver triple: masked differences travel, nothing else.',
  matmul: 'Product of two shared matrices by one-sided Beaver triples.',
  square: 'Square of shared numbers; cheaper than a product.',
  layerNorm: 'Mean square, inverse square root by a piecewise polynomial, and scaling of each token.',
  gelu: 'GELU by a piecewise polynomial whose piece is looked up with an oblivious transfer.',
  spline: 'A piecewise polynomial; which piece, only the oblivious transfer knows.',
  exp: 'exp as a product of two table entries, looked up obliviously.',
  softmax: 'Exact softmax rows: exp, sum and reciprocal.',
  squareAttention: 'Polynomial attention rows, x²/n in place of softmax: what makes a Taylorized ViT cheap.',
  add: 'Sums of shares: each side adds its own, nothing travels.',
  pool: 'Mean over the tokens: each side adds its own shares.',
  reveal: 'The owner sends its share of the scores; the client adds its own.',
};

// Everything that touches a block of a correlated OT: trees, linear code, hash, products.
export { fourBlocks, fourHeads } from './_chacha';
export { combineKeys, hashBlocks, hashMessages } from './_blocks';
export { ggmSend, ggmReceive } from './_ggm';
export { lpnEncode } from './_lpn';
export { softSpokenFold, transpose } from './_softSpoken';
export { gilboaSend, gilboaChoose, gilboaFinish } from './_gilboa';
export { ringCotSend, ringCotReceive } from './_ringCot';
export { voleFold } from './_vole';
export { parities } from './_parities';

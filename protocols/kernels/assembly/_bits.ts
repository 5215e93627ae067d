// Numbers of a few bits as a byte stream, least significant bit first (sharing/packing.ts). One writer or reader at a time; words are read and
// written whole: four bytes beyond the end must be there.
let held: u64 = 0;
let heldBits: u32 = 0;
let cursor: usize = 0;

// @ts-ignore: decorator
@inline export function beginBits(address: usize): void {
  held = 0;
  heldBits = 0;
  cursor = address;
}
// @ts-ignore: decorator
@inline export function writeBits(value: u32, bits: u32): void {
  held |= <u64>value << heldBits;
  heldBits += bits;
  if (heldBits >= 32) {
    store<u32>(cursor, <u32>held);
    cursor += 4;
    held >>= 32;
    heldBits -= 32;
  }
}
/** Of a writer; what is left of its last word becomes zeros. */
// @ts-ignore: decorator
@inline export function endBits(): void {
  if (heldBits > 0) store<u32>(cursor, <u32>held);
}
// @ts-ignore: decorator
@inline export function readBits(bits: u32): u32 {
  if (heldBits < bits) {
    held |= <u64>load<u32>(cursor) << heldBits;
    cursor += 4;
    heldBits += 32;
  }
  const value = <u32>(held & ((<u64>1 << bits) - 1));
  held >>= bits;
  heldBits -= bits;
  return value;
}

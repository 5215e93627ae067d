/** Crockford's base 32: digits and letters without I, L, O and U. */
export const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 20 bits: the half of a typed code that finds a room. */
export const locatorLength = 4;

const codes = [
  'length', // a message is shorter or longer than the plan says
  'checksum', // a message was altered on the way
  'closed', // the connection is gone
  'peer-aborted', // the peer ended the session and said why
  'version', // the two sides run different versions
  'manifest', // the manifest is malformed, too large, or differs between the two sides
  'plan', // the two sides compiled different plans
  'value', // a value lies outside its range
  'refused', // the owner does not serve this request
  'silent', // the peer sent nothing for too long
  'cancelled', // this side's user cancelled
] as const;
export type ProtocolErrorCode = (typeof codes)[number];

/** @param text untrusted */
export const isProtocolErrorCode = (text: string): text is ProtocolErrorCode =>
  (codes as readonly string[]).includes(text);

/**
 * The peer (or the network) broke the protocol; the session ends on both sides.
 * Messages name the protocol and what was expected; they never contain a share, a key or a weight. They are shown to people and may
 * quote what a peer or a file says, so they are cut to `maxErrorCharacters`.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  constructor(
    readonly code: ProtocolErrorCode,
    readonly protocol: string,
    message: string,
    /** With `peer-aborted`: the code that the peer gave up with, if it is one of these. */
    readonly peerCode?: ProtocolErrorCode,
  ) {
    super(cut(`${protocol}: ${message}`));
  }
}

/** Of a message, at most. */
export const maxErrorCharacters = 500;

const cut = (text: string): string =>
  text.length <= maxErrorCharacters ? text : `${text.slice(0, maxErrorCharacters - 1)}…`;

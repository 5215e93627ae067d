import type { Wire } from '../channel/channel.ts';
import { FramedChannel } from '../channel/framed.ts';
import { splitWire, streamOptions } from '../channel/splitWire.ts';
import { type OtStream, otStream } from '../offline/ot/stream.ts';

/** The two streams of a session, as wires: its own messages, and the oblivious transfers. */
export function sessionWires(wire: Wire): { session: Wire; ot: Wire } {
  const [session, ot] = splitWire(wire, 2);
  return { session: session, ot: ot };
}

/** A channel over one of them. */
export const streamChannel = (wire: Wire): FramedChannel => new FramedChannel(wire, streamOptions);

/** What a session takes, when all of it runs in this thread. */
export function openStreams(wire: Wire): { channel: FramedChannel; ot: OtStream } {
  const { session, ot } = sessionWires(wire);
  return { channel: streamChannel(session), ot: otStream(streamChannel(ot)) };
}

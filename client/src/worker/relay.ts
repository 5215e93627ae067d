import { dataChannelWire } from '../../../protocols/channel/dataChannel.ts';
import { relay } from '../../../protocols/channel/messagePort.ts';

/** For browsers that cannot move a data channel into a Worker: the page passes its chunks to the port that is returned. */
export function relayThroughPort(channel: RTCDataChannel): MessagePort {
  const { port1, port2 } = new MessageChannel();
  relay(port1, dataChannelWire(channel as never));
  return port2;
}

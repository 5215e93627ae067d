/** WebRTC in Node, as the pairing code finds it in a browser. */
import { networkInterfaces } from 'node:os';
import { RTCIceCandidate, RTCPeerConnection, RTCSessionDescription } from 'node-datachannel/polyfill';

/** Call before a module is loaded that imports simple-peer, which looks for WebRTC then. */
export function installWebRtc(): void {
  const isOffline = Object.values(networkInterfaces()).every((addresses) =>
    addresses!.every(({ internal }) => internal),
  );
  class PeerConnection extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      // The native library leaves loopback out unless it is told to use it.
      super({ ...configuration, ...(isOffline && { bindAddress: '127.0.0.1' }) } as RTCConfiguration);
    }
    // simple-peer edits the SDP in place, which this library's descriptions do not allow.
    override async createOffer() {
      const { type, sdp } = (await super.createOffer()) as RTCSessionDescriptionInit;
      return { type, sdp } as RTCSessionDescription;
    }
    override async createAnswer() {
      const { type, sdp } = (await super.createAnswer()) as RTCSessionDescriptionInit;
      return { type, sdp } as RTCSessionDescription;
    }
  }
  Object.assign(globalThis, { RTCPeerConnection: PeerConnection, RTCSessionDescription, RTCIceCandidate });
}

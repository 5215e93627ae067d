/** Connections between the two processes of `classify`: a loopback socket, or WebRTC with the parent as signaling. */
import { connect, createServer, type Socket } from 'node:net';
import { RTCPeerConnection } from 'node-datachannel/polyfill';
import { dataChannelWire, type Wire } from '../../protocols/index.ts';
import { SocketWire } from './socketWire.ts';

export type Transport = 'memory' | 'webrtc';

/** Messages that the parent passes from one party to the other. */
export type Signal = {
  readonly signal:
    | { readonly port: number }
    | { readonly description: RTCSessionDescriptionInit }
    | { readonly candidate: RTCIceCandidateInit };
};

interface Signaling {
  send(signal: Signal): void;
  onSignal(listener: (signal: Signal) => void): void;
}

export function connectParty(party: 'client' | 'owner', transport: Transport, signaling: Signaling): Promise<Wire> {
  return transport === 'memory' ? connectSocket(party, signaling) : connectWebRtc(party, signaling);
}

/** The owner listens on a port of its own, the client connects. */
async function connectSocket(party: 'client' | 'owner', signaling: Signaling): Promise<Wire> {
  if (party === 'client') {
    const port = await new Promise<number>((resolve) =>
      signaling.onSignal(({ signal }) => 'port' in signal && resolve(signal.port)),
    );
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new SocketWire(socket);
  }
  const server = createServer();
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  signaling.send({ signal: { port: (server.address() as { port: number }).port } });
  const socket = await connected;
  server.close();
  return new SocketWire(socket);
}

async function connectWebRtc(party: 'client' | 'owner', signaling: Signaling): Promise<Wire> {
  // On loopback, where a machine without a network has candidates too.
  const peer = new RTCPeerConnection({ iceServers: [], bindAddress: '127.0.0.1' } as RTCConfiguration);
  peer.onicecandidate = ({ candidate }) => candidate && signaling.send({ signal: { candidate: candidate.toJSON() } });
  const waiting: RTCIceCandidateInit[] = [];
  signaling.onSignal(async ({ signal }) => {
    if ('description' in signal) {
      await peer.setRemoteDescription(signal.description);
      for (const candidate of waiting.splice(0)) await peer.addIceCandidate(candidate);
      if (signal.description.type === 'offer') {
        await peer.setLocalDescription(await peer.createAnswer());
        signaling.send({ signal: { description: { type: 'answer', sdp: peer.localDescription.sdp } } });
      }
    } else if ('candidate' in signal) {
      if (peer.remoteDescription) await peer.addIceCandidate(signal.candidate);
      else waiting.push(signal.candidate);
    }
  });
  const channel =
    party === 'owner'
      ? peer.createDataChannel('mpc', { ordered: true })
      : await new Promise<RTCDataChannel>((resolve) => {
          peer.ondatachannel = (event) => resolve(event.channel);
        });
  const wire = dataChannelWire(channel);
  if (party === 'owner') {
    await peer.setLocalDescription(await peer.createOffer());
    signaling.send({ signal: { description: { type: 'offer', sdp: peer.localDescription.sdp } } });
  }
  return wire;
}

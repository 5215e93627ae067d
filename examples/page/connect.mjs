// Introduces two pages of one origin to each other. Between two machines a server carries these three kinds of messages, and the
// pages must then make sure who is at the other end, as client/src/pairing does.
const introductions = new BroadcastChannel('introductions');
const say = (message) => introductions.postMessage(JSON.stringify(message));

/** @returns an open RTCDataChannel to the other page, whichever of the two opened first. */
export async function connect(role) {
  const peer = new RTCPeerConnection();
  const channel = peer.createDataChannel('blindsight', { negotiated: true, id: 1 });
  peer.onicecandidate = ({ candidate }) => candidate && say({ candidate });
  introductions.onmessage = async ({ data }) => {
    const { hello, description, candidate } = JSON.parse(data);
    if (hello && role === 'owner') {
      await peer.setLocalDescription();
      say({ description: peer.localDescription });
    }
    if (description) await peer.setRemoteDescription(description);
    if (description && role === 'client') {
      await peer.setLocalDescription();
      say({ description: peer.localDescription });
    }
    if (candidate) await peer.addIceCandidate(candidate);
  };
  if (role === 'client') say({ hello: true });
  await new Promise((resolve) => {
    channel.onopen = resolve;
  });
  return channel;
}

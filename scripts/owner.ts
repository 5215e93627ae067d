/**
 * npm run owner -- [--model NAME] [--server URL] [--label-only] [--limit N|none]
 * A headless owner: opens a room on a running server (npm run demo), prints the invite link, and serves one client after another.
 */
import type { PeerLink } from '../client/src/pairing/peerLink.ts';
import {
  answerBits,
  dataChannelWire,
  defaultLimit,
  OwnerSession,
  openStreams,
  type SessionEvent,
  weightBits,
} from '../protocols/index.ts';
import { defaultModel, modelFolder, readModel } from './lib/models.ts';
import { installWebRtc } from './lib/nodeWebRtc.ts';
import { readOptions } from './lib/options.ts';

const usage = 'npm run owner -- [--model NAME] [--server URL] [--label-only] [--limit N|none]';

async function main(): Promise<void> {
  const values = readOptions(usage, {
    model: { type: 'string', default: defaultModel },
    server: { type: 'string', default: 'http://localhost:3000' },
    'label-only': { type: 'boolean', default: false },
    limit: { type: 'string', default: `${defaultLimit}` },
  });
  const server = URL.canParse(values.server) ? new URL(values.server) : undefined;
  if (!server || !/^https?:$/.test(server.protocol))
    throw new Error(`--server: expected an address such as http://localhost:3000, got ${values.server}`);
  const limit = values.limit === 'none' ? Number.POSITIVE_INFINITY : Number(values.limit);
  if (values.limit !== 'none' && !(Number.isSafeInteger(limit) && limit >= 1))
    throw new Error(`--limit: expected a whole number of classifications, at least 1, or none; got ${values.limit}`);
  const model = await readModel(await modelFolder(values.model), values['label-only'] ? 'label' : 'logits');
  installWebRtc();
  // Only now: these modules look for WebRTC when they are loaded.
  const [{ OwnerPairing }, { formatInvite }] = await Promise.all([
    import('../client/src/pairing/ownerPairing.ts'),
    import('../client/src/pairing/invite.ts'),
  ]);

  const allBits = weightBits(model.plan, model.weights);
  let served = 0;
  const told = () => {
    const bits = served * answerBits(model.plan);
    return `${served} classifications served: at most ${Math.ceil(bits)} bits, ${((100 * bits) / allBits).toFixed(3)} % of the weights, told to clients that cheat`;
  };
  const serve = async (link: PeerLink) => {
    const { channel, ot } = openStreams(dataChannelWire(link.channel));
    const onEvent = (event: SessionEvent) => {
      if (event.type === 'answer') served = event.answers;
      if (event.type === 'state' && event.state === 'done' && served >= limit) closeAtLimit();
    };
    const options = { onEvent, ot, limit, answersBefore: served };
    try {
      const session = await OwnerSession.open(channel, model, options);
      say('a client is connected');
      await session.serve();
      say(`the client left; ${told()}`);
    } catch (error) {
      say(`session ended: ${(error as Error).message}; ${told()}`);
      if (served >= limit) return closeAtLimit();
    }
    pairing.dropPeer(lingerMs);
  };
  const closeAtLimit = () => {
    say(`the limit is reached, the room is closed; ${told()}`);
    pairing.close({ afterMs: lingerMs });
    // As long again, for the server to hear of it.
    setTimeout(() => process.exit(0), 2 * lingerMs);
  };
  const pairing = new OwnerPairing(
    {
      onSignaling: (state) => state === 'offline' && say(`no connection to ${server.origin}; trying again`),
      onLink: () => {},
      onCode: ({ text }) => text && say(`code for typing, for ten minutes: ${text}`),
      onSecrets: () => {}, // nothing is kept of a room when this program ends
      onLost: () => say('the client is gone; waiting for it to come back'),
      onRoomLost: () => say('the server did not give the room back: start again, and send the new link'),
      onCompareWords: (words) => say(`both sides should show: ${words.join(' ')}`),
      onChannel: (link) => void serve(link),
      onEnded: (end) => say(`connection ended: ${end}`),
    },
    [],
    server.href,
  );
  const invite = await pairing.open();
  process.stdout.write(`${formatInvite(server.href, invite)}\n`);
  process.once('SIGINT', () => {
    pairing.close();
    process.exit(0);
  });
}

/** The last answer is on its way to the client: it comes before the word that the session ends. */
const lingerMs = 500;

const say = (text: string) => process.stderr.write(`${text}\n`);

main().catch((error: unknown) => {
  say((error as Error).message);
  process.exit(1);
});

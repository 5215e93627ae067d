/** Both sides of the OT-based offline phase in one thread, over a channel in memory; insecurely small parameters. */
import { FramedChannel } from '../../protocols/channel/framed.ts';
import { memoryWirePair } from '../../protocols/channel/memory.ts';
import { MeteredChannel } from '../../protocols/channel/metered.ts';
import { OtClient, type OtOptions, OtOwner } from '../../protocols/offline/ot/provider.ts';
import { type OtParameters, otParameters } from '../../protocols/offline/ot/segments.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { RecordingChannel } from '../support/recordingChannel.ts';

/** NOT SECURE: rounds of 2^11 COTs, so that tests pass many. */
export const smallParameters: OtParameters = {
  ...otParameters,
  bootstrap: { logSecret: 6, treeDepth: 6, trees: 40 },
  main: { logSecret: 8, treeDepth: 7, trees: 16 },
};

export function channelPair() {
  const [first, second] = memoryWirePair();
  const wrap = (wire: typeof first) => {
    const recording = new RecordingChannel(new FramedChannel(wire));
    return { recording, channel: new MeteredChannel(recording) };
  };
  return { client: wrap(first), owner: wrap(second) };
}

/** @param seed 32 bytes, of which each party's randomness is made. */
export async function otPair(
  seed: Uint8Array,
  options: { client?: OtOptions; owner?: OtOptions } = {},
  parameters = smallParameters,
) {
  const channels = channelPair();
  const [client, owner] = await Promise.all([
    OtClient.setup(channels.client.channel, new Prg(seed, 'client'), { parameters, ...options.client }),
    OtOwner.setup(channels.owner.channel, new Prg(seed, 'owner'), { parameters, ...options.owner }),
  ]);
  return { channels, client, owner, random: new Prg(seed, 'operands') };
}

/** The client's side of a session. */
import type { Channel } from '../channel/channel.ts';
import { ProtocolError } from '../channel/errors.ts';
import type { ClientState } from '../layers/op.ts';
import type { DrawingProvider } from '../offline/correlations.ts';
import { systemPrg } from '../sharing/prg.ts';
import { type Classification, classificationOf } from './classification.ts';
import { executeClient } from './execute.ts';
import { greetOwner } from './handshake.ts';
import { requirePixels } from './image.ts';
import { handshakeAheadBytes } from './limits.ts';
import { OtStreamMeter } from './meters.ts';
import { prepareClient } from './prepare.ts';
import { publicInput, publicPartStep, receivePublicPart } from './publicPart.ts';
import { command, guarded, measurePhase, Session, type SessionOptions } from './session.ts';

/** The client: holds the image, learns the logits. */
export class ClientSession extends Session {
  #prepared: ClientState | undefined;
  #provider: DrawingProvider | undefined;
  #publicPart: Uint8Array | undefined;

  /**
   * Shakes hands and compiles the owner's manifest, which is untrusted.
   * @throws ProtocolError `version`, `manifest` or `plan` when the two sides do not fit together.
   */
  static open(channel: Channel, options: SessionOptions): Promise<ClientSession> {
    channel.aheadBytes = handshakeAheadBytes;
    return guarded(channel, options, async () => {
      const otMeter = new OtStreamMeter();
      const measurement = measurePhase(channel, 'client', 'setup', undefined, options, otMeter);
      measurement.enter('handshake');
      const { plan, otChecks } = await greetOwner(measurement.channel, options);
      const session = new ClientSession(channel, plan, options, 'client', otMeter);
      session.otChecks = otChecks;
      if (plan.manifest.publicPart) {
        if (!options.runOnnx)
          throw new ProtocolError(
            'manifest',
            'session',
            'the model has a public part, which this program does not run',
          );
        measurement.enter(publicPartStep);
        session.#publicPart = await receivePublicPart(measurement.channel, plan.manifest.publicPart);
      }
      measurement.end();
      session.measurements.set('setup', measurement);
      session.connected();
      return session;
    });
  }

  /** Makes the correlations for one classification, ahead of the image. Does nothing when they are there. */
  prepare(): Promise<void> {
    return this.guard(async () => {
      if (this.#prepared) return;
      await this.#ask(command.prepare);
      this.state('preparing');
      const { plan, offlineChannel } = this;
      this.#provider = await this.setUp(this.#provider, (options) =>
        this.offline.client(offlineChannel, plan, systemPrg('client offline'), options),
      );
      const measurement = this.measure('offline');
      offlineChannel.target = measurement.channel;
      this.#prepared = await prepareClient(plan, this.#provider, systemPrg('client'), (fraction, step) => {
        this.progress('offline', fraction, step);
      });
      measurement.end();
      this.state('ready');
    });
  }

  /**
   * Classifies an image; prepares first where that was not done.
   * @param pixels imageSize×imageWidth×3 RGB bytes, as prepareImage gives them.
   * @throws RangeError when there are more or fewer.
   */
  async classify(pixels: Uint8Array): Promise<Classification> {
    requirePixels(pixels, this.manifest.architecture);
    await this.prepare();
    return this.guard(async () => {
      const { runOnnx, signal } = this.options;
      if (this.#publicPart) {
        this.state('computing');
        this.progress('online', 0, publicPartStep);
      }
      const input = await publicInput(pixels, this.manifest, this.#publicPart, runOnnx, signal);
      const prepared = this.#prepared!;
      this.#prepared = undefined;
      await this.#ask(command.classify);
      this.state('classifying');
      const measurement = this.measure('online');
      const integers = await executeClient(
        this.plan,
        prepared,
        input,
        measurement.channel,
        this.onlineProgress(measurement),
        this.options.signal,
      );
      measurement.end();
      this.progress('online', 1, 'done');
      this.state('done');
      return classificationOf(integers, this.plan);
    });
  }

  /** Ends the session; the owner's `serve` returns. Does not throw: a peer that is gone already is gone. */
  async close(): Promise<void> {
    try {
      // The owner's acknowledgement shows that it has nothing left to send.
      await this.#ask(command.close);
    } catch {
      // Closed already.
    }
    await this.channel.close().catch(() => {});
    this.destroyKeys();
    this.state('closed');
  }

  async #ask(what: number): Promise<void> {
    this.channel.send(Uint8Array.of(what));
    const answer = (await this.channel.receive(1))[0];
    if (answer !== what) throw new ProtocolError('value', 'session', 'the owner acknowledged something else');
  }
}

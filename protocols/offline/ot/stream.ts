/**
 * The OT half of the offline phase on a stream of its own, beside ring-LWE: in this thread (otStream), or in a Worker (worker.ts),
 * where both compute at the same time. Its messages and their cost are those of segments.ts.
 */
import type { Channel } from '../../channel/channel.ts';
import { MeteredChannel } from '../../channel/metered.ts';
import { RedirectedChannel } from '../../channel/redirected.ts';
import { Prg } from '../../sharing/prg.ts';
import type { ClientProvider, OwnerProvider, Provider } from '../correlations.ts';
import { OtClient, type OtOptions, OtOwner } from './provider.ts';

/** What the stream carried so far, as this party counts it. */
export interface OtMeter {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly framingBytes: number;
  /** Direction changes: those of the set-up and of every stage, summed. */
  readonly flights: number;
  /** From the beginning of the set-up and of every stage to its end. */
  readonly elapsedMs: number;
}

/** What the session tells its stream when the set-up begins. */
export interface OtStreamOptions {
  /** How far the peer may be ahead on the stream; without, as far as its channel allows. */
  readonly aheadBytes?: number | undefined;
  /** Whether the parties check each other's consistency. */
  readonly checks?: boolean | undefined;
}

/** Either party's half; called once per pairing, as the same party that the other side is not. */
export interface OtStream {
  /**
   * @param seed 32 bytes of this party's randomness.
   * @param onMeter called after every correlation.
   */
  client(seed: Uint8Array, onMeter: (meter: OtMeter) => void, options?: OtStreamOptions): Promise<ClientProvider>;
  owner(seed: Uint8Array, onMeter: (meter: OtMeter) => void, options?: OtStreamOptions): Promise<OwnerProvider>;
}

/** Until the set-up begins: all that comes before is the owner's first message, 32 bytes. */
const idleAheadBytes = 65_536;

/** In this thread. @param channel one that carries nothing else. */
export function otStream(channel: Channel, options: OtOptions = {}): OtStream {
  const redirected = new RedirectedChannel(channel);
  const { aheadBytes: most } = channel;
  channel.aheadBytes = idleAheadBytes;
  const create =
    <Request, Correlation>(
      setUp: (channel: Channel, random: Prg, options: OtOptions) => Promise<Provider<Request, Correlation>>,
    ) =>
    async (
      seed: Uint8Array,
      onMeter: (meter: OtMeter) => void,
      { aheadBytes = most, checks = false }: OtStreamOptions = {},
    ): Promise<Provider<Request, Correlation>> => {
      if (aheadBytes !== undefined) channel.aheadBytes = aheadBytes;
      const meter = new CallMeter(channel, redirected, onMeter);
      const provider = await meter.measure(() => setUp(redirected, new Prg(seed, 'ot'), { ...options, checks }));
      return {
        source: provider.source,
        provide: (requests, progress) =>
          meter.measure((report) =>
            provider.provide(requests, (key, fraction) => {
              report();
              progress(key, fraction);
            }),
          ),
        destroy: () => provider.destroy(),
      };
    };
  return {
    client: create(OtClient.setup),
    owner: create(OtOwner.setup),
  };
}

/** Adds up what calls cost. Every call's first message begins a flight, as the plan counts them. */
class CallMeter {
  #before = { bytesSent: 0, bytesReceived: 0, flights: 0, elapsedMs: 0 };

  constructor(
    private readonly channel: Channel,
    private readonly redirected: RedirectedChannel,
    private readonly listener: (meter: OtMeter) => void,
  ) {}

  async measure<T>(call: (report: () => void) => Promise<T>): Promise<T> {
    const metered = new MeteredChannel(this.channel);
    this.redirected.target = metered;
    const sum = () => {
      const { bytesSent, bytesReceived, flights, elapsedMs } = metered.snapshot().total;
      return {
        bytesSent: this.#before.bytesSent + bytesSent,
        bytesReceived: this.#before.bytesReceived + bytesReceived,
        flights: this.#before.flights + flights,
        elapsedMs: this.#before.elapsedMs + elapsedMs,
      };
    };
    const report = () => {
      const { framingBytesSent, framingBytesReceived } = this.channel.counters;
      this.listener({ ...sum(), framingBytes: framingBytesSent + framingBytesReceived });
    };
    const result = await call(report);
    report();
    this.#before = sum();
    return result;
  }
}

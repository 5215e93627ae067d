/**
 * Keeps all payload that a channel carries, for transcripts: digests that change when a protocol's bytes change, and
 * tests of what the other party gets to see.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Channel, ChannelCounters } from '../../protocols/channel/channel.ts';
import { forwardStep, type Phase, type SteppedChannel } from '../../protocols/channel/stepped.ts';

export interface TranscriptEntry {
  readonly direction: 'sent' | 'received';
  /** The step in whose name it was sent or received. */
  readonly step: string;
  readonly phase: Phase;
  readonly bytes: Uint8Array;
}

export class RecordingChannel implements SteppedChannel {
  /** One per `send` or `receive` that carried bytes, in order. */
  readonly entries: TranscriptEntry[] = [];
  private step = 'connect';
  private phase: Phase = 'setup';

  constructor(private readonly channel: Channel) {}

  get counters(): Readonly<ChannelCounters> {
    return this.channel.counters;
  }

  enterStep(name: string, phase: Phase): void {
    this.step = name;
    this.phase = phase;
    forwardStep(this.channel, name, phase);
  }

  send(bytes: Uint8Array): void {
    this.channel.send(bytes);
    this.record('sent', this.step, this.phase, bytes);
  }

  async receive(length: number): Promise<Uint8Array> {
    const { step, phase } = this;
    const bytes = await this.channel.receive(length);
    this.record('received', step, phase, bytes);
    return bytes;
  }

  flush(): Promise<void> {
    return this.channel.flush();
  }

  close(reason?: Error): Promise<void> {
    return this.channel.close(reason);
  }

  /** All bytes of one direction, joined: what one party sent is what the other received. */
  bytes(direction: TranscriptEntry['direction']): Uint8Array {
    const parts = this.entries.filter((entry) => entry.direction === direction).map((entry) => entry.bytes);
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  /** SHA-256 in hex over direction, phase, step, length and bytes of every entry, in order. */
  digest(): string {
    const hash = sha256.create();
    for (const { direction, phase, step, bytes } of this.entries) {
      hash.update(new TextEncoder().encode(JSON.stringify([direction, phase, step, bytes.length])));
      hash.update(bytes);
    }
    return bytesToHex(hash.digest());
  }

  private record(direction: TranscriptEntry['direction'], step: string, phase: Phase, bytes: Uint8Array): void {
    // A copy: what was received belongs to the caller now.
    if (bytes.length > 0) this.entries.push({ direction, step, phase, bytes: new Uint8Array(bytes) });
  }
}

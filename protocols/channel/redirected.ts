import type { Channel } from './channel.ts';

/** A channel whose target changes: providers live as long as the pairing, measurements as long as a phase. */
export class RedirectedChannel implements Channel {
  constructor(public target: Channel) {}
  get counters() {
    return this.target.counters;
  }
  send(bytes: Uint8Array): void {
    this.target.send(bytes);
  }
  receive(length: number): Promise<Uint8Array> {
    return this.target.receive(length);
  }
  flush(): Promise<void> {
    return this.target.flush();
  }
  close(reason?: Error): Promise<void> {
    return this.target.close(reason);
  }
}

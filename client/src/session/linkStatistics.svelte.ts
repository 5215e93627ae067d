/** What WebRTC itself says of the connection, read once a second. */
export class LinkStatistics {
  roundTripMs = $state<number>();
  path = $state<'direct' | 'relayed'>();
  bytesSent = $state(0);
  bytesReceived = $state(0);
  #timer: ReturnType<typeof setInterval> | undefined;

  start(connection: RTCPeerConnection): void {
    this.stop();
    this.roundTripMs = this.path = undefined;
    this.#timer = setInterval(() => void this.#read(connection), 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #read(connection: RTCPeerConnection): Promise<void> {
    if (connection.connectionState !== 'connected') return;
    const report = await connection.getStats();
    for (const stat of report.values()) {
      if (stat.type === 'candidate-pair' && stat.nominated && stat.state === 'succeeded') {
        if (stat.currentRoundTripTime !== undefined) this.roundTripMs = stat.currentRoundTripTime * 1000;
        const relayed = [stat.localCandidateId, stat.remoteCandidateId].some(
          (id) => report.get(id)?.candidateType === 'relay',
        );
        this.path = relayed ? 'relayed' : 'direct';
      }
      if (stat.type === 'data-channel' && stat.label === 'mpc') {
        this.bytesSent = stat.bytesSent;
        this.bytesReceived = stat.bytesReceived;
      }
    }
  }
}

/** The part of a WebRTC statistic that is read here (W3C webrtc-stats). */
interface Stat {
  readonly type: string;
  readonly id?: string;
  readonly selectedCandidatePairId?: string;
  readonly nominated?: boolean;
  /** Firefox's word for the pair in use. */
  readonly selected?: boolean;
  readonly state?: string;
  readonly localCandidateId?: string;
  readonly remoteCandidateId?: string;
  readonly candidateType?: string;
}

/**
 * Whether packets go straight to the other tab or through a TURN server, by the candidate pair that ICE selected.
 * Undefined while none is.
 */
export function selectedPath(report: {
  get(id: string): unknown;
  values(): Iterable<unknown>;
}): 'direct' | 'relayed' | undefined {
  const stats = [...report.values()] as Stat[];
  const selectedId = stats.find(({ type }) => type === 'transport')?.selectedCandidatePairId;
  const pairs = stats.filter(({ type }) => type === 'candidate-pair');
  const pair =
    pairs.find(({ id }) => selectedId !== undefined && id === selectedId) ??
    pairs.find(({ selected }) => selected) ??
    pairs.find(({ nominated, state }) => nominated && state === 'succeeded');
  if (!pair) return undefined;
  const candidates = [pair.localCandidateId, pair.remoteCandidateId].map(
    (id) => report.get(id ?? '') as Stat | undefined,
  );
  return candidates.some((candidate) => candidate?.candidateType === 'relay') ? 'relayed' : 'direct';
}

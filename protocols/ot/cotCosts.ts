/** What the stream of correlated OTs (cot.ts) costs, by its parameters: bytes, flights, and how many COTs each step needs of the one before. */
import { blockBytes } from '../kernels/cot.ts';
import { baseOtCost } from './baseOt.ts';
import {
  type FerretParameters,
  ferretBootstrap,
  ferretMain,
  refillTrees,
  roundNeeds,
  treeMessageBytes,
  treesInAll,
} from './ferret.ts';
import { parityChoiceBytes, parityCount, parityDigestBytes, parityProofBytes } from './parityCheck.ts';
import { baseOtCount, softSpokenBytes, softSpokenSetupBytes } from './softSpoken.ts';

/** The two parameter sets of a pairing; tests take small, insecure ones. */
export interface CotParameters {
  readonly bootstrap: FerretParameters;
  readonly main: FerretParameters;
  /** Whether the parties check each other's consistency. */
  readonly checks: boolean;
}

export const cotParameters: CotParameters = Object.freeze({
  bootstrap: ferretBootstrap,
  main: ferretMain,
  checks: false,
});

/** Of the public code's seed. */
export const codeSeedBytes = 32;
/** Trees of the small parameters that the first round of the large ones starts from. */
export const bootstrapTrees = ({ bootstrap, main }: CotParameters) =>
  Math.ceil(roundNeeds(main) / 2 ** bootstrap.treeDepth);
export const bootstrapNeeds = (parameters: CotParameters) =>
  roundNeeds(parameters.bootstrap, bootstrapTrees(parameters));
/** Bytes of a buffer that holds what a round needs, whichever parameters filled it. */
export const roundBytes = (parameters: CotParameters) =>
  blockBytes *
  Math.max(
    bootstrapTrees(parameters) * 2 ** parameters.bootstrap.treeDepth,
    refillTrees(parameters.main) * 2 ** parameters.main.treeDepth,
  );

/** Where SoftSpokenOT's COTs go: those for Ferret from 0 on, the base OTs of the other direction, and masks of the two checks. */
export function softSpokenLayout(parameters: CotParameters) {
  const reverseBase = bootstrapNeeds(parameters);
  const drawMasks = reverseBase + baseOtCount;
  if (!parameters.checks) return { reverseBase, drawMasks, masks: drawMasks, count: drawMasks };
  const masks = 8 * Math.ceil((drawMasks + parityCount) / 8);
  return { reverseBase, drawMasks, masks, count: masks + parityCount };
}

/** Bytes of a draw's check, and of a check of COTs in the other direction. */
export const checkCost = Object.freeze({
  bytesOwnerToClient: parityChoiceBytes,
  bytesClientToOwner: parityDigestBytes,
  reverseBytesClientToOwner: softSpokenBytes(parityCount) + parityProofBytes,
});

/** COTs that a draw of `count` takes: where it is checked, with those that mask the next draw's check. */
export const cotsOfDraw = (count: number, checks: boolean) => count + (checks ? parityCount : 0);

/** Bytes and flights of the set-up. */
export function setupCost(parameters = cotParameters) {
  const base = baseOtCost(baseOtCount);
  return {
    bytesOwnerToClient:
      base.bytesToReceiver +
      codeSeedBytes +
      softSpokenSetupBytes +
      softSpokenBytes(softSpokenLayout(parameters).count) +
      (parameters.checks ? parityProofBytes : 0) +
      baseOtCount / 8,
    bytesClientToOwner:
      base.bytesToSender + bootstrapTrees(parameters) * treeMessageBytes(parameters.bootstrap) + softSpokenSetupBytes,
    flights: 4,
  };
}

/** Bytes from client to owner by which the stream grows from `from` to `to` COTs drawn in all. */
export function drawCost(from: number, to: number, { main } = cotParameters): number {
  const bytes = (cots: number) => treesInAll(main, Math.ceil(cots / 2 ** main.treeDepth)) * treeMessageBytes(main);
  return bytes(to) - bytes(from);
}

/** Bytes from client to owner for COTs with the owner as sender. */
export const reverseCost = softSpokenBytes;

import type { Answer, Classification, Manifest, SessionEvent } from '../../../protocols/index.ts';
import type { Preprocessing } from '../../../protocols/inference/image.ts';
import type { WalkRun } from '../explain/walkRun.ts';
import type { PictureSize } from '../ui/pixels.ts';
import type { PictureProblem } from './pictureFile.ts';

/** The data channel itself where browsers can move one into a Worker, otherwise a port that the page relays to. */
export type WireHandle = { kind: 'channel'; channel: RTCDataChannel } | { kind: 'port'; port: MessagePort };

/** An artifact's files, as blobs: they are read in the Worker, so that the page never holds the weights. */
export interface OwnerFiles {
  manifest: Blob;
  weightsIndex: Blob;
  weights: Blob;
  /** What clients compute themselves, of a model that has such a part. */
  publicPart?: Blob | undefined;
}

export type ToProtocolWorker =
  | { type: 'openClient'; wire: WireHandle }
  /** `limit` as OwnerOptions has it, undefined for none. */
  | {
      type: 'openOwner';
      wire: WireHandle;
      files: OwnerFiles;
      answer: Answer;
      limit: number | undefined;
      answersBefore: number;
      /** Of this machine, as far as the browser tells. */
      cores: number;
    }
  | { type: 'limit'; limit: number | undefined }
  | { type: 'check'; files: OwnerFiles }
  | { type: 'prepare' }
  | { type: 'classify'; pixels: Uint8Array }
  | { type: 'cancel' }
  /** A helper of this number could not run, or died. */
  | { type: 'helperFailed'; id: number }
  | { type: 'close' };

/** What else runs in threads of its own (helperWorkers.ts). */
export type HelperKind = 'ot' | 'answers' | 'onnx';

/** What went wrong, as the protocol said it; `code` is a ProtocolErrorCode or `internal`. */
export interface Failure {
  code: string;
  message: string;
  /** With `peer-aborted`: the code that the other side gave up with. */
  peerCode?: string | undefined;
}

export interface CheckedModel {
  /** What clients of this model can be told. */
  answers: readonly Answer[];
  /** How many bits its weights are. */
  weightBits: number;
}

export type FromProtocolWorker =
  | { type: 'event'; event: SessionEvent }
  /** The image as it crossed the wire: 32 bits per value, in the order of `inputOf`. */
  | { type: 'maskedImage'; bytes: Uint8Array }
  /** The latest bytes that this side was sent (the owner) or sent (the client), whatever they were; a few times a second. */
  | { type: 'passing'; bytes: Uint8Array }
  | { type: 'opened' }
  | ({ type: 'checked' } & CheckedModel)
  | { type: 'prepared' }
  | { type: 'classified'; classification: Classification }
  | { type: 'closed' }
  /** For another thread, which is to serve this port. */
  | { type: 'beginHelper'; kind: HelperKind; id: number; port: MessagePort }
  | { type: 'endHelper'; id: number }
  | { type: 'failed'; failure: Failure };

export type { Preprocessing };

export type ToImageWorker = { id: number; file: Blob; preprocessing: Preprocessing; maxPixels: number };

export interface PreparedImage {
  /** seen.height × seen.width × 3 RGB bytes: exactly what the model sees. */
  pixels: Uint8Array;
  seen: PictureSize;
  /** Of the file, before any reduction. */
  width: number;
  height: number;
  /** Reduced to at most 640 pixels, for display. */
  preview: ImageBitmap;
}

export type FromImageWorker =
  | { id: number; image: PreparedImage }
  | { id: number; problem: PictureProblem; width?: number; height?: number };

/** `folder` of a bundled model, `manifest` the owner's. */
export type ToPlaintextWorker = { folder: string; manifest: Manifest; pixels: Uint8Array };
export type FromPlaintextWorker = { logits: number[]; elapsedMs: number; sameModel: boolean } | PlaintextProblem;
/** `load`: this program's part; `missing`: the model's file; `run`: what the runtime says. */
export type PlaintextProblem = { problem: 'load' | 'missing' | 'run'; detail?: string };

/** Of one classification, both directions together. */
export interface PlanCost {
  onlineBytes: number;
  /** Before the image, setup of the pairing aside. */
  offlineBytes: number;
  flights: number;
  /** Working time of the preparation, both parties together, as the plan predicts it for its reference machine. */
  offlineWorkMs: number;
}

/** The answer to a manifest's JSON. */
export type FromCostWorker = { cost: PlanCost } | { problem: string };

/** To the Worker that runs both sides of the walk: a picture, as `Walk.run` takes it. One at a time. */
export type ToWalkWorker = Int32Array;
export type FromWalkWorker = { run: WalkRun } | { problem: string };

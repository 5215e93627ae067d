/** Blindsight's protocols: private classification between a client with an image and an owner with a model. */
export type { Channel, Wire } from './channel/channel.ts';
export { type DataChannelLike, dataChannelWire } from './channel/dataChannel.ts';
export { ProtocolError, type ProtocolErrorCode } from './channel/errors.ts';
export { FramedChannel } from './channel/framed.ts';
export { memoryWirePair } from './channel/memory.ts';
export { type MessagePortLike, messagePortWire } from './channel/messagePort.ts';
export {
  type ClassifyResult,
  type Connection,
  classifyAsClient,
  type OwnerPartyOptions,
  type PartyOptions,
  serveAsOwner,
} from './inference/api.ts';
export { type Classification, classificationOf } from './inference/classification.ts';
export { ClientSession } from './inference/clientSession.ts';
export { defaultLimit, weightBits } from './inference/extraction.ts';
export { protocolVersion } from './inference/handshake.ts';
export { inputOf, prepareImage, type RgbaImage } from './inference/image.ts';
export { type Budget, demandOf } from './inference/limits.ts';
export { type Manifest, parseManifest, publicManifest } from './inference/manifest.ts';
export type { Phase, PhaseMeter, StepMeter } from './inference/meters.ts';
export { type ArtifactFiles, loadOwnerModel, type OwnerModel } from './inference/model.ts';
export { type OnnxThread, onnxInThread, type ReadyOnnx, serveOnnx } from './inference/onnxThread.ts';
export { OwnerSession } from './inference/ownerSession.ts';
export { type Answer, answerBits, compilePlan, type Plan, type StepPlan } from './inference/plan.ts';
export { type OnnxRunner, publicInput, publicPartFile } from './inference/publicPart.ts';
export { evaluateReference, type ReferenceResult } from './inference/reference.ts';
export type { SessionEvent, SessionOptions, SessionReport, SessionState } from './inference/session.ts';
export { openStreams, sessionWires, streamChannel } from './inference/sessionStreams.ts';
export type { CorrelationSource } from './offline/correlations.ts';
export type { Endpoint } from './offline/endpoint.ts';
export { type OtStream, otStream } from './offline/ot/stream.ts';
export { OtWorker, serveOtStream } from './offline/ot/worker.ts';
export {
  AnswerPool,
  type AnswerWorker,
  defaultWorkers,
  type StartAnswerWorker,
  serveAnswers,
} from './offline/rlwe/pool.ts';

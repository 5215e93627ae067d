/**
 * A client that deviates, against the head (the attack of the audit, as in Lehmkuhl, Mishra, Srinivasan, Popa, "Muse", USENIX Security 2021, §3):
 * a table of zeros in `fc_norm` makes the head's input zero, δ added to its share of that input makes it δ. What it learns is W·δ + bias.
 */
import { clientRounds, ownerRounds } from '../../protocols/inference/execute.ts';
import type { OwnerModel } from '../../protocols/inference/model.ts';
import type { Plan } from '../../protocols/inference/plan.ts';
import { prepareClient, prepareOwner } from '../../protocols/inference/prepare.ts';
import type { Sequence } from '../../protocols/layers/builder.ts';
import { Prg } from '../../protocols/sharing/prg.ts';
import { IdealDealer } from '../ideal/dealer.ts';
import { pump } from './mini.ts';

/** Weights have 12 bits with their sign. */
const weightBits = 12;

/** Where in W·δ + bias the revealed bits lie. */
export function windowOf(plan: Plan) {
  const head = plan.named.get('logits')!;
  return { lowest: head.fracBits - plan.logitFracBits, bits: plan.reveal.inputs[0].ringBits };
}

/** Weights of one class that fit into one answer, each read exactly. One bit is lost to the rounding, if there is one. */
export function weightsPerAnswer(plan: Plan): number {
  const { lowest, bits } = windowOf(plan);
  return Math.floor((bits - (lowest > 0 ? 1 : 0)) / weightBits);
}

/**
 * One query of the attack. Each of W·δ + bias is, modulo 2^(lowest + bits), in an interval of 2^lowest that begins at `from`: the client
 * knows the low bits of its own share, so it knows how the answer was rounded.
 */
export async function query(model: OwnerModel, delta: Int32Array, seed: number) {
  const { plan } = model;
  const bytes = new Uint8Array(32).fill(seed);
  const dealer = new IdealDealer(bytes, (name) => model.weights.tensor(name));
  // The client's own view of the plan: 1/√(x + ε) with an enormous ε is a table of zeros.
  const cheat = (sequence: Sequence): Sequence =>
    sequence.map((node) => {
      if ('branches' in node) return { branches: node.branches.map(cheat) };
      return node.kind === 'scalarSpline' && node.step === 'fc_norm' ? { ...node, epsilon: Number.MAX_VALUE } : node;
    });
  const [client, owner] = await Promise.all([
    prepareClient(
      plan,
      {
        ...dealer.client,
        provide: (requests, progress) =>
          dealer.client.provide(
            requests.map((request) => {
              if (request.spec.kind !== 'linear' || request.spec.weights !== 'head.weight') return request;
              const { x } = request as { x: Uint32Array };
              return { ...request, x: x.map((word, i) => word + delta[i]) } as typeof request;
            }),
            progress,
          ),
      },
      new Prg(bytes, 'client'),
      () => {},
    ),
    prepareOwner(plan, model.weights, dealer.owner, new Prg(bytes, 'owner'), () => {}),
  ]);
  const image = new Int32Array(plan.input.output.size);
  const deviating = { ...plan, sequence: cheat(plan.sequence) };
  const { client: learned, messages } = pump(clientRounds(deviating, client, image), ownerRounds(plan, owner));
  const own = client.share(plan.named.get('logits')!);
  const { lowest } = windowOf(plan);
  return {
    from: Array.from(learned, (value, i) => (value - 1) * 2 ** lowest + (own[i] % 2 ** lowest) + 1),
    lastMessageBytes: messages.at(-1)!.bytes.length,
  };
}

/** Reads `columns` of the head's weights, exactly. */
export async function extractHead(model: OwnerModel, columns: number) {
  const { plan } = model;
  const { lowest, bits } = windowOf(plan);
  const atOnce = weightsPerAnswer(plan);
  const unit = 2 ** (lowest > 0 ? lowest + 1 : 0);
  let queries = 0;
  const ask = async (delta: (column: number) => number) =>
    (
      await query(
        model,
        Int32Array.from({ length: plan.named.get('fc_norm')!.cols }, (_, i) => delta(i)),
        ++queries,
      )
    ).from;
  const biases = await ask(() => 0);
  const weights: number[][] = biases.map(() => []);
  for (let first = 0; first < columns; first += atOnce) {
    const count = Math.min(atOnce, columns - first);
    const isAsked = (column: number) => column >= first && column < first + count;
    const answers = await ask((column) => (isAsked(column) ? unit * 2 ** (weightBits * (column - first)) : 0));
    answers.forEach((from, row) => {
      // Two intervals of 2^lowest: the difference of what is in them is the multiple of 2·2^lowest that is nearest.
      let rest = wrap(Math.round((from - biases[row]) / unit), lowest + bits - Math.log2(unit));
      for (let j = 0; j < count; j++) {
        const digit = wrap(rest, weightBits);
        weights[row].push(digit);
        rest = (rest - digit) / 2 ** weightBits;
      }
    });
  }
  return { weights, queries };
}

/** Signed, modulo 2^bits. */
const wrap = (value: number, bits: number) => (value << (32 - bits)) >> (32 - bits);

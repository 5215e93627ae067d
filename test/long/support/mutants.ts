/**
 * Changes one place of the source at a time and runs the unit tests that are to notice: a mutant that they let live is a line
 * that no test holds. Nothing is written: the change is made while the module is loaded.
 *
 * node --import tsx test/long/support/mutants.ts [EACH] [PART] [LINE]: EACH mutants of every file (all, where it is 0), spread over the
 * file, of files whose path contains PART; of line LINE only. Prints one JSON object a line.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { createVitest, type TestModule } from 'vitest/node';

const root = path.join(import.meta.dirname, '../../..');

/** Pairing, channel and parsers, each with the files of test/unit/ that test it. */
const targets: Readonly<Record<string, readonly string[]>> = {
  'client/src/pairing/authenticate.ts': ['authenticate', 'peerLink'],
  'client/src/pairing/codeExchange.ts': ['codeExchange', 'ownerCode'],
  'client/src/pairing/cpace.ts': ['codeExchange', '../vectors/cpace'],
  'client/src/pairing/iceServers.ts': ['invite'],
  'client/src/pairing/inbox.ts': ['codeExchange', 'ownerCode'],
  'client/src/pairing/invite.ts': ['invite'],
  'client/src/pairing/ownerCode.ts': ['ownerCode'],
  'client/src/pairing/peerLink.ts': ['peerLink'],
  'client/src/pairing/roomSecrets.ts': ['ownerCode'],
  'client/src/pairing/typedCode.ts': ['codeExchange'],
  'client/src/session/bundle.ts': ['ownModel'],
  'protocols/channel/frame.ts': ['channelFramed'],
  'protocols/channel/framed.ts': ['channelFramed'],
  'protocols/channel/queueingWire.ts': ['channelWires'],
  'protocols/channel/receiveBuffer.ts': ['channelFramed'],
  'protocols/channel/splitWire.ts': ['otStream'],
  'protocols/inference/fixedPoint.ts': ['artifact'],
  'protocols/inference/handshake.ts': ['session'],
  'protocols/inference/manifest.ts': ['artifact'],
  'protocols/inference/model.ts': ['artifact'],
  'signaling-server/address.ts': ['limits'],
  'signaling-server/fairLimit.ts': ['limits'],
  'signaling-server/rateLimit.ts': ['limits'],
  'signaling-server/relay.ts': ['signaling', 'limits'],
  'signaling-server/rooms.ts': ['signaling', 'limits'],
  'signaling-server/staticFiles.ts': ['staticFiles'],
};

interface Mutant {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const otherOperator = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.EqualsEqualsEqualsToken, '!=='],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, '==='],
  [ts.SyntaxKind.LessThanToken, '<='],
  [ts.SyntaxKind.LessThanEqualsToken, '<'],
  [ts.SyntaxKind.GreaterThanToken, '>='],
  [ts.SyntaxKind.GreaterThanEqualsToken, '>'],
  [ts.SyntaxKind.AmpersandAmpersandToken, '||'],
  [ts.SyntaxKind.BarBarToken, '&&'],
  [ts.SyntaxKind.PlusToken, '-'],
  [ts.SyntaxKind.MinusToken, '+'],
]);

/** Operators exchanged, conditions never true, statements left out, negations dropped. */
function mutantsOf(source: string): Mutant[] {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true);
  const found: Mutant[] = [];
  const add = (node: ts.Node, text: string) => found.push({ from: node.getStart(file), to: node.getEnd(), text });
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node)) {
      const other = otherOperator.get(node.operatorToken.kind);
      if (other) add(node.operatorToken, other);
    }
    if (ts.isIfStatement(node)) add(node.expression, 'false');
    if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken)
      add(node, node.operand.getText(file));
    const isLeftOut =
      ts.isThrowStatement(node) || (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression));
    if (isLeftOut && !node.getText(file).startsWith('super(')) add(node, '{}');
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const [each, part, onlyLine] = [Number(process.argv[2] ?? 5), process.argv[3] ?? '', Number(process.argv[4] ?? 0)];
let mutated: { file: string; mutant: Mutant } | undefined;
const vitest = await createVitest(
  'test',
  // One failure is enough. What hangs is noticed as well.
  { root, watch: false, bail: 1, testTimeout: 30_000, maxWorkers: 1, reporters: [{}], passWithNoTests: true, retry: 0 },
  {
    plugins: [
      {
        name: 'mutant',
        enforce: 'pre',
        transform(code, id) {
          if (!mutated || id.split('?')[0] !== mutated.file) return undefined;
          const { from, to, text } = mutated.mutant;
          return code.slice(0, from) + text + code.slice(to);
        },
      },
    ],
  },
);

/** What fails; nothing where the tests pass. */
async function failuresOf(tests: readonly string[]): Promise<string[]> {
  vitest.state.clearErrors();
  const specifications = await vitest.globTestSpecifications(tests.map((name) => `test/unit/${name}.test.ts`));
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
  // Vitest's result has the modules of earlier runs too, which failed as they were meant to.
  const asked = new Set(specifications.map(({ moduleId }) => moduleId));
  const failed = testModules.filter((module: TestModule) => asked.has(module.moduleId) && !module.ok());
  const inTests = failed.flatMap((module) => [...module.children.allTests('failed')]);
  return [
    ...failed.flatMap((module) => [module.moduleId, ...module.errors().map(({ message }) => message)]),
    ...inTests.map((test) => `${test.fullName}: ${test.result().errors?.[0]?.message}`),
    ...unhandledErrors.map((error) => (error as Error).message ?? 'an unhandled error'),
  ];
}

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
for (const [name, tests] of Object.entries(targets).filter(([name]) => name.includes(part))) {
  const file = path.join(root, name);
  const source = readFileSync(file, 'utf8');
  const lineOf = ({ from }: Mutant) => source.slice(0, from).split('\n').length;
  const all = mutantsOf(source).filter((mutant) => onlyLine === 0 || lineOf(mutant) === onlyLine);
  const step = each > 0 ? Math.max(1, all.length / each) : 1;
  mutated = undefined;
  const failures = await failuresOf(tests);
  if (failures.length > 0) throw new Error(`${name}: its tests fail as it is:\n${failures.join('\n')}`);
  for (let at = 0; at < all.length; at += step) {
    const mutant = all[Math.floor(at)];
    mutated = { file, mutant };
    vitest.invalidateFile(file);
    const isKilled = (await failuresOf(tests)).length > 0;
    const was = source.slice(mutant.from, mutant.to).slice(0, 60);
    say({ name, line: lineOf(mutant), was, is: mutant.text, isKilled });
  }
  mutated = undefined;
  vitest.invalidateFile(file);
}
await vitest.close();
process.exit(0); // tests of WebRTC keep the process alive otherwise

/** The rules of who may import whom, over files given as text. */
import path from 'node:path';
import ts from 'typescript';

export interface SourceFile {
  /** From the repository's root, with slashes: `protocols/layers/gelu.ts`. */
  path: string;
  text: string;
}

/** Higher layers import lower ones, never the other way; layers of one rank do not import each other. */
const ranks: Record<string, number> = {
  channel: 0,
  kernels: 1,
  sharing: 2,
  ot: 3,
  rlwe: 3,
  layers: 4,
  offline: 4,
  inference: 5,
  index: 6,
};

/** What exists in a page only. */
const pageNames = new Set([
  'document',
  'window',
  'localStorage',
  'sessionStorage',
  'HTMLElement',
  'requestAnimationFrame',
]);

/** `protocols/` runs in Workers and in Node. */
const foreignPackages = /^(node:|socket\.io|svelte|simple-peer|vite|playwright|sharp|onnxruntime)/;

/** Where online and offline meet: types only. */
const meetingPoint = 'protocols/offline/correlations.ts';

/** What breaks the rules, in words; empty when nothing does. */
export function violations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const { imports, pageNamesUsed } = inspect(file);
    const inProtocols = file.path.startsWith('protocols/');
    const found = imports.flatMap(({ specifier, typeOnly }) => {
      if (!specifier.startsWith('.')) {
        return inProtocols && foreignPackages.test(specifier)
          ? [`${file.path}: protocols/ must not import ${specifier}`]
          : [];
      }
      const target = path.posix.join(path.posix.dirname(file.path), specifier);
      if (target.startsWith('test/') && !file.path.startsWith('test/'))
        return [`${file.path}: only tests import ${target}`];
      if (!inProtocols) return [];
      if (!target.startsWith('protocols/')) return [`${file.path}: protocols/ must not import ${target}`];
      const [from, to] = [layerOf(file.path), layerOf(target)];
      if (from === to || ranks[from]! > ranks[to]!) return [];
      if (from === 'layers' && target === meetingPoint && typeOnly) return [];
      return [`${file.path}: ${from} must not import ${to} (${target})`];
    });
    if (inProtocols && !(layerOf(file.path) in ranks)) found.push(`${file.path}: not in a layer that the rules know`);
    return inProtocols
      ? [...found, ...pageNamesUsed.map((name) => `${file.path}: protocols/ must not use ${name}`)]
      : found;
  });
}

/** `protocols/layers/gelu.ts` → `layers`; `protocols/index.ts` → `index`. */
function layerOf(filePath: string): string {
  return filePath.split('/')[1]!.replace(/\.ts$/, '');
}

function inspect({ path: filePath, text }: SourceFile) {
  // Of a Svelte component, its scripts.
  const script = filePath.endsWith('.svelte')
    ? [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1]).join('\n')
    : text;
  const source = ts.createSourceFile(filePath, script, ts.ScriptTarget.Latest, true);
  const imports: { specifier: string; typeOnly: boolean }[] = [];
  const pageNamesUsed = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      imports.push({ specifier: node.moduleSpecifier.text, typeOnly: node.importClause?.isTypeOnly ?? false });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      imports.push({ specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) imports.push({ specifier: argument.text, typeOnly: false });
    } else if (ts.isIdentifier(node) && pageNames.has(node.text) && !isPropertyName(node)) {
      pageNamesUsed.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { imports, pageNamesUsed: [...pageNamesUsed] };
}

function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    ((ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent)) &&
      parent.name === node)
  );
}

// Compiles every AssemblyScript kernel in protocols/kernels/assembly/ to a TypeScript module that holds the WASM bytes
// in base64: the same import then works in Node, in a Worker and in a bundle, without a fetch at run time.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const source = fileURLToPath(new URL('../protocols/kernels/assembly/', import.meta.url));
const target = fileURLToPath(new URL('../protocols/kernels/build/', import.meta.url));
await mkdir(target, { recursive: true });

const modifiedMs = async (path) => (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
const files = (await readdir(source)).filter((file) => file.endsWith('.ts'));
// Files that begin with _ are shared code, not entry points; a change to one rebuilds everything.
const sharedMs = Math.max(
  await modifiedMs(fileURLToPath(import.meta.url)),
  ...(await Promise.all(files.filter((file) => file.startsWith('_')).map((file) => modifiedMs(source + file)))),
);

for (const file of files.filter((name) => !name.startsWith('_'))) {
  const name = file.slice(0, -3);
  const output = `${target}${name}.ts`;
  if ((await modifiedMs(output)) > Math.max(await modifiedMs(source + file), sharedMs)) continue;
  const wasmPath = `${target}${name}.wasm`;
  const { error, stderr } = await asc.main([
    source + file, '--outFile', wasmPath, '--runtime', 'stub', '--importMemory', '--initialMemory', '1',
    '--enable', 'simd', '-O3', '--noAssert', '--converge', '--memoryBase', '1024', '--use', 'abort=',
  ]);
  if (error) {
    process.stderr.write(`${stderr.toString()}\nkernel ${name}: ${error.message}\n`);
    process.exit(1);
  }
  const base64 = (await readFile(wasmPath)).toString('base64');
  await writeFile(output, `// Built from ../assembly/${file}; do not edit.\nexport default '${base64}';\n`);
  process.stdout.write(`kernel ${name}: ${Math.round((base64.length * 3) / 4)} bytes\n`);
}

// Compiles every AssemblyScript kernel in protocols/kernels/assembly/ to a TypeScript module that holds the WASM bytes
// in base64: the same import then works in Node, in a Worker and in a bundle, without a fetch at run time.
import { mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

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
  const inputMs = Math.max(await modifiedMs(source + file), sharedMs);
  if ((await modifiedMs(output)) > inputMs) continue;
  // Loaded only when needed: the compiler alone takes longer than everything else here.
  const { default: asc } = await import('assemblyscript/asc');
  let wasm;
  const options = {
    writeFile: (path, content) => {
      if (path.endsWith('.wasm')) wasm = content;
    },
  };
  const { error, stderr } = await asc.main(
    [
      ...[source + file, '--outFile', `${name}.wasm`, '--runtime', 'stub', '--importMemory', '--initialMemory', '1'],
      ...['--enable', 'simd', '-O3', '--noAssert', '--converge', '--memoryBase', '1024', '--use', 'abort='],
    ],
    options,
  );
  if (error) {
    process.stderr.write(`${stderr.toString()}\nkernel ${name}: ${error.message}\n`);
    process.exit(1);
  }
  // Renamed into place: another build or a running test never sees half a file.
  const temporary = `${output}.${process.pid}`;
  await writeFile(
    temporary,
    `// Built from ../assembly/${file}; do not edit.\nexport default '${Buffer.from(wasm).toString('base64')}';\n`,
  );
  await rename(temporary, output);
  process.stdout.write(`kernel ${name}: ${wasm.length} bytes\n`);
}

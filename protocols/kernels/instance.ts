/** How the WASM kernels are brought up: at once, from the bytes in the bundle, in Node, Workers and pages alike. */

// The smallest module that uses SIMD: one function that returns v128.any_true(i32x4.splat(0)).
const simdProbe = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0], // magic, version
  ...[1, 5, 1, 96, 0, 1, 127], // type: () → i32
  ...[3, 2, 1, 0], // function 0 has type 0
  ...[10, 10, 1, 8, 0, 65, 0, 253, 17, 253, 83, 11], // code: i32.const 0, i32x4.splat, v128.any_true, end
);

/**
 * Whether this engine runs 128-bit SIMD in WebAssembly (Chrome 91, Firefox 89, Safari 16.4, Node 16.4 and later do).
 */
export function supportsSimd(): boolean {
  return typeof WebAssembly === 'object' && WebAssembly.validate(simdProbe);
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/**
 * Compiles and instantiates a kernel synchronously on the given memory.
 * @param base64 the module that scripts/build-kernels.mjs wrote to build/.
 * @returns the kernel's exports, typed by the caller.
 * @throws Error when the engine has no WebAssembly SIMD.
 */
export function instantiateKernel<Exports extends object>(base64: string, memory: WebAssembly.Memory): Exports {
  if (!supportsSimd()) {
    throw new Error(
      'this browser or runtime has no WebAssembly SIMD, which Blindsight needs (Chrome 91, Firefox 89, Safari 16.4 or later)',
    );
  }
  const module = new WebAssembly.Module(decodeBase64(base64));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Exports;
}

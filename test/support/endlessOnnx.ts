/**
 * An ONNX file as a stranger may send it: its `stream` is its `image`, of any size, after a Loop of 2^60 turns. 298 bytes, opset 17, made
 * with the `onnx` package: helper.make_node('Loop', ['n', 't', 'image'], ['stream'], body=...), n a constant of 2^60, t a constant true,
 * the body two Identity nodes.
 */
export const endlessOnnx = new Uint8Array(
  Buffer.from(
    [
      'CAg6nwIKKhIBbiIIQ29uc3RhbnQqGwoFdmFsdWUqDxAHOgmAgICAgICAgBBCAKABBAoiEgF0IghDb25zdGFudCoTCgV2YWx1ZSoHEAkqAQFCAKABBAqQ',
      'AQoBbgoBdAoFaW1hZ2USBnN0cmVhbSIETG9vcCpzCgRib2R5MmgKEQoBYxICY28iCElkZW50aXR5ChEKAXgSAnhvIghJZGVudGl0eRIBYloLCgFpEgYK',
      'BAgHEgBaCwoBYxIGCgQICRIAWgkKAXgSBAoCCAFiDAoCY28SBgoECAkSAGIKCgJ4bxIECgIIAaABBRIBZ1obCgVpbWFnZRISChAIARIMCgIIAQoCCAMK',
      'AAoAYhoKBnN0cmVhbRIQCg4IARIKCgIIAQoACgAKAEIECgAQEQ==',
    ].join(''),
    'base64',
  ),
);

/** The same but for the turns: one. A constant of as many bytes, so that nothing else of the file changes. */
export const oneTurnOnnx = endlessOnnx.slice();
const turns = [...Array(8).fill(0x80), 0x10];
const at = endlessOnnx.findIndex((_, i) => turns.every((byte, k) => endlessOnnx[i + k] === byte));
oneTurnOnnx.set([0x81, ...Array(7).fill(0x80), 0], at);

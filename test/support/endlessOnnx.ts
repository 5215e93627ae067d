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

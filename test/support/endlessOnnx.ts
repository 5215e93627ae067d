/**
 * An ONNX file as a stranger may send it: its `stream` is its `image` after a Loop of 2^60 turns. 292 bytes, opset 17, made with the `onnx`
 * package: helper.make_node('Loop', ['n', 't', 'image'], ['stream'], body=...), n a constant of 2^60, t a constant true, the body two
 * Identity nodes.
 */
export const endlessOnnx = new Uint8Array(
  Buffer.from(
    [
      'CAg6mQIKKxIBbiIIQ29uc3RhbnQqHAoFdmFsdWUqEBAHOgmAgICAgICAgBBCAW6gAQQKIxIBdCIIQ29uc3RhbnQqFAoFdmFsdWUqCBAJKgEBQgF0',
      'oAEECpABCgFuCgF0CgVpbWFnZRIGc3RyZWFtIgRMb29wKnMKBGJvZHkyaAoRCgFjEgJjbyIISWRlbnRpdHkKEQoBeBICeG8iCElkZW50aXR5EgFi',
      'WgsKAWkSBgoECAcSAFoLCgFjEgYKBAgJEgBaCQoBeBIECgIIAWIMCgJjbxIGCgQICRIAYgoKAnhvEgQKAggBoAEFEgFnWh8KBWltYWdlEhYKFAgB',
      'EhAKAggBCgIIAwoCCAgKAggIYg4KBnN0cmVhbRIECgIIAUIECgAQEQ==',
    ].join(''),
    'base64',
  ),
);

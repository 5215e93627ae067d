// A `Wire` over anything that carries messages whole and in order: here, what Node's processes say to each other.
export function processWire(process) {
  // What arrives before somebody reads is kept.
  const early = [];
  let read;
  process.on('message', (chunk) => (read ? read(chunk) : early.push(chunk)));
  const wire = {
    maxChunkBytes: 65_536,
    send: (chunk) =>
      new Promise((resolve, reject) => process.send(chunk, (error) => (error ? reject(error) : resolve()))),
    get onChunk() {
      return read;
    },
    set onChunk(reader) {
      read = reader;
      for (const chunk of early.splice(0)) read?.(chunk);
    },
    onClose: undefined,
    close: () => process.connected && process.disconnect(),
  };
  process.on('disconnect', () => wire.onClose?.());
  return wire;
}

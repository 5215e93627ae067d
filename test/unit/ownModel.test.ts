// An owner's own model: three files, or the exporter's one.
import { strToU8, zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { BundleError } from '../../client/src/session/bundle.ts';
import { modelFromFiles } from '../../client/src/session/models.ts';

const contents = { 'manifest.json': '{"a":1}', 'weights.json': '{"b":2}', 'weights.bin': 'bytes' };
const file = (name: string, text: string) => new File([text], name);
const texts = async (dropped: File[]) => {
  const files = (await modelFromFiles(dropped))?.files;
  return files && Promise.all([files.manifest, files.weightsIndex, files.weights].map((blob) => blob.text()));
};

test('three files, in any order, among others', async () => {
  const dropped = [...Object.entries(contents).map(([name, text]) => file(name, text)), file('card.md', '#')].reverse();
  expect(await texts(dropped)).toEqual(Object.values(contents));
});

test('one .blindsight file holds the three, stored or deflated, beside samples of the same names in folders', async () => {
  const zip = zipSync({
    'manifest.json': strToU8(contents['manifest.json']),
    'weights.json': strToU8(contents['weights.json']),
    'weights.bin': [strToU8(contents['weights.bin']), { level: 0 }],
    'samples/weights.bin': strToU8('another'),
  });
  expect(await texts([new File([zip], 'my.blindsight')])).toEqual(Object.values(contents));
});

test('what is missing, or no zip, is no model', async () => {
  expect(await texts([file('manifest.json', '{}'), file('weights.bin', '')])).toBeUndefined();
  expect(await texts([new File([zipSync({ 'manifest.json': strToU8('{}') })], 'half.blindsight')])).toBeUndefined();
  await expect(texts([file('text.blindsight', 'no zip at all')])).rejects.toThrow(new BundleError('it is no zip file'));
  await expect(texts([file('empty.blindsight', '')])).rejects.toThrow(BundleError);
});

describe('a hostile .blindsight file ends where its limit is', () => {
  const bundle = (...parts: Uint8Array[]) => new File(parts as Uint8Array<ArrayBuffer>[], 'hostile.blindsight');
  const whole = zipSync({
    'manifest.json': strToU8('{}'),
    'weights.json': strToU8('{}'),
    'weights.bin': strToU8('bytes'),
  });
  const refused = async (name: File) => {
    const startMs = performance.now();
    const error: Error = await texts([name]).then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(BundleError);
    expect(performance.now() - startMs).toBeLessThan(5000);
    return error.message;
  };

  test('of a member that unpacks to a thousand times its length, whatever length it claims', async () => {
    const bomb = zipSync({ 'manifest.json': [new Uint8Array(2 ** 23), { level: 9 }] });
    expect(bomb.length).toBeLessThan(2 ** 14);
    expect(await refused(bundle(bomb))).toContain('manifest.json is longer than 1048576 bytes');
    // Its uncompressed length in the local header and in the directory: 4 bytes at 22, and at 24 behind the directory's sign.
    const lying = bomb.slice();
    const view = new DataView(lying.buffer);
    view.setUint32(22, 2, true);
    const directory = Buffer.from(lying).indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    view.setUint32(directory + 24, 2, true);
    expect(await refused(bundle(lying))).toContain('manifest.json is longer than 1048576 bytes');
  });

  test('of one member that stands there twice, or a directory of four thousand million', async () => {
    expect(await refused(bundle(whole, whole))).toContain('manifest.json is in it twice');
    // Zip64's count of members; a reader that believes it is busy for minutes.
    const end = Buffer.alloc(56 + 20 + 22);
    end.writeUInt32LE(0x06064b50, 0);
    end.writeUInt32LE(0xffffffff, 32);
    end.writeUInt32LE(0x07064b50, 56);
    end.writeUInt32LE(0x06054b50, 76);
    end.writeUInt16LE(0xffff, 84);
    expect(await refused(bundle(end))).toBe('it is no zip file');
  });

  test('of members without end', async () => {
    const many = Array.from({ length: 1100 }, (_, i) => [`samples/${i}`, new Uint8Array(1)] as const);
    expect(await refused(bundle(zipSync(Object.fromEntries(many))))).toContain('more than 1024 files');
  });

  test('of what is cut off, or compressed in another way', async () => {
    const stored = zipSync({ 'weights.bin': [new Uint8Array(2 ** 18), { level: 0 }] });
    expect(await refused(bundle(stored.slice(0, 2 ** 17)))).not.toBe('');
    const other = whole.slice();
    new DataView(other.buffer).setUint16(8, 99, true);
    expect(await refused(bundle(other))).toContain('unknown compression type 99');
  });

  test('a name that leads elsewhere, or is a property of every object, is a file that nobody asked for', async () => {
    const names = ['../manifest.json', '/weights.bin', 'xxproto__', 'constructor', 'manifest.json/'];
    const zip = zipSync(Object.fromEntries(names.map((name) => [name, strToU8('x')])));
    const odd = Buffer.from(Buffer.from(zip).toString('latin1').replaceAll('xxproto__', '__proto__'), 'latin1');
    expect(await texts([bundle(odd)])).toBeUndefined();
    expect(await texts([bundle(odd, whole)])).toEqual(['{}', '{}', 'bytes']);
  });
});

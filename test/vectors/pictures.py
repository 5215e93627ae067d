"""Writes pictures/ and pictures.json: odd picture files, and the pixels that the tab, Node and the exporter have to see in them.

    python test/vectors/pictures.py        (needs Pillow and NumPy)

What is expected comes from the picture before it was encoded, or, where encoding loses something, from the file as Pillow decodes it;
colour is converted here by the definition of the profile (IEC 61966-2-1, SMPTE EG 432-1), not by a colour engine.
Each case: `file`; `rgb`, the shorter side's 20 pixels squared, base64; or `problem`, why it is refused.
`metadataBytes`: so much is to be inserted after a JPEG's first marker before it is read.
"""
import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, SIDE = 26, 20, 20
FOLDER = Path(__file__).with_suffix('')
Array = np.ndarray

# -- The picture: smooth, colourful, unlike its own mirror images ---------------------------------------------------------------------


def picture(width: int = WIDTH, height: int = HEIGHT) -> Array:
    """RGB uint8 (height, width, 3)."""
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing='ij')
    rgb = np.stack([230 * x + 10, 200 * y + 30, 120 + 100 * np.sin(5 * (x + y * y))], -1)
    return np.round(rgb).astype(np.uint8)


RGB = picture()
GREY = RGB.mean(-1).astype(np.uint8)
ALPHA = np.round(np.linspace(0, 255, WIDTH)[None, :].repeat(HEIGHT, 0)).astype(np.uint8)


def on_white(rgb: Array, alpha: Array) -> Array:
    a = alpha[..., None] / 255
    return np.round(rgb * a + 255 * (1 - a)).astype(np.uint8)


def grey(values: Array) -> Array:
    return values[..., None].repeat(3, -1)


# -- PNG: Pillow writes neither 16-bit colour nor interlaced files --------------------------------------------------------------------


def png(samples: Array, colour_type: int, depth: int, chunks: list[tuple[bytes, bytes]] = (), interlaced: bool = False) -> bytes:
    """`samples`: (height, width, channels), unsigned, of `depth` bits."""
    height, width, _ = samples.shape
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    lines = b''
    for x0, y0, dx, dy in passes:
        part = samples[y0::dy, x0::dx]
        for line in part if part.shape[1] else ():
            if depth < 8:
                packed = np.packbits(((line[:, 0, None] >> np.arange(depth)[::-1]) & 1).astype(np.uint8).ravel()).tobytes()
            else:
                packed = line.astype('>u2' if depth == 16 else np.uint8).tobytes()
            lines += b'\0' + packed
    header = struct.pack('>IIBBBBB', width, height, depth, colour_type, 0, 0, int(interlaced))
    parts = [(b'IHDR', header), *chunks, (b'IDAT', zlib.compress(lines, 9)), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(struct.pack('>I', len(d)) + t + d + struct.pack('>I', zlib.crc32(t + d)) for t, d in parts)


# -- Colour profiles: matrix and curve, ICC version 2 ---------------------------------------------------------------------------------

XYZ_FROM_SRGB = np.array([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]])  # D50
XYZ_FROM_P3 = np.array([[0.5151187, 0.2919778, 0.1571035], [0.2411892, 0.6922441, 0.0665668], [-0.0010505, 0.0418791, 0.7840713]])  # D50


def profile(matrix: Array, gamma: float) -> bytes:
    def s15(x: float) -> bytes:
        return struct.pack('>i', round(x * 65536))

    def xyz(v) -> bytes:
        return b'XYZ \0\0\0\0' + b''.join(s15(x) for x in v)

    text = b'test\0'
    curve = b'curv\0\0\0\0' + struct.pack('>IH', 1, round(gamma * 256)) + b'\0\0'
    description = b'desc\0\0\0\0' + struct.pack('>I', len(text)) + text + b'\0' * (78 + 3 - 3)
    tags = {
        b'desc': description + b'\0' * (-len(description) % 4), b'cprt': b'text\0\0\0\0' + b'none\0\0\0\0', b'wtpt': xyz((0.9642, 1, 0.8249)),
        b'rXYZ': xyz(matrix[:, 0]), b'gXYZ': xyz(matrix[:, 1]), b'bXYZ': xyz(matrix[:, 2]), b'rTRC': curve, b'gTRC': curve, b'bTRC': curve,
    }  # fmt: skip
    offset, table, data = 128 + 4 + 12 * len(tags), b'', b''
    for tag, content in tags.items():
        table += tag + struct.pack('>II', offset + len(data), len(content))
        data += content
    header = struct.pack('>I4sI4s4s4s', offset + len(data), b'\0\0\0\0', 0x02100000, b'mntr', b'RGB ', b'XYZ ')
    header += struct.pack('>6H', 2026, 1, 1, 0, 0, 0) + b'acsp' + b'\0' * 28 + s15(0.9642) + s15(1) + s15(0.8249) + b'\0' * 48
    return header + struct.pack('>I', len(tags)) + table + data


def to_srgb(rgb: Array, matrix: Array, gamma: float) -> Array:
    linear = np.linalg.inv(XYZ_FROM_SRGB) @ matrix @ ((rgb.reshape(-1, 3) / 255) ** gamma).T
    linear = linear.T.clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8).reshape(rgb.shape)


P3 = profile(XYZ_FROM_P3, 2.2)
# Within the smaller gamut: what is outside is cut off differently everywhere, and says nothing of the conversion.
MUTED = (RGB.astype(int) // 2 + 60).astype(np.uint8)

# -- The files -------------------------------------------------------------------------------------------------------------------------


def save(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpeg(pixels: Array, mode: str = 'RGB', **options) -> bytes:
    return save(Image.fromarray(pixels).convert(mode), 'JPEG', **{'quality': 95, 'subsampling': 0, **options})


def decoded(file: bytes) -> Array:
    """By Pillow, which has to apply neither profile nor orientation here."""
    return np.asarray(Image.open(io.BytesIO(file)).convert('RGB'))


def oriented(orientation: int) -> tuple[bytes, Array]:
    """A file that is turned back by its orientation, and what is then seen (Exif 2.32, table 6)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = jpeg(RGB, exif=exif)
    seen = {3: lambda a: a[::-1, ::-1], 5: lambda a: a.swapaxes(0, 1), 6: lambda a: a.swapaxes(0, 1)[:, ::-1], 8: lambda a: a.swapaxes(0, 1)[::-1]}
    return file, seen[orientation](decoded(file))


def cmyk() -> tuple[bytes, Array]:
    """Without a profile: each ink takes its part of the light away."""
    rng = np.stack([255 - RGB[..., 0], 255 - RGB[..., 1], 255 - RGB[..., 2], RGB[..., 0] // 4], -1)
    file = save(Image.frombytes('CMYK', (WIDTH, HEIGHT), rng.tobytes()), 'JPEG', quality=100)
    inks = np.asarray(Image.open(io.BytesIO(file))).astype(float)
    return file, np.round((255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255).astype(np.uint8)


def samsung() -> tuple[bytes, Array]:
    """Some cameras write 0 for the last coefficient of a baseline scan, which has all 63 (ITU-T T.81, table B.3)."""
    file = bytearray(jpeg(RGB))
    scan = file.index(b'\xff\xda')
    last = scan + 2 + struct.unpack('>H', file[scan + 2 : scan + 4])[0] - 2
    assert file[last] == 63
    file[last] = 0
    return bytes(file), decoded(jpeg(RGB))


def palette(transparent: bool = False) -> Image.Image:
    image = Image.fromarray(RGB).quantize(32)
    if transparent:
        image.info['transparency'] = image.getpixel((0, 0))
    return image


def palette_on_white() -> Array:
    image = palette()
    indices = np.asarray(image)
    return np.where((indices == image.getpixel((0, 0)))[..., None], 255, np.asarray(image.convert('RGB'))).astype(np.uint8)


def seen_files() -> dict[str, tuple[bytes, Array]]:
    wide = picture(4000, 20)
    deep = np.round(RGB.astype(float) * 257).astype(np.uint16)
    frames = [Image.fromarray(RGB).quantize(64), Image.fromarray(255 - RGB).quantize(64)]
    files = {
        'rgb.png': (save(Image.fromarray(RGB), 'PNG'), RGB),
        'interlaced.png': (png(RGB, 2, 8, interlaced=True), RGB),
        'alpha.png': (png(np.dstack([RGB, ALPHA]), 6, 8), on_white(RGB, ALPHA)),
        'grey.png': (png(GREY[..., None], 0, 8), grey(GREY)),
        'grey-alpha.png': (png(np.dstack([GREY, ALPHA]), 4, 8), on_white(grey(GREY), ALPHA)),
        'grey-16.png': (png(np.round(GREY[..., None] * 257.0).astype(np.uint16), 0, 16), grey(GREY)),
        'grey-alpha-16.png': (png(np.dstack([GREY * np.uint16(257), ALPHA * np.uint16(257)]), 4, 16), on_white(grey(GREY), ALPHA)),
        'rgb-16.png': (png(deep, 2, 16), RGB),
        'alpha-16.png': (png(np.dstack([deep, ALPHA * np.uint16(257)]), 6, 16), on_white(RGB, ALPHA)),
        'bits.png': (png((GREY[..., None] > 130).astype(np.uint8), 0, 1), grey(np.where(GREY > 130, 255, 0).astype(np.uint8))),
        'grey-2.png': (png(GREY[..., None] >> 6, 0, 2), grey((GREY >> 6) * np.uint8(85))),
        'palette.png': (save(palette(), 'PNG'), np.asarray(palette().convert('RGB'))),
        'palette-transparent.png': (save(palette(), 'PNG', transparency=palette().getpixel((0, 0))), palette_on_white()),
        'key-transparent.png': (png(GREY[..., None], 0, 8, [(b'tRNS', struct.pack('>H', int(GREY[9, 9])))]), np.where((GREY == GREY[9, 9])[..., None], 255, grey(GREY)).astype(np.uint8)),
        'gamma.png': (png(RGB, 2, 8, [(b'gAMA', struct.pack('>I', 45455))]), RGB),
        'display-p3.png': (png(MUTED, 2, 8, [(b'iCCP', b'p3\0\0' + zlib.compress(P3))]), to_srgb(MUTED, XYZ_FROM_P3, 2.2)),
        'display-p3-alpha.png': (png(np.dstack([MUTED, ALPHA]), 6, 8, [(b'iCCP', b'p3\0\0' + zlib.compress(P3))]), on_white(to_srgb(MUTED, XYZ_FROM_P3, 2.2), ALPHA)),
        'linear.png': (png(MUTED, 2, 8, [(b'iCCP', b'lin\0\0' + zlib.compress(profile(XYZ_FROM_SRGB, 1)))]), to_srgb(MUTED, XYZ_FROM_SRGB, 1)),
        'one-pixel.png': (png(RGB[:1, :1], 2, 8), RGB[:1, :1]),
        'panorama.png': (png(wide, 2, 8), wide),
        'column.png': (png(wide.swapaxes(0, 1), 2, 8), wide.swapaxes(0, 1)),
        'cmyk.jpg': cmyk(),
        'samsung.jpg': samsung(),
        'still.gif': (save(palette(), 'GIF'), np.asarray(palette().convert('RGB'))),
        'transparent.gif': (save(palette(), 'GIF', transparency=palette().getpixel((0, 0))), palette_on_white()),
        'animated.gif': (save(frames[0], 'GIF', save_all=True, append_images=frames[1:], duration=200), np.asarray(frames[0].convert('RGB'))),
        'lossless.webp': (save(Image.fromarray(RGB), 'WEBP', lossless=True), RGB),
        'alpha.webp': (save(Image.fromarray(np.dstack([RGB, ALPHA])), 'WEBP', lossless=True, exact=True), on_white(RGB, ALPHA)),
        'animated.webp': (save(Image.fromarray(RGB), 'WEBP', save_all=True, append_images=[Image.fromarray(255 - RGB)], lossless=True, duration=200), RGB),
    }  # fmt: skip
    p3 = jpeg(MUTED, icc_profile=P3)
    files['display-p3.jpg'] = (p3, to_srgb(decoded(p3), XYZ_FROM_P3, 2.2))
    for orientation in (3, 5, 6, 8):
        files[f'turned-{orientation}.jpg'] = oriented(orientation)
    lossy = {
        'full-colour.jpg': jpeg(RGB), 'half-colour.jpg': jpeg(RGB, subsampling=2), 'progressive.jpg': jpeg(RGB, progressive=True), 'grey.jpg': jpeg(RGB, 'L'),
        'lossy.webp': save(Image.fromarray(RGB), 'WEBP', quality=90),
    }  # fmt: skip
    return files | {name: (file, decoded(file)) for name, file in lossy.items()}


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack('>I', 8 + len(content)) + kind + content


def heif(brand: bytes) -> bytes:
    """What tells the format and the size, without a picture (ISO/IEC 23008-12)."""
    size = box(b'ispe', struct.pack('>III', 0, WIDTH, HEIGHT))
    return box(b'ftyp', brand + b'\0\0\0\0mif1' + brand) + box(b'meta', b'\0\0\0\0' + box(b'iprp', box(b'ipco', size)))


def refused_files() -> dict[str, tuple[bytes, str]]:
    whole = jpeg(RGB)
    return {
        'drawing.svg': (b'<svg xmlns="http://www.w3.org/2000/svg" width="26" height="20"><rect width="26" height="20" fill="red"/></svg>', 'svg'),
        'prologue.svg': (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 26 20"><path d="M0 0h26v20z"/></svg>', 'svg'),
        'unsized.svg': (b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>', 'svg'),
        'telephone.heic': (heif(b'heic'), 'heic'),
        'cut.heic': (box(b'ftyp', b'heic\0\0\0\0mif1heic') + box(b'meta', b'\0' * 64), 'heic'),
        'photo.avif': (save(Image.fromarray(RGB), 'AVIF', quality=90), 'avif'),
        'scan.tif': (save(Image.fromarray(RGB), 'TIFF'), 'tiff'),
        'paint.bmp': (save(Image.fromarray(RGB), 'BMP'), 'other-format'),
        'text.jpg': (b'No picture at all, whatever its name says.\n', 'not-an-image'),
        'empty.png': (b'', 'not-an-image'),
        'cut.jpg': (whole[: len(whole) * 2 // 3], 'damaged'),
        'cut.png': (png(RGB, 2, 8)[:300], 'damaged'),
        'cut.gif': (save(palette(), 'GIF')[:350], 'damaged'),
        'cut.webp': (save(Image.fromarray(RGB), 'WEBP', quality=90)[:180], 'damaged'),
        'huge.png': (png(RGB, 2, 8).replace(struct.pack('>II', WIDTH, HEIGHT), struct.pack('>II', 20_000, 20_000), 1), 'too-large'),
    }  # fmt: skip


def seen(rgb: Array) -> str:
    """The shorter side to SIDE, Pillow's BILINEAR, then the centre."""
    height, width, _ = rgb.shape
    shorter = min(width, height)
    size = (width * SIDE // shorter, height * SIDE // shorter)
    small = Image.fromarray(np.ascontiguousarray(rgb)).resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - SIDE + 1) // 2, (size[1] - SIDE + 1) // 2
    return base64.b64encode(np.asarray(small.crop((left, top, left + SIDE, top + SIDE))).tobytes()).decode()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    cases = []
    for name, (file, rgb) in seen_files().items():
        (FOLDER / name).write_bytes(file)
        cases.append({'file': name, 'rgb': seen(rgb)})
    plain = next(case for case in cases if case['file'] == 'full-colour.jpg')
    cases.append(plain | {'metadataBytes': 2_000_000})
    cases.append({'file': 'full-colour.jpg', 'metadataBytes': 18_000_000, 'problem': 'metadata'})
    for name, (file, problem) in refused_files().items():
        (FOLDER / name).write_bytes(file)
        cases.append({'file': name, 'problem': problem})
    FOLDER.with_suffix('.json').write_text(json.dumps({'side': SIDE, 'cases': cases}, indent=1) + '\n')


if __name__ == '__main__':
    main()

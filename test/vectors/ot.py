"""Writes ot.json: what the hash, trees, code and products of OT extension give, computed here from the papers alone.

python3 test/vectors/ot.py > test/vectors/ot.json
"""
import json
import random
import struct
from functools import reduce

WORD = 0xFFFFFFFF


def chacha8_block(key, counter, nonce):
    """RFC 8439, section 2.3, with 8 rounds."""
    initial = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    state = initial[:]

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & WORD
            state[z] ^= state[x]
            state[z] = ((state[z] << turn) | (state[z] >> (32 - turn))) & WORD

    for _ in range(4):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((x + y) & WORD for x, y in zip(state, initial)))


def keystream(key, nonce, length):
    return b"".join(chacha8_block(key, i, nonce) for i in range(-(-length // 64)))[:length]


def hash_(label, block, low, high, column, length=16):
    tag = f"bs/{label}".encode().ljust(16, b"\0")
    assert len(tag) == 16
    return keystream(block + tag, struct.pack("<3I", low, high, column), length)


def xor(*blocks):
    return bytes(reduce(lambda x, y: x ^ y, column) for column in zip(*blocks))


def tree(label, depth, root, delta, low, high, clear):
    """Half-Tree, Figure 3: left child H(parent), right child parent + left child."""
    nodes, sums = [root, xor(root, delta)], []
    for level in range(2, depth + 1):
        left = [hash_(label, node, low, high, level) for node in nodes]
        right = [xor(node, child) for node, child in zip(nodes, left)]
        if clear and level == depth:
            left, right = ([bytes([x[0] & 0xFE]) + x[1:] for x in side] for side in (left, right))
        sums.append(xor(*left))
        nodes = left + right
    return nodes, sums


def product(keys, delta, factor, bits, flips, low, high):
    """Gilboa, section 4.1, with correlated OTs; sender's share and messages."""
    share, messages = 0, []
    for b, key in enumerate(keys):
        zero, one = (int.from_bytes(hash_("output", k, low + b, high, 0)[:4], "little") for k in (key, xor(key, delta)))
        if flips[b]:
            zero, one = one, zero
        share -= zero << b
        messages.append((zero + factor - one) % (1 << (bits - b)))
    return share % (1 << bits), messages


draw = random.Random(9)
block = lambda: bytes(draw.randrange(256) for _ in range(16))
odd = lambda x: bytes([x[0] | 1]) + x[1:]
out = {"hashes": [], "trees": [], "codes": [], "products": []}
for label in ("tree", "output", "message", "base tree", "base vector", "vole tree", "vole vector"):
    x, low, high, column = block(), draw.randrange(2**32), draw.randrange(2**32), draw.randrange(2**32)
    out["hashes"].append({"label": label, "input": x.hex(), "low": low, "high": high, "column": column, "output": hash_(label, x, low, high, column).hex()})
for depth, clear in ((2, True), (5, True), (4, False)):
    root, delta, low, high = block(), odd(block()), draw.randrange(2**32), draw.randrange(2**32)
    leaves, sums = tree("tree" if clear else "vole tree", depth, root, delta, low, high, clear)
    out["trees"].append({"depth": depth, "clear": clear, "root": root.hex(), "delta": delta.hex(), "low": low, "high": high,
                         "leaves": b"".join(leaves).hex(), "sums": b"".join(sums).hex()})
seed, low, high = block() + block(), 1519, 3
words = struct.unpack("<320I", keystream(seed, struct.pack("<3I", low, high, 0), 1280))
out["codes"].append({"seed": seed.hex(), "low": low, "high": high, "logSecret": 10, "places": [(word >> 4) % 1024 for word in words]})
for bits in (1, 13, 27, 32):
    keys, delta = [block() for _ in range(bits)], odd(block())
    factor, flips = draw.randrange(2**32), [draw.randrange(2) for _ in range(bits)]
    low, high = draw.randrange(2**31), draw.randrange(2**32)
    share, messages = product(keys, delta, factor, bits, flips, low, high)
    out["products"].append({"bits": bits, "keys": b"".join(keys).hex(), "delta": delta.hex(), "factor": factor, "flips": flips,
                            "low": low, "high": high, "share": share, "messages": messages})
print(json.dumps(out, indent=1))

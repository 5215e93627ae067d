"""Writes rlwe.json: known answers for protocols/rlwe/, computed here from the definitions, without any of its code.

    python test/vectors/rlwe.py > test/vectors/rlwe.json

Randomness is a counter through murmur3's finaliser, which rlwe.test.ts draws too. Polynomials are multiplied as integers (Kronecker
substitution), transforms are evaluations point by point.
"""

import hashlib
import json

N, PRIMES, DIGITS = 2048, (134176769, 134111233), 3
Q = PRIMES[0] * PRIMES[1]


class Random:
    def __init__(self, seed):
        self.counter = seed << 24

    def words(self, count):
        out = []
        for _ in range(count):
            h = self.counter & 0xFFFFFFFF
            self.counter += 1
            for multiplier, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
                h = ((h ^ (h >> shift)) * multiplier) & 0xFFFFFFFF
            out.append(h ^ (h >> 16))
        return out

    def bytes(self, count):
        return b"".join(w.to_bytes(4, "little") for w in self.words(-(-count // 4)))[:count]


def ternary(random, count):
    out = []
    while len(out) < count:
        for byte in random.bytes(-(-(count - len(out)) // 3) + 8):
            for shift in (0, 2, 4, 6):
                if (byte >> shift) & 3 != 3 and len(out) < count:
                    out.append(((byte >> shift) & 3) - 1)
    return out


def error(random):
    words = random.words(2 * N)
    weight = lambda w: bin(w & 0x1FFFFF).count("1")
    return [weight(words[2 * i]) - weight(words[2 * i + 1]) for i in range(N)]


def uniform(random, p):
    out, mask = [], (1 << (p - 1).bit_length()) - 1
    while len(out) < N:
        out += [w & mask for w in random.words(N - len(out)) if w & mask < p]
    return out


def order():
    """Which odd power of psi stands at each place: bit-reversed, with each octet's entries in the order 0 4 2 6 1 5 3 7."""
    bits = N.bit_length() - 1
    reverse = lambda i: int(format(i, f"0{bits}b")[::-1], 2)
    return [2 * reverse(8 * octet + i) + 1 for octet in range(N // 8) for i in (0, 4, 2, 6, 1, 5, 3, 7)]


ORDER = order()


def root(p):
    candidate = 2
    while pow(candidate, (p - 1) // 2, p) != p - 1:
        candidate += 1
    return pow(candidate, (p - 1) // (2 * N), p)


def powers(p):
    psi, out = root(p), [1]
    while len(out) < 2 * N:
        out.append(out[-1] * psi % p)
    return out


def transform(f, p):
    """f(psi^e) at each place, by halving: f(x) = even(x^2) + x*odd(x^2)."""
    table = powers(p)

    def values(coefficients, step):
        # At psi^(step*(2i+1)) for i < len: the odd powers of psi^step.
        n = len(coefficients)
        if n == 1:
            return [coefficients[0] % p]
        even, odd = values(coefficients[0::2], 2 * step), values(coefficients[1::2], 2 * step)
        return [(even[i % (n // 2)] + table[step * (2 * i + 1) % (2 * N)] * odd[i % (n // 2)]) % p for i in range(n)]

    at = values(f, 1)
    return [at[(e - 1) // 2] for e in ORDER]


def inverse_transform(values, p):
    """Coefficient j is n^-1 * sum of f(psi^e) * psi^(-e*j): a transform of the values by the inverse root, untwisted."""
    table = powers(p)
    at = [0] * N
    for place, e in enumerate(ORDER):
        at[(e - 1) // 2] = values[place]

    def dft(x, step):
        n = len(x)
        if n == 1:
            return x
        even, odd = dft(x[0::2], 2 * step), dft(x[1::2], 2 * step)
        return [(even[i % (n // 2)] + table[-2 * step * i % (2 * N)] * odd[i % (n // 2)]) % p for i in range(n)]

    scale = pow(N, -1, p)
    return [x * table[-j % (2 * N)] * scale % p for j, x in enumerate(dft(at, 1))]


def multiply(x, y, modulus):
    """x*y mod X^n + 1 of signed or unsigned integers, as centred integers when modulus is None."""
    width = 160
    pack = lambda f: sum(c << (width * i) for i, c in enumerate(f))
    product, out = pack(x) * pack(y), []
    for _ in range(2 * N):
        low = product & ((1 << width) - 1)
        if low >> (width - 1):
            low -= 1 << width
        out.append(low)
        product = (product - low) >> width
    folded = [out[i] - out[i + N] for i in range(N)]
    return folded if modulus is None else [c % modulus for c in folded]


def crt(residues):
    p1, p2 = PRIMES
    return [(a + p1 * ((b - a) * pow(p1, -1, p2) % p2)) for a, b in zip(*residues)]


def wire(values, bits):
    return sum(v << (bits * i) for i, v in enumerate(values)).to_bytes(-(-len(values) * bits // 8), "little")


def encrypt(s, message, shared, random):
    """b = a*s + e + message, transformed, packed; a is drawn transformed."""
    e, bits = error(random), 27
    masks = [uniform(shared, p) for p in PRIMES]
    a = crt([inverse_transform(mask, p) for mask, p in zip(masks, PRIMES)])
    b = [(x + y + m) % Q for x, y, m in zip(multiply(a, s, Q), e, message)]
    return b"".join(wire(transform([c % p for c in b], p), bits) for p in PRIMES), b, a


def encode(words, bits):
    return [(2 * Q * (w % (1 << bits)) + (1 << bits)) // (2 << bits) for w in words]


def switch(f, bits):
    return [((2 * c << bits) + Q) // (2 * Q) % (1 << bits) for c in f]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def main():
    client, shared, owner = Random(1), Random(2), Random(3)
    s = ternary(client, N)
    public_bytes, public_b, public_a = encrypt(s, [0] * N, shared, client)
    g = 1 + 2 * N // 32
    image = [0] * N
    for i, c in enumerate(s):
        to = i * g % (2 * N)
        image[to % N] = -c if to < N else c
    key = b""
    for i, p in enumerate(PRIMES):
        other = Q // p
        unit = other * pow(other, -1, p)
        for k in range(DIGITS):
            key += encrypt(s, [c * unit * 2 ** (9 * k) for c in image], shared, client)[0]
    message_bits, answer_bits = 22, 31
    words = Random(4).words(N)
    ciphertext, b, a = encrypt(s, encode(words, message_bits), shared, client)
    # One answer: times a short plaintext, plus an encryption of zero, switched to 2^31; a number is drawn for every 16th coefficient.
    plaintext = [w % 8191 - 4095 for w in Random(5).words(16)] + [0] * (N - 16)
    u = ternary(owner, N)
    answer_b = [(x + y) % Q for x, y in zip(multiply(b, plaintext, Q), multiply(public_b, u, Q))]
    e = error(owner)
    answer_a = [(x + y + z) % Q for x, y, z in zip(multiply(a, plaintext, Q), multiply(public_a, u, Q), e)]
    drawn = Random(6).words(2 * (N // 16))
    drawn = [(drawn[2 * i] | drawn[2 * i + 1] << 32) % (1 << answer_bits) for i in range(N // 16)]
    switched_a, switched_b = switch(answer_a, answer_bits), switch(answer_b, answer_bits)
    product = multiply(switched_a, s, None)
    opened = [(x - product[16 * i]) % (1 << answer_bits) for i, x in enumerate(drawn)]
    kept = [(switched_b[16 * i] - x) % (1 << answer_bits) for i, x in enumerate(drawn)]
    rounded = lambda x: ((x + (1 << (answer_bits - message_bits - 1))) >> (answer_bits - message_bits)) % (1 << message_bits)
    print(json.dumps([{
        "parameters": "n2048q54", "exponent": g, "messageBits": message_bits, "answerBits": answer_bits,
        "publicKey": sha256(public_bytes), "automorphismKey": sha256(key), "ciphertext": sha256(ciphertext), "answer": sha256(wire(switched_a, answer_bits)),
        "clientShares": [rounded(x) for x in opened[:8]], "ownerShares": [rounded(x) for x in kept[:8]],
        "results": [multiply([w % (1 << message_bits) for w in words], plaintext, 1 << message_bits)[16 * i] for i in range(8)],
    }], indent=1))


main()

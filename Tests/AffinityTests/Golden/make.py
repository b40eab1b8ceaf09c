"""Writes fingerprints.csv, backends.csv and placement.csv: a second implementation of the hashing that every replica
must agree on, with Python's big integers and decimal logarithms. Run: python3 make.py"""

import csv
import functools
import random
from decimal import Decimal, getcontext

getcontext().prec = 60
MASK = (1 << 64) - 1
KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
TAGS = {"header": 1, "query": 2, "cookie": 3, "appCookie": 4, "clientAddress": 5}


def rotate(x, n):
    return ((x << n) | (x >> (64 - n))) & MASK


def siphash(data, key=KEY):
    v = [key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D ^ 0xEE,
         key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573]

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK; v[1] = rotate(v[1], 13) ^ v[0]; v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK; v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK; v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK; v[1] = rotate(v[1], 17) ^ v[2]; v[2] = rotate(v[2], 32)

    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 255])
    for i in range(0, len(padded), 8):
        m = int.from_bytes(padded[i:i + 8], "little")
        v[3] ^= m; rounds(2); v[0] ^= m
    v[2] ^= 0xEE; rounds(4); first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD; rounds(4); second = v[0] ^ v[1] ^ v[2] ^ v[3]
    return first, second


def word(n):
    return n.to_bytes(8, "little")


def prefixed(text):
    return word(len(text)) + text + b"\0" * (-len(text) % 8)


def fingerprint(service, source, name, key):
    name = name.lower() if source == "header" else name
    return siphash(prefixed(service.encode()) + word(TAGS[source]) + prefixed(name.encode()) + word(len(key)) + key)


@functools.cache
def backend(name):
    first, seed = siphash(word(MASK) + prefixed(name.encode()))
    return (first >> 35) or 1, seed


def mix(x):
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK
    return x ^ x >> 31


TABLE = [int((Decimal(256 + i) / 256).ln() / Decimal(2).ln() * 2**32) for i in range(256)] + [1 << 32]


def log2(u):
    if u == 0:
        return 0
    exponent = u.bit_length() - 1
    fraction = (u << (63 - exponent)) - (1 << 63)
    index, between = fraction >> 55, (fraction >> 23) & 0xFFFFFFFF
    return (exponent << 32) + TABLE[index] + ((TABLE[index + 1] - TABLE[index]) * between >> 32)


def order(low, members):
    def before(a, b):
        (wa, da, la, sa), (wb, db, lb, sb) = a[1], b[1]
        if (wa == 0) != (wb == 0):
            return -1 if wb == 0 else 1
        left, right = (la * wb, -da, sa), (lb * wa, -db, sb)
        return -1 if left < right else 1

    scored = []
    for i, (name, weight) in enumerate(members):
        seed = backend(name)[1]
        draw = mix(low ^ seed)
        scored.append((i, (weight, draw, (64 << 32) - log2(draw), seed)))
    return [i for i, _ in sorted(scored, key=functools.cmp_to_key(before))]


def main():
    lots = random.Random(20240607)
    with open("backends.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["name", "hash", "seed"])
        for name in ["", "a", "web-1", "web-2", "http://10.0.0.1:8081", "http://10.0.0.1:8082", "bücher", "x" * 300]:
            out.writerow([name, backend(name)[0], f"{backend(name)[1]:016x}"])
    with open("fingerprints.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["service", "source", "name", "key in hex", "high", "low"])
        for source, name in [("header", "X-Session-ID"), ("query", "sid"), ("cookie", ""), ("appCookie", "JSESSIONID"),
                             ("clientAddress", "")]:
            for length in [0, 1, 7, 8, 9, 16, 36, 200, 300]:
                key = lots.randbytes(length)
                high, low = fingerprint("shop", source, name, key)
                out.writerow(["shop", source, name, key.hex(), f"{high:016x}", f"{low:016x}"])
    with open("placement.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["low", "backends as name=weight", "order"])
        urls = [f"http://10.0.0.1:{8081 + i}" for i in range(5)]
        groups = [[(n, 1) for n in urls], list(zip(urls, [4, 2, 1, 1, 1])), list(zip(urls, [0, 65535, 1, 0, 300])),
                  [(f"web-{i}", 1 + i * 37 % 11) for i in range(40)], [("only", 7)]]
        for members in groups:
            for low in [0, MASK, 1, 1 << 63] + [lots.getrandbits(64) for _ in range(40)]:
                listed = ";".join(f"{n}={w}" for n, w in members)
                out.writerow([f"{low:016x}", listed, ";".join(map(str, order(low, members)))])
        # A draw of 0, the end of the scale: the fingerprint that meets the first backend's seed.
        out.writerow([f"{backend('a')[1]:016x}", "a=1;b=3", ";".join(map(str, order(backend("a")[1], [("a", 1), ("b", 3)])))])


main()

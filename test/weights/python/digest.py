"""The digest of files of weights by docs/WEIGHTS.md, from nothing but hashlib: digest.py FILE..."""

import sys
from hashlib import sha3_256

LEAF = 1 << 20


def number(value):
    digits = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return bytes([len(digits)]) + digits


def frame(text):
    return number(8 * len(text)) + text


def root(content):
    level = [sha3_256(b"\0" + content[at : at + LEAF]).digest() for at in range(0, len(content), LEAF)]
    while len(level) > 1:
        pairs = [sha3_256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def digest(paths):
    message = frame(b"zerohop weights 1") + number(len(paths))
    for path in sorted(paths):
        with open(path, "rb") as file:
            content = file.read()
        message += number(len(content)) + root(content)
    return sha3_256(message).hexdigest()


print(digest(sys.argv[1:]))

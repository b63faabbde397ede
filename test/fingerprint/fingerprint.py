"""Fingerprints by docs/FINGERPRINT.md, from nothing but hashlib: run against vectors.json.

A second implementation, written from the specification; prints the names of vectors that come out otherwise.
"""

import hashlib
import json
import struct
import sys
import unicodedata

RATE = 136
ELEMENTS = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
}
# Code of an element, bits of infinity, and the one NaN.
NANS = {
    "float64": ("<Q", 0x7FF0000000000000, 0x7FF8000000000000),
    "float32": ("<I", 0x7F800000, 0x7FC00000),
    "float16": ("<H", 0x7C00, 0x7E00),
    "bfloat16": ("<H", 0x7F80, 0x7FC0),
}


def left_encode(number):
    digits = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")
    return bytes([len(digits)]) + digits


def string(content):
    return left_encode(8 * len(content)) + content


def bytepad(content):
    padded = left_encode(RATE) + content
    return padded + b"\0" * (-len(padded) % RATE)


def unified(dtype, data):
    if dtype not in NANS:
        return data
    code, infinity, nan = NANS[dtype]
    size = ELEMENTS[dtype]
    without_sign = (1 << (8 * size - 1)) - 1
    words = (word for (word,) in struct.iter_unpack(code, data))
    return b"".join(struct.pack(code, nan if word & without_sign > infinity else word) for word in words)


def number(value):
    """A finite number as ECMAScript writes it."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(float(value))).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return sign + digits[0] + ("." + digits[1:] if count > 1 else "") + power


class Rules:
    def __init__(self, normalization, exclude):
        self.normalization = normalization
        self.exclude = exclude

    def text(self, text):
        return unicodedata.normalize(self.normalization, text) if self.normalization else text

    def form(self, kind, of):
        """A value of the description in vectors.json as what canonical JSON is made of."""
        if kind == "json":
            return self.plain(of)
        if kind == "text":
            return self.text(of)
        if kind == "undefined":
            return {"$undefined": True}
        if kind in ("number", "bigint", "date"):
            return {f"${kind}": of}
        if kind == "bytes":
            return {"$bytes": hashlib.sha3_256(bytes.fromhex(of)).hexdigest()}
        if kind == "tensor":
            data = unified(of["dtype"], bytes.fromhex(of["hex"]))
            return {"$tensor": [of["dtype"], of["shape"], hashlib.sha3_256(data).hexdigest()]}
        if kind == "list":
            return [self.form(*only(each)) for each in of]
        if kind == "set":
            return {"$set": [self.form(*only(each)) for each in of]}
        if kind == "map":
            return {"$map": [[self.form(*only(key)), self.form(*only(each))] for key, each in of]}
        if kind == "object":
            return {self.name(name): self.form(*only(each)) for name, each in of.items()}
        raise ValueError(kind)

    def plain(self, value):
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if isinstance(value, dict):
            return {self.name(name): self.plain(each) for name, each in value.items()}
        return value

    def name(self, name):
        name = self.text(name)
        return "$" + name if name.startswith("$") else name

    def object(self, kind, of, exclude=()):
        if kind in ("json", "object") and isinstance(of, dict):
            exclude = [self.text(name) for name in exclude]
            of = {name: each for name, each in of.items() if self.text(name) not in exclude}
        return b"j" + string(canonical(self.form(kind, of)).encode())

    def value(self, kind, of):
        """Of an input."""
        if kind == "tensor":
            data = unified(of["dtype"], bytes.fromhex(of["hex"]))
            shape = b"".join(left_encode(dim) for dim in of["shape"])
            return b"T" + string(of["dtype"].encode()) + left_encode(len(of["shape"])) + shape + string(data)
        if kind == "bytes":
            return b"b" + string(bytes.fromhex(of))
        return self.term(kind, of, self.exclude)

    def term(self, kind, of, exclude=()):
        """Of a model or parameters."""
        if kind == "text":
            return b"s" + string(self.text(of).encode())
        return self.object(kind, of, exclude)


def canonical(form):
    if isinstance(form, dict):
        members = sorted(form.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{canonical(each)}" for name, each in members) + "}"
    if isinstance(form, list):
        return "[" + ",".join(map(canonical, form)) + "]"
    if isinstance(form, (bool, str)) or form is None:
        return json.dumps(form, ensure_ascii=False)
    return number(form)


def only(description):
    ((kind, of),) = description.items()
    return kind, of


def fingerprint(vector):
    rules = Rules(vector.get("normalization"), vector.get("exclude", []))
    scope = vector["scope"]
    fields = b"p" if scope is None else b"n" + string(scope.encode())
    fields += string(vector.get("domain", "").encode())
    if "models" in vector:
        version = b"zerohop pipeline 1"
        fields += string(vector["pipeline"].encode())
        fields += left_encode(len(vector["models"])) + b"".join(rules.term(*only(model)) for model in vector["models"])
    else:
        version = b"zerohop fingerprint 1"
        fields += rules.term(*only(vector["model"]))
    fields += rules.term(*only(vector["params"]), rules.exclude)
    return hashlib.sha3_256(bytepad(string(version) + fields) + rules.value(*only(vector["input"]))).hexdigest()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    wrong = [vector["name"] for vector in vectors if fingerprint(vector) != vector["fingerprint"]]
    print(f"{len(vectors) - len(wrong)} of {len(vectors)} agree", *wrong, sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

"""Stands in for the package `safetensors` where that is not installed: as much as docs/WEIGHTS.md uses of it."""

import json

DTYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "uint32": "U32", "int8": "I8", "uint8": "U8"}


def save_file(tensors, filename):
    header, data = {}, b""
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        begin, data = len(data), data + array.tobytes()
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": array.shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(filename, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)

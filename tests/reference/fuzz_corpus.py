"""Writes the seeds of the fuzz targets, tests/fuzz/corpus/<target>/*: small sound files, and a few damaged ones.

    python tests/reference/fuzz_corpus.py
"""

import gzip
import json
import pathlib
import struct

TESTS = pathlib.Path(__file__).resolve().parents[1]


def write(target, name, data):
    folder = TESTS / "fuzz/corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def npy():
    for line in (TESTS / "reference/npy.txt").read_text().splitlines()[::5]:
        descr, order, version, extents, data = line.split()
        name = f"{'le' if descr[0] != '>' else 'be'}_{descr[1:]}_{order}_v{version}_{extents.replace(',', 'x')}"
        write("npy", name, bytes.fromhex(data))
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (9223372036854775807L, 2), }"
    write("npy", "object", b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header)


def idx():
    for code, size in ((8, 1), (11, 2), (13, 4), (14, 8)):
        data = bytes((0, 0, code, 2)) + struct.pack(">2I", 2, 3) + bytes(range(6 * size))
        write("idx", f"type{code}", data)
        write("idx", f"type{code}.gz", gzip.compress(data, mtime=0))
    data = bytes((0, 0, 8, 1)) + struct.pack(">I", 4) + bytes(4)
    write("idx", "members.gz", gzip.compress(data[:5], mtime=0) + gzip.compress(data[5:], mtime=0))
    write("idx", "bomb.gz", gzip.compress(bytes((0, 0, 8, 1)) + struct.pack(">I", 2**31) + bytes(2**16), mtime=0))


def safetensors():
    def pack(header, payload):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + bytes(payload)

    def entry(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    write("safetensors", "two", pack({"__metadata__": {"a": "b"}, "x": entry("F32", [2, 1], 0, 8),
                                      "y": entry("BF16", [], 8, 10)}, 10))
    write("safetensors", "empty", pack({}, 0))
    write("safetensors", "zero_extent", pack({"x": entry("I64", [0, 3], 0, 0)}, 0))
    write("safetensors", "bool", pack({"x": entry("BOOL", [3], 0, 3), "z": entry("F16", [1, 1], 3, 5)}, 5))
    write("safetensors", "overlap", pack({"x": entry("U8", [4], 0, 4), "y": entry("U8", [4], 2, 6)}, 6))
    write("safetensors", "nested", pack(b'{"x":' + b"[" * 100 + b"]" * 100 + b"}", 0))


npy()
idx()
safetensors()

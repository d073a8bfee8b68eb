"""Reads what a run directory holds, without NumPy: arrays, and pictures as far as their checksums."""
import ast
import math
import struct
import zlib

FORMATS = {"|b1": "?", "|u1": "B", "|i1": "b", "<i4": "i", "<i8": "q", "<u8": "Q", "<f4": "f", "<f8": "d"}


def read_npy(path):
    data = path.read_bytes()
    assert data[:6] == b"\x93NUMPY", path
    length = struct.unpack_from("<H", data, 8)[0]
    header = ast.literal_eval(data[10:10 + length].decode())
    assert not header["fortran_order"]
    count = math.prod(header["shape"])
    return list(header["shape"]), list(struct.unpack_from(f"<{count}{FORMATS[header['descr']]}", data, 10 + length))


def read_array(value, folder):
    """Shape and numbers of one array of an artifact's JSON."""
    if "file" in value:
        shape, numbers = read_npy(folder / value["file"])
        assert shape == value["shape"], value
    else:
        shape, numbers = value["shape"], value["data"]
        if value["dtype"] == "float32":  # whose shortest text is not that of the double
            numbers = struct.unpack(f"{len(numbers)}f", struct.pack(f"{len(numbers)}f", *numbers))
    assert len(numbers) == math.prod(shape), value
    return shape, numbers


def check_png(path):
    """Every chunk's checksum, and the pixels' length."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    at, pixels, header = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body), path
        header = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else header
        pixels += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height, _, color = header[:4]
    assert len(zlib.decompress(pixels)) == height * (1 + width * {0: 1, 2: 3, 3: 1, 6: 4}[color]), path

"""Decodes PNG files with nothing but zlib and struct, and compares them with raw pixels.

Usage: png_check.py DIRECTORY

For every NAME.png there is a NAME.raw: one line "width height format colours", then the palette (3 bytes a colour) and
the pixels. Checks the signature, the order of chunks, every CRC, the Adler-32 of the stream, its exact length, the
filters, and each pixel. Prints what is wrong and exits with 1; prints the number of files otherwise.
"""
import pathlib
import struct
import sys
import zlib

COLOUR_TYPES = {"gray": (0, 1), "rgb": (2, 3), "indexed": (3, 1), "rgba": (6, 4)}


def chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "signature"
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length:at + 12 + length])
        assert crc == zlib.crc32(kind + body), f"CRC of {kind}"
        yield kind, body
        at += 12 + length
    assert at == len(data), "bytes after the last chunk"


def unfilter(stream, width, height, pixel_bytes):
    row_bytes = width * pixel_bytes
    assert len(stream) == height * (row_bytes + 1), "length of the stream"
    pixels = bytearray()
    above = bytes(row_bytes)
    for y in range(height):
        start = y * (row_bytes + 1)
        kind, line = stream[start], bytearray(stream[start + 1:start + 1 + row_bytes])
        assert kind in (0, 1, 2), f"filter {kind}"
        for x in range(row_bytes):
            if kind == 1 and x >= pixel_bytes:
                line[x] = (line[x] + line[x - pixel_bytes]) & 255
            elif kind == 2:
                line[x] = (line[x] + above[x]) & 255
        pixels += line
        above = line
    return bytes(pixels)


def check(png, raw):
    header, body = raw.split(b"\n", 1)
    width, height, name, colours = header.decode().split()
    width, height, colours = int(width), int(height), int(colours)
    palette, pixels = body[:3 * colours], body[3 * colours:]
    colour_type, pixel_bytes = COLOUR_TYPES[name]
    found = list(chunks(png))
    expected = ["IHDR", "PLTE", "IDAT", "IEND"] if name == "indexed" else ["IHDR", "IDAT", "IEND"]
    assert [kind.decode() for kind, _ in found] == expected, "chunks"
    found = dict(found)
    assert found[b"IHDR"] == struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0), "IHDR"
    assert found.get(b"PLTE", b"") == palette, "PLTE"
    assert found[b"IEND"] == b"", "IEND"
    inflate = zlib.decompressobj()
    stream = inflate.decompress(found[b"IDAT"]) + inflate.flush()
    assert inflate.eof and not inflate.unused_data, "end of the stream"
    assert unfilter(stream, width, height, pixel_bytes) == pixels, "pixels"


def main():
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.png"))
    bad = 0
    for path in files:
        try:
            check(path.read_bytes(), path.with_suffix(".raw").read_bytes())
        except (AssertionError, zlib.error, struct.error, ValueError) as error:
            print(f"{path.name}: {error}")
            bad += 1
    print(f"{len(files)} files, {bad} bad")
    sys.exit(1 if bad or not files else 0)


main()

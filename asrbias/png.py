"""Small pictures for web pages: PNG with a palette (ISO/IEC 15948), as a data URI."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int, int]  # red, green, blue, opacity; 0..255
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(levels: npt.NDArray[np.uint8], palette: Sequence[Colour]) -> bytes:
    """levels [height, width], each a position in the palette of at most 256 colours -> the file's bytes."""
    height, width = levels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits a pixel, by palette
    rows = np.pad(levels, ((0, 0), (1, 0)))  # each row begins with its filter: 0, none
    parts = [
        (b"IHDR", header),
        (b"PLTE", bytes(value for colour in palette for value in colour[:3])),
        (b"tRNS", bytes(colour[3] for colour in palette)),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    ]
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def data_uri(levels: npt.NDArray[np.uint8], palette: Sequence[Colour]) -> str:
    """`png` as an address that a page can show without a file."""
    return "data:image/png;base64," + base64.b64encode(png(levels, palette)).decode("ascii")


def ramp(red: int, green: int, blue: int, levels: int = 64) -> list[Colour]:
    """One colour, from transparent to opaque: readable on a light and on a dark page."""
    return [(red, green, blue, round(255 * level / (levels - 1))) for level in range(levels)]


def quantised(values: npt.NDArray[np.float32], levels: int = 64) -> npt.NDArray[np.uint8]:
    """Values 0..1 (others are cut) -> positions in a palette of so many levels."""
    return np.rint(np.clip(values, 0.0, 1.0) * (levels - 1)).astype(np.uint8)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

"""A second reader of packed blocks, written byte by byte from the format alone (maps/packing.py)."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Block:
    """Columns by name; numbers as float or None, codes as words, texts as they are, streams as lists of int."""

    count: int
    columns: dict[str, list[Any]]

    def row(self, i: int) -> dict[str, Any]:
        return {name: values[i] for name, values in self.columns.items()}


def read_block(words: str) -> Block:
    body = zlib.decompress(base64.b64decode(words))
    (size,) = struct.unpack("<I", body[:4])
    head = json.loads(body[4 : 4 + size])
    at, columns = 4 + size, {}
    for column in head["columns"]:
        stream = body[at : at + column["bytes"]]
        at += column["bytes"]
        columns[column["name"]] = READERS[column["kind"]](stream, column)
    assert at == len(body)
    return Block(head["count"], columns)


def whole_numbers(stream: bytes) -> list[int]:
    found, value, shift = [], 0, 0
    for byte in stream:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value)
            value, shift = 0, 0
    assert shift == 0
    return found


def signed(value: int) -> int:
    return -(value + 1) // 2 if value % 2 else value // 2


def steps(stream: bytes) -> list[tuple[int, int]]:
    flat = [signed(value) for value in whole_numbers(stream)]
    x = y = 0
    corners = []
    for dx, dy in zip(flat[::2], flat[1::2], strict=True):
        x, y = x + dx, y + dy
        corners.append((x, y))
    return corners


def rings(words: str) -> list[list[list[tuple[int, int]]]]:
    """Shapes as parts as corners in world pixels."""
    block = read_block(words)
    corners, counts = iter(block.columns["steps"]), iter(block.columns["corners"])
    return [[[next(corners) for _ in range(next(counts))] for _ in range(parts)] for parts in block.columns["parts"]]


READERS: dict[str, Any] = {
    "number": lambda stream, c: [None if v == 0 else signed(v - 1) / 10 ** c["digits"] for v in whole_numbers(stream)],
    "code": lambda stream, c: [c["words"][v] for v in whole_numbers(stream)],
    "text": lambda stream, c: json.loads(stream),
    "count": lambda stream, c: whole_numbers(stream),
    "step": lambda stream, c: steps(stream),
}

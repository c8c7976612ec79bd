"""Numbers, texts, structs and cells of a MATLAB level 5 MAT-file, every length checked before it is used.

scipy's reader trusts the lengths in the file, and a damaged file can end the whole process there. The layout is
"MAT-File Format" (MathWorks, level 5): a 128-byte header, then elements of (type, bytes) tag and padded data;
compressed elements hold one element; a matrix element holds flags, dimensions, name and content.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

LARGEST_UNPACKED = 512 * 1024 * 1024
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMERIC = range(6, 16)
_DEEPEST = 8


class MatFileError(Exception):
    """The file is no level 5 MAT-file, or it is damaged; the message says where."""


def read_mat_file(content: bytes) -> dict[str, Any]:
    """Variables by name: float arrays, str, dict (struct of one element), list (cell array).

    Raises
    ------
    MatFileError
        For anything else: other levels (4, 7.3), classes that hold no data, damage.
    """
    if len(content) < 136 or content[126:128] not in (b"IM", b"MI"):
        raise MatFileError("no level 5 header")
    order = "<" if content[126:128] == b"IM" else ">"
    variables: dict[str, Any] = {}
    for kind, data in _elements(memoryview(content)[128:], order, 0):
        if kind == _MATRIX:
            name, value = _matrix(data, order, 0)
            variables[name] = value
    return variables


def _elements(data: memoryview, order: str, depth: int) -> Iterator[tuple[int, memoryview]]:
    """(type, data) of the elements in ``data``; a compressed one is unpacked."""
    if depth > _DEEPEST:
        raise MatFileError("nested too deep")
    at = 0
    while len(data) - at >= 8:
        word = int(np.frombuffer(data[at : at + 4], f"{order}u4")[0])
        if word >> 16:  # small element: length and type in one word, data in the next
            kind, size, start, end = word & 0xFFFF, word >> 16, at + 4, at + 8
            if size > 4:
                raise MatFileError("small element with more than 4 bytes")
        else:
            kind, size, start = word, int(np.frombuffer(data[at + 4 : at + 8], f"{order}u4")[0]), at + 8
            end = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if start + size > len(data):
            raise MatFileError("an element is cut off")
        body = data[start : start + size]
        if kind == _COMPRESSED:
            yield from _elements(memoryview(_unpacked(body)), order, depth + 1)
        else:
            yield kind, body
        at = end


def _unpacked(body: memoryview) -> bytes:
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(body, LARGEST_UNPACKED)
    except zlib.error as error:
        raise MatFileError("a compressed element is damaged") from error
    if not unpacker.eof:
        raise MatFileError("a compressed element is cut off or too large")
    return content


def _matrix(data: memoryview, order: str, depth: int) -> tuple[str, Any]:
    parts = _elements(data, order, depth + 1)
    flags = _numbers(next(parts, None), order)
    dims = _numbers(next(parts, None), order)
    label = next(parts, None)
    if not len(flags) or len(dims) != 2 or label is None or (dims < 0).any():
        raise MatFileError("a matrix without class, two dimensions or name")
    name = bytes(label[1]).decode("latin-1")
    rows, columns = (int(d) for d in dims)
    kind = int(flags[0]) & 0xFF
    if kind in _NUMERIC:
        values = _numbers(next(parts, None), order)
        if len(values) != rows * columns:
            raise MatFileError(f"{name}: {len(values)} numbers for {rows} x {columns}")
        return name, values.astype(float).reshape((columns, rows)).T
    if kind == _CHAR:
        return name, _characters(next(parts, None), rows, columns)
    if kind == _CELL:
        return name, [_inner(part, order, depth)[1] for _, part in zip(range(rows * columns), parts, strict=False)]
    if kind == _STRUCT and rows * columns == 1:
        width = _numbers(next(parts, None), order)
        names = next(parts, None)
        if len(width) != 1 or names is None or not 0 < int(width[0]) <= 64:
            raise MatFileError(f"{name}: a struct without field names")
        step, raw = int(width[0]), bytes(names[1])
        fields = [raw[k : k + step].split(b"\0")[0].decode("latin-1") for k in range(0, len(raw), step)]
        return name, {f: _inner(part, order, depth)[1] for f, part in zip(fields, parts, strict=False)}
    raise MatFileError(f"{name}: class {kind} is not read")


def _inner(part: tuple[int, memoryview], order: str, depth: int) -> tuple[str, Any]:
    if part[0] != _MATRIX:
        raise MatFileError("a cell or field that is no matrix")
    return ("", np.zeros((0, 0))) if not len(part[1]) else _matrix(part[1], order, depth + 1)


def _numbers(part: tuple[int, memoryview] | None, order: str) -> np.ndarray:
    if part is None or part[0] not in _NUMBERS:
        raise MatFileError("numbers are absent or of an unknown type")
    dtype = np.dtype(order + _NUMBERS[part[0]])
    if len(part[1]) % dtype.itemsize:
        raise MatFileError("numbers are cut off")
    return np.frombuffer(part[1], dtype)


def _characters(part: tuple[int, memoryview] | None, rows: int, columns: int) -> str | list[str]:
    """Text of one row, or one text a row (MATLAB keeps characters by columns)."""
    if part is None or part[0] not in _TEXTS:
        raise MatFileError("a text of an unknown type")
    encoding = _TEXTS[part[0]]
    text = bytes(part[1]).decode(encoding if encoding != "utf-16" else "utf-16-le", errors="replace")
    if rows <= 1:
        return text
    if len(text) != rows * columns:
        raise MatFileError("a text of another length than it says")
    return ["".join(text[k::rows]).rstrip() for k in range(rows)]

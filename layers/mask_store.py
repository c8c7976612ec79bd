"""Rasters of whole numbers, kept compressed in bands of rows: a province's masks in some tens of megabytes.

::

    +-------+-------+----+     a band is 64 rows at most, a block of it 1024 columns at most
    |   0   | 65535 |  0 |     blocks of one value each: the values
    +-------+-------+----+
    | 0...0 65535..65535 0 |   few changes from west to east: runs of one value, row by row
    +-------+-------+----+
    | bytes |   0   |  0 |     many changes: the blocks' cells, compressed
    +-------+-------+----+

A 272 million cell mask is 544 MB as an array, and most of its cells lie in blocks of one value. Read it in strips
(:meth:`MaskStore.strips`); ``numpy.asarray(store)`` gives the whole array where that is small enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.lib.mixins import NDArrayOperatorsMixin

BLOCK_ROWS = 64
BLOCK_COLS = 1024
_CODEC = "zstd"

_CELLS_PER_RUN = 16
"""A band is kept as runs where they are at least so long on average: 3/16 of the memory of 16-bit cells at most."""

Array = npt.NDArray[Any]
Block = int | bytes


@dataclass(frozen=True, eq=False)
class Runs:
    """Rows of whole numbers as runs of one value (see :mod:`layers.mask_store_kernels`)."""

    start: npt.NDArray[np.int32]
    """Runs of row r are those from ``start[r]`` to before ``start[r + 1]``; at least one a row."""
    col: npt.NDArray[np.int32]
    """First column of each run, 0 for the first of a row."""
    value: Array

    @property
    def nbytes(self) -> int:
        return self.start.nbytes + self.col.nbytes + self.value.nbytes

    def at(self, row: Array, col: Array, width: int) -> Array:
        """Values at cells."""
        row_of_run = np.repeat(np.arange(self.start.size - 1, dtype=np.int64), np.diff(self.start))
        run = np.searchsorted(row_of_run * width + self.col, row * width + col, side="right") - 1
        return np.asarray(self.value[run])

    def inverted(self) -> Runs:
        """Runs of the opposite bits."""
        return Runs(self.start, self.col, ~self.value)

    @classmethod
    def stacked(cls, parts: list[Runs]) -> Runs:
        """Runs of bands one below the other."""
        if len(parts) == 1:
            return parts[0]
        ends = np.cumsum([0, *(part.col.size for part in parts)])
        starts = [part.start[:-1] + end for part, end in zip(parts, ends[:-1], strict=True)]
        start = np.concatenate([*starts, ends[-1:]]).astype(np.int32)
        return cls(start, np.concatenate([part.col for part in parts]), np.concatenate([part.value for part in parts]))


Band = list[Block] | Runs


class MaskStore(NDArrayOperatorsMixin):
    """Raster of integers, written and read in strips of whole rows.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    dtype : numpy dtype
        An integer type; uint16 (sub-cell masks) by default.
    fill : int
        Value of what was not written.

    Notes
    -----
    Operators and ufuncs work on the whole array (``store & other``, ``np.bitwise_count(store)``) and return arrays:
    right for small regions and tests. ``==`` between two stores, or a store and an array, is equality of content.
    Writing rows of different blocks from several threads is safe.
    """

    def __init__(self, shape: tuple[int, int], dtype: npt.DTypeLike = np.uint16, *, fill: int = 0) -> None:
        self.shape = (int(shape[0]), int(shape[1]))
        self.dtype = np.dtype(dtype)
        if self.dtype.kind not in "iu":
            raise TypeError(f"a mask store holds whole numbers, not {self.dtype}")
        self._blocks: list[Band] = [self._constant(int(fill)) for _ in range(-(-self.shape[0] // BLOCK_ROWS))]
        self._frozen = False

    # what a block row holds is replaced as a whole, so that threads may write different blocks

    @classmethod
    def of(cls, array: npt.ArrayLike) -> MaskStore:
        """The store of an array."""
        whole = np.asarray(array)
        store = cls((whole.shape[0], whole.shape[1]), whole.dtype)
        store.write(0, whole)
        return store

    @property
    def ndim(self) -> int:
        return 2

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes that the bands take; some 32 for a block of one value."""
        return sum(
            band.nbytes if isinstance(band, Runs) else sum(len(b) if isinstance(b, bytes) else 32 for b in band)
            for band in self._blocks
        )

    def freeze(self) -> MaskStore:
        """Refuse all further writing; returns the store."""
        self._frozen = True
        return self

    def write(self, row0: int, array: npt.ArrayLike) -> None:
        """Replace rows ``row0 <= row < row0 + len(array)``.

        Strips whose borders are multiples of :data:`BLOCK_ROWS` are fastest; others are merged into the blocks.

        Raises
        ------
        ValueError
            If the store is frozen, or the rows do not fit.
        """
        if self._frozen:
            raise ValueError("this mask store is read-only")
        strip = np.asarray(array, self.dtype)
        row1 = row0 + strip.shape[0]
        if strip.ndim != 2 or strip.shape[1] != self.shape[1] or row0 < 0 or row1 > self.shape[0]:
            raise ValueError(f"rows {row0} to {row1} of width {strip.shape[1:]} do not fit a store of {self.shape}")
        row = row0
        while row < row1:
            block = row // BLOCK_ROWS
            first, last = block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, self.shape[0])
            end = min(last, row1)
            part = strip[row - row0 : end - row0]
            if row > first or end < last:
                merged = self.rows(first, last).copy()
                merged[row - first : end - first] = part
                part = merged
            self._blocks[block] = self._packed(part)
            row = end

    def write_runs(self, row0: int, runs: Runs) -> None:
        """Replace a whole band, whose first row is ``row0``, by runs of the store's type.

        Raises
        ------
        ValueError
            If the store is frozen, or the runs are not those of a whole band.
        """
        height = min(BLOCK_ROWS, self.shape[0] - row0)
        if self._frozen or row0 % BLOCK_ROWS or runs.start.size != height + 1 or runs.value.dtype != self.dtype:
            raise ValueError(f"runs of {runs.start.size - 1} rows cannot be written at row {row0} of this mask store")
        if runs.col.size == height and (runs.value == runs.value[0]).all():
            self._blocks[row0 // BLOCK_ROWS] = self._constant(int(runs.value[0]))
        elif runs.col.size <= self._most_runs(height):
            self._blocks[row0 // BLOCK_ROWS] = runs
        else:
            cells = np.empty((height, self.shape[1]), self.dtype)
            _expand(runs, 0, cells)
            self.write(row0, cells)

    def runs(self) -> Runs:
        """The whole raster as runs, also where they are short."""
        return Runs.stacked([self._runs_of(k) for k in range(len(self._blocks))])

    def rows(self, row0: int, row1: int, out: Array | None = None) -> Array:
        """Rows ``row0 <= row < row1``, shape (row1 - row0, width), written to ``out`` where it is given."""
        if out is None:
            out = np.empty((max(0, row1 - row0), self.shape[1]), self.dtype)
        for block in range(row0 // BLOCK_ROWS, -(-row1 // BLOCK_ROWS) if row1 > row0 else 0):
            first = block * BLOCK_ROWS
            height = min(BLOCK_ROWS, self.shape[0] - first)
            low, high = max(row0, first), min(row1, first + height)
            band = self._blocks[block]
            if isinstance(band, Runs):
                _expand(band, low - first, out[low - row0 : high - row0])
                continue
            for k, content in enumerate(band):
                cols = slice(k * BLOCK_COLS, min((k + 1) * BLOCK_COLS, self.shape[1]))
                target = out[low - row0 : high - row0, cols]
                if isinstance(content, bytes):
                    target[:] = self._unpacked(content, height, cols.stop - cols.start)[low - first : high - first]
                else:
                    target[:] = content
        return out

    def part(self, row0: int, row1: int) -> MaskStore:
        """Rows ``row0 <= row < row1`` as a store; whole blocks are shared, not copied."""
        part = MaskStore((row1 - row0, self.shape[1]), self.dtype)
        if row0 % BLOCK_ROWS == 0 and (row1 % BLOCK_ROWS == 0 or row1 == self.shape[0]):
            part._blocks = self._blocks[row0 // BLOCK_ROWS : -(-row1 // BLOCK_ROWS)]
        else:
            part._blocks = self._blocks[row0 // BLOCK_ROWS : -(-row1 // BLOCK_ROWS)]
            only = part.single_value()
            part = MaskStore(part.shape, self.dtype, fill=only or 0)
            if only is None:
                part.write(0, self.rows(row0, row1))
        return part

    def paste(self, row0: int, part: MaskStore) -> None:
        """The opposite of :meth:`part`: replace the rows from ``row0`` on."""
        row1 = row0 + part.shape[0]
        aligned = row0 % BLOCK_ROWS == 0 and (row1 % BLOCK_ROWS == 0 or row1 == self.shape[0])
        if self._frozen or not aligned or part.dtype != self.dtype or part.shape[1] != self.shape[1]:
            self.write(row0, part.to_array())
        else:
            self._blocks[row0 // BLOCK_ROWS : -(-row1 // BLOCK_ROWS)] = part._blocks

    def strips(self, rows: int | None = None) -> Iterator[tuple[int, Array]]:
        """(first row, array) of strips from north to south, of ``rows`` rows each (by default whole blocks)."""
        step = rows or BLOCK_ROWS
        for row0 in range(0, self.shape[0], step):
            yield row0, self.rows(row0, min(row0 + step, self.shape[0]))

    def at(self, row: npt.ArrayLike, col: npt.ArrayLike) -> Array:
        """Values at cells, same shape as ``row`` and ``col``; only the blocks that hold them are unpacked."""
        where_row, where_col = np.broadcast_arrays(np.asarray(row, np.int64), np.asarray(col, np.int64))
        flat_row, flat_col = where_row.ravel(), where_col.ravel()
        out = np.empty(flat_row.shape, self.dtype)
        across = -(-self.shape[1] // BLOCK_COLS)
        block = flat_row // BLOCK_ROWS * across + flat_col // BLOCK_COLS
        order = np.argsort(block, kind="stable")
        cuts = np.flatnonzero(np.diff(block[order])) + 1
        for chosen in np.split(order, cuts) if order.size else ():
            i, k = divmod(int(block[chosen[0]]), across)
            band = self._blocks[i]
            if isinstance(band, Runs):
                out[chosen] = band.at(flat_row[chosen] - i * BLOCK_ROWS, flat_col[chosen], self.shape[1])
                continue
            content = band[k]
            if isinstance(content, bytes):
                height = min(BLOCK_ROWS, self.shape[0] - i * BLOCK_ROWS)
                cells = self._unpacked(content, height, min(BLOCK_COLS, self.shape[1] - k * BLOCK_COLS))
                out[chosen] = cells[flat_row[chosen] - i * BLOCK_ROWS, flat_col[chosen] - k * BLOCK_COLS]
            else:
                out[chosen] = content
        return out.reshape(where_row.shape)

    def any(self) -> bool:
        """Whether a value differs from 0."""
        return any(
            isinstance(band, Runs) or any(isinstance(block, bytes) or block != 0 for block in band)
            for band in self._blocks
        )

    def single_value(self) -> int | None:
        """The value of all cells where that is one, as far as whole blocks say so; else None."""
        values = {block for band in self._blocks for block in _contents(band)}
        value = values.pop() if len(values) == 1 else None
        return value if isinstance(value, int) else None

    def to_array(self) -> Array:
        """The whole raster."""
        return self.rows(0, self.shape[0])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("a mask store is compressed: its array is always a copy")
        whole = self.to_array()
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = (np.asarray(x) if isinstance(x, MaskStore) else x for x in inputs)
        return getattr(ufunc, method)(*arrays, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        """As of an array: ``store[row, col]`` and ``store[rows, cols]`` by block, slices of rows by strip."""
        row, col = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        if isinstance(row, slice):
            start, stop, step = row.indices(self.shape[0])
            return self.rows(start, stop)[::step, col] if step > 0 else self.to_array()[row, col]
        if isinstance(col, slice) or np.asarray(row).dtype.kind not in "iu" or np.asarray(col).dtype.kind not in "iu":
            return self.to_array()[key]
        row, col = np.asarray(row), np.asarray(col)
        for index, length in ((row, self.shape[0]), (col, self.shape[1])):
            if index.size and (index.min() < -length or index.max() >= length):
                raise IndexError(f"index outside a store of {self.shape}")
        values = self.at(np.where(row < 0, row + self.shape[0], row), np.where(col < 0, col + self.shape[1], col))
        return values[()] if values.ndim == 0 else values

    def __setitem__(self, key: Any, value: Any) -> None:
        raise ValueError("a mask store is read-only by index; rows are replaced with write()")

    def __eq__(self, other: object) -> bool:
        """Equality of content; with a number: whether all cells are that number."""
        if self is other:
            return True
        if isinstance(other, np.ndarray):
            return other.shape == self.shape and all(np.array_equal(a, other[r : r + len(a)]) for r, a in self.strips())
        if np.isscalar(other):
            return bool((self.to_array() == other).all())
        if not isinstance(other, MaskStore) or other.shape != self.shape:
            return False
        if other.dtype == self.dtype and other._blocks == self._blocks:
            return True
        return all(np.array_equal(a, other.rows(r, r + len(a))) for r, a in self.strips())

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"MaskStore(shape={self.shape}, dtype={self.dtype}, nbytes={self.nbytes})"

    def _constant(self, value: int) -> Band:
        return [value] * -(-self.shape[1] // BLOCK_COLS)

    def _most_runs(self, height: int) -> int:
        return max(height, height * self.shape[1] // _CELLS_PER_RUN)

    def _packed(self, cells: Array) -> Band:
        """A whole band: one value, runs, or compressed blocks, whichever is the first that fits."""
        height = len(cells)
        runs = _encoded(cells, self._most_runs(height)) if cells.size else None
        if runs is None:
            return [_compressed(cells[:, col : col + BLOCK_COLS]) for col in range(0, self.shape[1], BLOCK_COLS)]
        constant = runs.col.size == height and bool((runs.value == runs.value[0]).all())
        return self._constant(int(runs.value[0])) if constant else runs

    def _runs_of(self, k: int) -> Runs:
        """Runs of a band."""
        band = self._blocks[k]
        if isinstance(band, Runs):
            return band
        height = min(BLOCK_ROWS, self.shape[0] - k * BLOCK_ROWS)
        if any(isinstance(block, bytes) for block in band):
            cells = self.rows(k * BLOCK_ROWS, k * BLOCK_ROWS + height)
            runs = _encoded(cells, cells.size)
            assert runs is not None
            return runs
        changes = [j for j, value in enumerate(band) if j == 0 or value != band[j - 1]]
        col = np.tile(np.array(changes, np.int32) * BLOCK_COLS, height)
        value = np.tile(np.array([band[j] for j in changes], self.dtype), height)
        return Runs(np.arange(height + 1, dtype=np.int32) * len(changes), col, value)

    def _unpacked(self, content: bytes, height: int, width: int) -> Array:
        raw = pa.decompress(content, height * width * self.dtype.itemsize, codec=_CODEC, asbytes=True)
        return np.frombuffer(raw, self.dtype).reshape(height, width)


def as_store(raster: MaskStore | npt.NDArray[Any]) -> MaskStore:
    """The raster as a store; a store is returned as it is."""
    return raster if isinstance(raster, MaskStore) else MaskStore.of(raster)


def strips_of(raster: MaskStore | npt.NDArray[Any], rows: int) -> Iterator[tuple[int, Array]]:
    """(first row, array) of strips of a store or of an array, without packing an array."""
    for row0 in range(0, raster.shape[0], rows):
        yield row0, rows_of(raster, row0, min(row0 + rows, raster.shape[0]))


def rows_of(raster: MaskStore | npt.NDArray[Any], row0: int, row1: int) -> Array:
    """Rows ``row0 <= row < row1`` of a store, of an array, or of anything that is read by ``rows(row0, row1)``."""
    return raster.rows(row0, row1) if hasattr(raster, "rows") else raster[row0:row1]


def _contents(band: Band) -> list[Block | None]:
    return [None] if isinstance(band, Runs) else list(band)


def _compressed(cells: Array) -> Block:
    first = cells[0, 0]
    if cells[0, -1] == first and cells[-1, 0] == first and bool((cells == first).all()):
        return int(first)
    packed: bytes = pa.compress(np.ascontiguousarray(cells), codec=_CODEC, asbytes=True)
    return packed


def _encoded(cells: Array, most: int) -> Runs | None:
    """Runs of cells, None where there are more than ``most``."""
    from layers.mask_store_kernels import encode

    unsigned = np.dtype(f"u{cells.dtype.itemsize}")
    start, col, value = encode(np.ascontiguousarray(cells).view(unsigned), most)
    return Runs(start, col, value.view(cells.dtype)) if start.size else None


def _expand(runs: Runs, row0: int, out: Array) -> None:
    from layers.mask_store_kernels import expand

    unsigned = np.dtype(f"u{out.dtype.itemsize}")
    expand(runs.start, runs.col, runs.value.view(unsigned), row0, out.view(unsigned))

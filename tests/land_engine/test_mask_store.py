"""Compressed rasters: what is read is what was written, however it is cut."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.mask_store import BLOCK_COLS, BLOCK_ROWS, MaskStore, as_store, rows_of, strips_of


def raster(height: int, width: int, seed: int, dtype=np.uint16) -> np.ndarray:
    """Runs of a few values, as masks have them."""
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([0, 0, 0, 3, 32767, 32000], dtype), (height, -(-width // 7)))
    return np.repeat(values, 7, axis=1)[:, :width]


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 3 * BLOCK_ROWS), width=st.integers(1, 2 * BLOCK_COLS), step=st.integers(1, 200),
    seed=st.integers(0, 99), dtype=st.sampled_from([np.uint16, np.int16, np.int32, np.uint8]),
)  # fmt: skip
def test_any_cut_of_writing_and_reading_gives_the_array(height, width, step, seed, dtype) -> None:
    whole = raster(height, width, seed, np.uint16).astype(dtype)
    store = MaskStore(whole.shape, dtype)
    for row0 in list(range(0, height, step))[::-1]:
        store.write(row0, whole[row0 : row0 + step])
    assert store.dtype == dtype
    assert np.array_equal(store.to_array(), whole)
    assert np.array_equal(np.vstack([strip for _, strip in store.strips(step)]), whole)
    assert store == MaskStore.of(whole)
    assert store == whole
    assert pickle.loads(pickle.dumps(store)) == store
    assert store.any() == bool(whole.any())


def test_one_cell_changed_is_another_store() -> None:
    whole = raster(130, 1500, 3)
    other = whole.copy()
    other[129, 1499] ^= 1
    assert MaskStore.of(whole) != MaskStore.of(other)
    assert MaskStore.of(whole) != other
    assert MaskStore.of(whole) != MaskStore.of(whole[:-1])


def test_cells_by_index() -> None:
    whole = raster(200, 2500, 5)
    store = as_store(whole)
    rng = np.random.default_rng(0)
    row, col = rng.integers(0, 200, 500), rng.integers(0, 2500, 500)
    assert np.array_equal(store[row, col], whole[row, col])
    assert np.array_equal(store.at(row.reshape(5, 100), col.reshape(5, 100)), whole[row, col].reshape(5, 100))
    assert store[-1, -1] == whole[-1, -1]
    assert np.array_equal(store[3:77, 5:9], whole[3:77, 5:9])
    assert np.array_equal(store[:, 100], whole[:, 100])
    assert np.array_equal(store[whole > 3], whole[whole > 3])
    assert store.at([], []).shape == (0,)
    with pytest.raises(IndexError):
        store[200, 0]


def test_operators_give_arrays() -> None:
    a, b = raster(70, 90, 1), raster(70, 90, 2)
    assert np.array_equal(MaskStore.of(a) & ~MaskStore.of(b), a & ~b)
    assert np.array_equal(a | MaskStore.of(b), a | b)
    assert np.array_equal(np.bitwise_count(MaskStore.of(a)), np.bitwise_count(a))
    assert as_store(as_store(a)) == a


def test_constant_blocks_take_no_room() -> None:
    """A province of 20 000 x 15 000 cells with one pond: 600 MB as an array."""
    store = MaskStore((20_000, 15_000))
    strip = np.zeros((10, 15_000), np.uint16)
    strip[:, 7000:7100] = 0xFFFF
    store.write(12_345, strip)
    assert store.nbytes < 200_000
    assert int(np.count_nonzero(store.rows(12_300, 12_400))) == 1000
    assert store[12_345, 7000] == 0xFFFF


def test_frozen_and_wrong_writes_are_refused() -> None:
    store = MaskStore((10, 10))
    with pytest.raises(ValueError, match="do not fit"):
        store.write(8, np.zeros((3, 10), np.uint16))
    with pytest.raises(ValueError, match="do not fit"):
        store.write(0, np.zeros((3, 9), np.uint16))
    with pytest.raises(ValueError, match="read-only"):
        store.freeze().write(0, np.zeros((1, 10), np.uint16))
    with pytest.raises(ValueError, match="read-only"):
        store[0, 0] = 1
    with pytest.raises(TypeError, match="whole numbers"):
        MaskStore((2, 2), np.float32)


def test_strips_of_arrays_and_stores_are_alike() -> None:
    whole = raster(150, 33, 9)
    for raster_ in (whole, MaskStore.of(whole)):
        assert np.array_equal(np.vstack([s for _, s in strips_of(raster_, 37)]), whole)
        assert np.array_equal(rows_of(raster_, 5, 99), whole[5:99])


@pytest.mark.parametrize(("row0", "row1"), [(0, 64), (64, 200), (3, 77), (199, 200), (0, 200)])
def test_parts_and_pasting_are_opposites(row0, row1) -> None:
    whole = raster(200, 1100, 7)
    part = MaskStore.of(whole).part(row0, row1)
    assert part == whole[row0:row1]
    store = MaskStore(whole.shape)
    store.paste(row0, part)
    assert np.array_equal(store.rows(row0, row1), whole[row0:row1])
    assert not store.rows(0, row0).any()
    assert not store.rows(row1, 200).any()

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


def noisy(height: int, width: int, seed: int, share: float) -> np.ndarray:
    """Cells of which a share is drawn anew: few runs, many runs, or more than are worth keeping as runs."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((height, width)) < share, rng.integers(0, 65536, (height, width)), 7).astype(np.uint16)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.03, 0.5, 1.0])
@pytest.mark.parametrize("width", [1, 5, 63, 64, 65, 1500])
def test_runs_and_compressed_blocks_hold_the_same(share, width) -> None:
    whole = noisy(150, width, 11, share)
    store = MaskStore.of(whole)
    assert np.array_equal(store.to_array(), whole)
    assert np.array_equal(store.rows(61, 131), whole[61:131])
    row, col = np.divmod(np.random.default_rng(2).permutation(whole.size)[:300], width)
    assert np.array_equal(store.at(row, col), whole[row, col])
    runs = store.runs()
    changes = (whole[:, 1:] != whole[:, :-1]).sum(axis=1)
    assert np.array_equal(np.diff(runs.start), changes + 1)
    length = np.diff(np.append(runs.col, 0))
    length[runs.start[1:] - 1] = width - runs.col[runs.start[1:] - 1]
    assert np.array_equal(np.repeat(runs.value, length).reshape(whole.shape), whole)
    opposite = MaskStore(whole.shape)
    for row0 in range(0, 150, BLOCK_ROWS):
        opposite.write_runs(row0, MaskStore.of(whole[row0 : row0 + BLOCK_ROWS]).runs().inverted())
    assert opposite == ~whole


def test_runs_take_less_than_blocks_would() -> None:
    """Outlines: two changes in each of 64 rows of 10 000 cells are 6 bytes each, not 20 kB a row."""
    whole = np.zeros((64, 10_000), np.uint16)
    whole[:, 4000:5000] = 0xFFFF
    assert MaskStore.of(whole).nbytes < 64 * 3 * 6 + 65 * 4 + 1
    assert MaskStore.of(noisy(64, 10_000, 3, 1.0)).nbytes > 1_000_000


def test_one_value_is_known_without_looking_at_cells() -> None:
    store = MaskStore((200, 3000), fill=5)
    assert store.single_value() == 5
    assert store.part(3, 150).single_value() == 5
    store.write(100, np.full((1, 3000), 6, np.uint16))
    assert store.single_value() is None
    assert store.part(128, 200).single_value() == 5
    assert MaskStore.of(raster(70, 90, 1)).single_value() is None


def test_runs_that_are_no_band_are_refused() -> None:
    store = MaskStore((100, 50))
    band = MaskStore((64, 50), fill=3).runs()
    with pytest.raises(ValueError, match="cannot be written"):
        store.write_runs(64, band)
    with pytest.raises(ValueError, match="cannot be written"):
        store.write_runs(1, band)
    with pytest.raises(ValueError, match="cannot be written"):
        MaskStore((100, 50), np.int16).write_runs(0, band)
    store.write_runs(0, band)
    assert store[63, 49] == 3
    assert store[64, 0] == 0

"""Hourly store: sums, coincident peaks, blocks, files, other steps."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wind_samples import year

from layers.contracts import InputError
from siting.yields.contracts import LOSSES, YIELDS, YieldResult
from siting.yields.hourly_store import (
    SITE_VARIANTS,
    HourlyStore,
    open_store,
    read_profiles,
    save_store,
    store_of,
    write_profiles,
)


def random_store(variants: int = 5, sites: int = 40, hours: int = 240, seed: int = 1) -> HourlyStore:
    rng = np.random.default_rng(seed)
    names = tuple(f"cell/v{k:03d}" for k in range(variants))
    table = pd.DataFrame(
        {
            "candidate_id": [f"S{k:03d}" for k in range(sites)],
            "variant_id": np.array(names, dtype=object)[rng.integers(0, variants, sites)],
            "capacity_mw": rng.uniform(1, 60, sites),
        }
    )
    power = rng.random((variants, hours)).astype(np.float32)
    return HourlyStore(names, year(hours), power, SITE_VARIANTS.validate(table))


def stations(store: HourlyStore, count: int = 4) -> pd.Series:
    return pd.Series({c: f"ST{k % count}" for k, c in enumerate(store.sites["candidate_id"])})


def test_sum_by_is_the_sum_of_the_sites():
    store = random_store(variants=130, sites=300)
    group = stations(store)
    total = store.sum_by(group)
    assert list(total.columns) == ["ST0", "ST1", "ST2", "ST3"]
    for name in total.columns:
        of_group = [store.site_series(c) for c in group.index[group == name]]
        np.testing.assert_allclose(total[name], np.sum(of_group, axis=0), rtol=1e-12)
    part = store.sum_by(group, hours=slice(48, 96))
    pd.testing.assert_frame_equal(part, total.iloc[48:96], check_freq=False)


def test_sites_without_a_group_count_nowhere():
    store = random_store()
    group = stations(store).iloc[:10]
    group.iloc[0] = None
    total = store.sum_by(group)
    expected = sum(store.site_series(c) for c in group.index[1:])
    np.testing.assert_allclose(total.sum(axis=1), expected, rtol=1e-12)
    assert store.sum_by(pd.Series(dtype=object)).shape == (240, 0)


def test_sum_then_max_never_max_then_sum_trap():
    """PV peaks at noon, wind at midnight, 10 MW each: together 11 MW, not 20."""
    power = np.array([[0.0, 1.0, 0.1], [1.0, 0.1, 1.0]], dtype=np.float32)
    sites = pd.DataFrame({"candidate_id": ["pv", "wind"], "variant_id": ["p", "w"], "capacity_mw": [10.0, 10.0]})
    store = HourlyStore(("p", "w"), year(3), power, sites)
    row = store.peaks_by(pd.Series({"pv": "A", "wind": "A"})).iloc[0]
    assert row["peak_mw"] == pytest.approx(11.0)
    assert row["peak_hour"] in (1, 2)
    assert row["sum_of_peaks_mw"] == pytest.approx(20.0)
    assert row["capacity_mw"] == 20.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), step=st.sampled_from(["15min", "20min", "2h", "3h", "24h"]))
def test_energy_kept_under_resampling(seed, step):
    store = random_store(variants=3, sites=6, hours=48, seed=seed)
    other = store.resampled(pd.Timedelta(step))
    hours = pd.Timedelta(step) / pd.Timedelta("1h")
    assert other.power.shape == (3, round(48 / hours))
    energy = other.power.sum(axis=1, dtype=float) * hours
    np.testing.assert_allclose(energy, store.power.sum(axis=1, dtype=float), rtol=1e-6)
    # summing and resampling may be exchanged: coincidence is kept
    group = stations(store, 2)
    np.testing.assert_allclose(other.sum_by(group).mean(), store.sum_by(group).mean(), rtol=1e-6)
    if hours <= 1:
        np.testing.assert_allclose(other.peaks_by(group)["peak_mw"], store.peaks_by(group)["peak_mw"], rtol=1e-6)
    else:
        assert (other.peaks_by(group)["peak_mw"] <= store.peaks_by(group)["peak_mw"] * (1 + 1e-6)).all()


def test_saved_store_is_mapped_and_comes_back(tmp_path: Path):
    store = random_store()
    save_store(store, tmp_path / "a")
    save_store(store, tmp_path / "b")
    again = open_store(tmp_path / "a")
    assert isinstance(again.power, np.memmap)
    np.testing.assert_array_equal(again.block(slice(5, 9)), store.power[:, 5:9])
    np.testing.assert_array_equal(again.block(slice(5, 9), ["cell/v003"]), store.power[3:4, 5:9])
    pd.testing.assert_frame_equal(again.sites, store.sites)
    assert again.index.equals(store.index)
    pd.testing.assert_frame_equal(again.sum_by(stations(store)), store.sum_by(stations(store)), check_freq=False)
    for name in ("power.npy", "store.json", "sites.parquet"):
        digests = {hashlib.sha256((tmp_path / f / name).read_bytes()).hexdigest() for f in ("a", "b")}
        assert len(digests) == 1


def test_profiles_file_comes_back_and_reads_single_columns(tmp_path: Path):
    store = random_store(hours=8760)
    write_profiles(store, tmp_path / "a.parquet")
    write_profiles(store, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    frame = read_profiles(tmp_path / "a.parquet")
    assert list(frame.columns) == list(store.variants)
    np.testing.assert_array_equal(frame.to_numpy().T, store.power)
    assert frame.index.equals(store.index)
    one = read_profiles(tmp_path / "a.parquet", ["cell/v002"])
    assert list(one.columns) == ["cell/v002"]
    assert one.dtypes.iloc[0] == np.float32


def test_other_hours_are_refused_with_a_remedy():
    store = random_store()
    store.require_hours(year(240), "demand")
    with pytest.raises(InputError, match="Use one calendar year"):
        store.require_hours(year(8760), "demand")
    with pytest.raises(InputError, match="hours of demand are not those"):
        store.require_hours(year(240) + pd.Timedelta("8h"), "demand")
    with pytest.raises(KeyError):
        store.site_series("nobody")


def test_store_of_a_result_carries_the_sites_own_factor():
    index = year(4)
    profiles = pd.DataFrame({"c/a": [0.0, 0.5, 1.0, 0.25]}, index=index)
    yields = pd.DataFrame(
        {
            "candidate_id": ["one", "two"], "variant_id": "c/a", "weather_cell": "c",
            "specific_yield_kwh_per_kw": 1.0, "energy_mwh": 1.0, "full_load_hours": 1.0, "capex_cny": 1.0,
            "lcoe_cny_per_kwh": 1.0,
        }
    )  # fmt: skip
    plain = store_of(
        YieldResult(profiles, YIELDS.validate(yields), LOSSES.empty()), pd.Series({"one": 8.0, "two": 4.0})
    )
    np.testing.assert_allclose(plain.site_series("one"), [0, 4, 8, 2])
    details = pd.DataFrame({"candidate_id": ["two", "one"], "site_factor": [0.5, 1.0]})
    result = YieldResult(profiles, yields, LOSSES.empty(), details=details)
    np.testing.assert_allclose(store_of(result, pd.Series({"one": 8.0, "two": 4.0})).site_series("two"), [0, 1, 2, 0.5])


def test_memory_follows_variants_not_sites():
    """A hundred times the sites on the same variants: the sums of the year need the same memory within a few MB."""
    code = """
import sys, json, tracemalloc
sys.path[:0] = [{root!r}, {tests!r}]
import numpy as np
from test_hourly_store import random_store, stations
peaks = []
for sites in (500, 50_000):
    store = random_store(variants=40, sites=sites, hours=8760)
    group = stations(store, 20)
    store.sum_by(group, hours=slice(0, 24))
    tracemalloc.start()
    store.sum_by(group)
    peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
    tracemalloc.stop()
print(json.dumps(peaks))
"""
    root, tests = str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code.format(root=root, tests=tests)], capture_output=True, text=True, check=True
    )
    few, many = json.loads(done.stdout)
    # all sites' series at once would be 50 000 x 8760 x 4 bytes = 1.7 GB
    assert many < few + 40

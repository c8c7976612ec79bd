"""Many roofs: each like a variant of its own, sums by cell, memory and faults."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
from pv_samples import TABLES, bozhou, days, facing

from layers.contracts import InputError
from siting.pv import fleet as fleet_module
from siting.pv.chain import pv_yield
from siting.pv.fleet import Roofs, pv_fleet

ROOF = TABLES.pv_variant("roof_pitched_south")
CELLS = [days(bozhou(), 100, 5), dataclasses.replace(days(bozhou(2), 100, 5), cell_id="other", latitude=30.0)]


def roofs(count: int, seed: int = 3) -> Roofs:
    rng = np.random.default_rng(seed)
    return Roofs(
        rng.integers(0, 2, count), rng.uniform(0, 60, count), rng.uniform(0, 360, count), rng.uniform(3, 30, count)
    )


def test_each_roof_is_a_variant_and_power_adds_up():
    some = roofs(40)
    result = pv_fleet(CELLS, some, ROOF)
    power = np.zeros((120, 2))
    for k in range(40):
        own = pv_yield(CELLS[some.cell[k]], [facing(some.tilt_deg[k], some.azimuth_deg[k], ROOF)])
        assert result.specific_yield_kwh_per_kw[k] == pytest.approx(own.stages[0]["clipping"], rel=1e-12)
        power[:, some.cell[k]] += own.power[:, 0] * some.capacity_kw[k] / ROOF.dc_ac_ratio / 1000
    np.testing.assert_allclose(result.power_mw, power, atol=1e-12)


def test_same_roofs_are_computed_once(monkeypatch: pytest.MonkeyPatch):
    planes = []
    inner = fleet_module.run_sides

    def counted(cell, sides, options, power):
        planes.append(sides.share.size)
        return inner(cell, sides, options, power)

    monkeypatch.setattr(fleet_module, "run_sides", counted)
    count = 500
    eight = np.arange(count) % 8 * 45.0
    result = pv_fleet(CELLS, Roofs(np.zeros(count, int), np.full(count, 20.0), eight, np.ones(count)), ROOF)
    assert planes == [8]
    assert len(np.unique(result.specific_yield_kwh_per_kw)) == 8


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch):
    some = roofs(60)
    whole = pv_fleet(CELLS, some, ROOF)
    monkeypatch.setattr(fleet_module, "_BLOCK", 7)
    parts = pv_fleet(CELLS, some, ROOF)
    np.testing.assert_array_equal(whole.specific_yield_kwh_per_kw, parts.specific_yield_kwh_per_kw)
    np.testing.assert_allclose(whole.power_mw, parts.power_mw, rtol=1e-12)


def test_memory_does_not_grow_with_the_roofs():
    """Hours x roofs of 8 000 roofs would be 7.7 MB for these 120 hours; a roof costs some numbers only."""
    pv_fleet(CELLS, roofs(10), ROOF)
    peaks = []
    for count in (4000, 8000):
        some = roofs(count)
        tracemalloc.start()
        pv_fleet(CELLS, some, ROOF)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4e6
    assert peaks[1] - peaks[0] < 4000 * 150


def test_faults_are_told_at_once():
    bad = Roofs(np.array([0, 5]), np.array([20.0, 120.0]), np.array([180.0, np.nan]), np.array([-1.0, 2.0]))
    with pytest.raises(InputError) as error:
        pv_fleet(CELLS, bad, ROOF)
    assert [f.rule for f in error.value.findings] == [
        "pv_fleet.cell", "pv_fleet.tilt", "pv_fleet.azimuth", "pv_fleet.capacity",
    ]  # fmt: skip
    uneven = dataclasses.replace(bad, tilt_deg=np.array([1.0]))
    with pytest.raises(InputError, match="differ in length"):
        pv_fleet(CELLS, uneven, ROOF)


def test_progress_names_the_cells():
    told = []
    pv_fleet(CELLS, roofs(4), ROOF, progress=lambda text, share: told.append((text, share)))
    assert told == [("roofs Bozhou", 0.0), ("roofs other", 0.5)]

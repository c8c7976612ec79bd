"""Parks: hours worked out by hand, balances, limits, cost, what serves a park, load files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import InputError, Origin, SourceCard
from siting.parks.kernels import run_storage, storage_step
from siting.parks.loads import generated_load, load_shapes, read_park_load
from siting.parks.matching import GridPoint, Park, Storage, match_park, write_park_hours
from siting.parks.supply import Reach, Sources, sources_near
from siting.yields.hourly_store import HourlyStore

NO_STORAGE, NO_LIMIT = Storage(), GridPoint()


def hours_from(start: str, count: int) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq="h", tz="Etc/GMT-8")


def match(load, green, storage=NO_STORAGE, grid=NO_LIMIT, **sources):
    park = Park("P", "园区", "park", 116.2, 33.1, np.array(load, float), "generated")
    return match_park(park, Sources(np.array(green, float), **sources), storage, grid, hours_from("2023", len(load)))


def test_hours_by_hand():
    """Store of 4 MW, 6 MWh, 81 % (0.9 each way); load 10 MW throughout.

    ::

        green 16: surplus 6, charges 4 (content 3.6), exports 2
        green 14: surplus 4, room (6 - 3.6) / 0.9 = 2.667 goes in (content 6), exports 1.333
        green  5: lacks 5, gives 4 (content 6 - 4.444 = 1.556), imports 1
        green  0: lacks 10, gives 1.556 x 0.9 = 1.4 (empty), imports 8.6
    """
    got = match([10] * 4, [16, 14, 5, 0], Storage(4, 6, 0.81))
    hours = got.hours
    assert hours.charge_mw.to_numpy() == pytest.approx([4, 2.4 / 0.9, 0, 0])
    assert hours.stored_mwh.to_numpy() == pytest.approx([3.6, 6, 6 - 4 / 0.9, 0], abs=1e-12)
    assert hours.discharge_mw.to_numpy() == pytest.approx([0, 0, 4, (6 - 4 / 0.9) * 0.9])
    assert hours.import_mw.to_numpy() == pytest.approx([0, 0, 1, 8.6])
    assert hours.export_mw.to_numpy() == pytest.approx([2, 4 - 2.4 / 0.9, 0, 0])
    row = got.summary.iloc[0]
    assert row.green_share == pytest.approx((40 - 9.6) / 40)
    assert row.self_consumption_share == pytest.approx((35 - 2 - (4 - 2.4 / 0.9)) / 35)
    assert (row.import_peak_mw, row.export_peak_mw) == (pytest.approx(8.6), 2)


def test_limits_of_the_grid_point_by_hand():
    """Export at most 1 of 6 MW: 5 are curtailed; import at most 7 of 10: 3 MW are not served."""
    got = match([10, 10], [16, 0], grid=GridPoint(7, 1))
    assert got.hours.curtailed_mw.to_list() == [5, 0]
    assert got.hours.unserved_mw.to_list() == [0, 3]
    row = got.summary.iloc[0]
    assert (row.curtailed_mwh, row.unserved_mwh, row.export_mwh, row.green_share) == (5, 3, 1, 0.5)


def test_cost_per_mwh_by_hand():
    """Own power 4000, storage 500, import 4 MWh x 600, export 6 MWh x 300; 20 MWh served: 5100 / 20 = 255."""
    grid = GridPoint(price_cny_per_mwh=600, export_price_cny_per_mwh=300, source="tariff", confidence="B")
    got = match([10, 10], [16, 6], Storage(annual_cost_cny=500), grid, annual_cost_cny=4000).summary.iloc[0]
    assert got.cost_cny_per_mwh == pytest.approx((4000 + 500 + 4 * 600 - 6 * 300) / 20)
    assert got.saving_cny_per_mwh == pytest.approx(600 - 255)
    assert (got.grid_price_cny_per_mwh, got.price_source, got.price_confidence) == (600, "tariff", "B")


def test_without_sources_everything_is_bought_at_the_grid_price():
    got = match([10, 5], [0, 0], grid=GridPoint(price_cny_per_mwh=600)).summary.iloc[0]
    assert (got.green_share, got.cost_cny_per_mwh, got.import_mwh) == (0, 600, 15)
    assert np.isnan(got.self_consumption_share)
    assert np.isnan(got.import_limit_mw)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    power=st.floats(0, 20),
    hours=st.floats(0, 6),
    efficiency=st.floats(0.5, 1),
    limit=st.floats(0, 30),
)
def test_every_hour_balances_and_the_store_keeps_its_bounds(seed, power, hours, efficiency, limit):
    rng = np.random.default_rng(seed)
    load, green = rng.uniform(0, 20, 100), rng.uniform(0, 30, 100)
    storage = Storage(power, power * hours, efficiency)
    got = match(load, green, storage, GridPoint(limit, limit)).hours
    inward = got.green_mw + got.discharge_mw + got.import_mw + got.unserved_mw
    outward = got.load_mw + got.charge_mw + got.export_mw + got.curtailed_mw
    assert inward.to_numpy() == pytest.approx(outward.to_numpy(), abs=1e-9)
    one_way = np.sqrt(efficiency)
    content = np.cumsum(got.charge_mw * one_way - got.discharge_mw / one_way)
    assert got.stored_mwh.to_numpy() == pytest.approx(content.to_numpy(), abs=1e-9)
    assert 0 <= got.stored_mwh.min() <= got.stored_mwh.max() <= storage.energy_mwh
    assert max(got.charge_mw.max(), got.discharge_mw.max()) <= power
    assert max(got.import_mw.max(), got.export_mw.max()) <= limit
    assert not ((got.charge_mw > 0) & (got.discharge_mw > 0)).any()
    assert not ((got.import_mw > 0) & (got.export_mw > 0)).any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), more_power=st.floats(1, 4), more_energy=st.floats(1, 4))
def test_more_storage_never_lowers_the_green_share(seed, more_power, more_energy):
    rng = np.random.default_rng(seed)
    load, green = rng.uniform(0, 20, 100), rng.uniform(0, 30, 100)
    sizes = ((0, 0), (5, 10), (5 * more_power, 10 * more_energy))
    shares = [match(load, green, Storage(*size)).summary.green_share.iloc[0] for size in sizes]
    assert shares[0] <= shares[1] + 1e-12 <= shares[2] + 2e-12


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), low=st.floats(0, 30), more=st.floats(0, 10))
def test_a_wider_export_limit_never_curtails_more(seed, low, more):
    rng = np.random.default_rng(seed)
    load, green = rng.uniform(0, 20, 100), rng.uniform(0, 30, 100)
    lost = [match(load, green, grid=GridPoint(30, limit)).summary.curtailed_mwh.iloc[0] for limit in (low, low + more)]
    assert lost[1] <= lost[0]


def test_the_year_at_once_equals_hour_by_hour():
    """The compiled run of all hours against the rule of one hour, uncompiled, one after another."""
    surplus = np.random.default_rng(7).normal(0, 10, 500)
    charge, discharge, stored = run_storage(surplus, 6.0, 15.0, 0.9)
    content, one_by_one = 0.0, []
    for value in surplus:
        one_by_one.append(storage_step.py_func(value, content, 6.0, 15.0, 0.9))
        content = one_by_one[-1][2]
    assert np.array_equal(np.array(one_by_one), np.column_stack([charge, discharge, stored]))
    assert charge.max() == 6.0
    assert stored.max() == 15.0


def test_no_other_dispatch_serves_more_than_the_greedy_one():
    """A linear programme free to keep energy back for later reaches the same imported energy."""
    from scipy.optimize import linprog

    rng = np.random.default_rng(3)
    for _ in range(5):
        load, green = rng.uniform(0, 20, 24), rng.uniform(0, 30, 24)
        surplus, deficit = np.maximum(green - load, 0), np.maximum(load - green, 0)
        got = match(load, green, Storage(5, 12, 0.81)).summary.iloc[0]
        below = np.tril(np.ones((24, 24)))
        content = np.hstack([0.9 * below, -below / 0.9])  # charge, discharge -> content at the end of each hour
        best = linprog(
            np.r_[np.zeros(24), -np.ones(24)],
            A_ub=np.vstack([content, -content]),
            b_ub=np.r_[np.full(24, 12.0), np.zeros(24)],
            bounds=[(0, min(5.0, s)) for s in surplus] + [(0, min(5.0, d)) for d in deficit],
        )
        assert got.discharge_mwh == pytest.approx(-best.fun, abs=1e-6)


# --- what serves a park --------------------------------------------------------------------------------------------


def _ground():
    """B 20 MW of PV at 1 km, C 30 MW of wind at 2 km, A 10 MW of PV at 5 km, D far away; the park at 33.0 N."""
    candidates = pd.DataFrame({
        "candidate_id": ["A", "B", "C", "D"], "kind": ["roof", "ground", "wind", "ground"],
        "grid_capacity_mw": [10.0, 20.0, 30.0, 99.0], "lon": 116.0, "lat": [33.045, 33.009, 33.018, 34.0],
    })  # fmt: skip
    yields = pd.DataFrame({"candidate_id": ["A", "B", "C", "D"], "energy_mwh": [10.0, 20.0, 60.0, 99.0],
                           "lcoe_cny_per_kwh": [0.4, 0.3, 0.2, 0.1]})  # fmt: skip
    sites = pd.DataFrame({"candidate_id": ["A", "B", "C", "D"], "variant_id": ["sun", "sun", "wind", "sun"],
                          "capacity_mw": candidates["grid_capacity_mw"]})  # fmt: skip
    power = np.array([[0.0, 1.0], [1.0, 1.0]], np.float32)
    return candidates, yields, HourlyStore(("sun", "wind"), hours_from("2023", 2), power, sites)


def near(**reach):
    candidates, yields, store = _ground()
    return sources_near(116.0, 33.0, Reach(**reach), candidates, yields, store)


def test_the_nearest_serve_first_and_the_last_in_part():
    """25 MW of PV: all of B and half of A; 15 MW of wind: half of C. Cost: 20 x 300 + 5 x 400 + 30 x 200."""
    got = near(radius_km=10, pv_mw=25, wind_mw=15)
    assert got.candidates == ("B", "C", "A")
    assert (got.pv_mw, got.wind_mw) == (25, 15)
    assert got.green_mw.tolist() == [15, 40]
    assert got.annual_cost_cny == pytest.approx(20 * 300 + 5 * 400 + 30 * 200)


def test_radius_and_named_candidates():
    assert near(radius_km=3).candidates == ("B", "C")
    assert near(radius_km=0.5).candidates == ()
    assert near(radius_km=0.5).green_mw.tolist() == [0, 0]
    assert near(candidates=("D", "A")).candidates == ("A", "D")
    assert near(radius_km=3, wind_mw=0).candidates == ("B",)
    with pytest.raises(KeyError, match="no candidate X"):
        near(candidates=("A", "X"))


# --- loads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", load_shapes()["shape"])
def test_generated_loads(shape):
    """The peak is reached on a working day; the sixth and seventh day follow the weekend share."""
    load = generated_load(50.0, shape)
    assert len(load) == 8760
    assert load.max() == 50.0
    share = load_shapes().set_index("shape").weekend_share[shape]
    assert load[5 * 24 : 7 * 24] == pytest.approx(share * load[:48])
    assert generated_load(50.0, shape, first_weekday=5)[0] == pytest.approx(share * load[0])


def test_shapes_say_that_they_are_generated():
    shapes = load_shapes()
    assert set(shapes["origin"]) == {"generated"}
    assert shapes["source"].str.contains("generated").all()


def card_of(path: Path) -> SourceCard:
    return SourceCard("load", path, path.name, "own", Origin.MEASURED)


def year_of_load() -> pd.DataFrame:
    starts = pd.date_range("2023-01-01", periods=8760, freq="h")
    return pd.DataFrame({"hour_start": starts, "load_mw": np.arange(8760) % 24 + 1.0})


def test_a_load_file_with_and_without_labels(tmp_path):
    table = year_of_load()
    for columns in (["hour_start", "load_mw"], ["load_mw"]):
        table[columns].to_csv(tmp_path / "load.csv", index=False)
        assert read_park_load(card_of(tmp_path / "load.csv"), "load_mw").tolist() == table["load_mw"].tolist()


def test_labels_in_other_zones_are_moved_to_local_time(tmp_path):
    table = year_of_load()
    table["hour_start"] = table["hour_start"].dt.tz_localize("Etc/GMT-8").dt.tz_convert("UTC")
    table.to_csv(tmp_path / "load.csv", index=False)
    assert read_park_load(card_of(tmp_path / "load.csv"), "load_mw")[:3].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (lambda t: t.drop(index=[5, 6]), {"parks.load_gap"}),
        (lambda t: t.assign(load_mw=t["load_mw"].where(t.index != 9)), {"parks.load_gap"}),
        (lambda t: t.assign(load_mw=-t["load_mw"]), {"parks.load_negative"}),
        (lambda t: pd.concat([t, t[:1]]), {"parks.load_twice"}),
        (lambda t: t.iloc[::-1], {"parks.load_order"}),
        (lambda t: t.assign(hour_start=t["hour_start"] + pd.Timedelta("30min")),
         {"parks.load_gap", "parks.load_foreign"}),
        (lambda t: t.assign(hour_start="soon"), {"parks.load_time"}),
        (lambda t: t[["load_mw"]][:-1], {"parks.load_hours"}),
        (lambda t: t.rename(columns={"load_mw": "p"}), {"parks.load_column_missing"}),
        (lambda t: t.drop(index=5).assign(load_mw=-1.0), {"parks.load_gap", "parks.load_negative"}),
    ],
)  # fmt: skip
def test_every_fault_of_a_load_file_is_named(tmp_path, change, rules):
    change(year_of_load()).to_csv(tmp_path / "load.csv", index=False)
    with pytest.raises(InputError) as caught:
        read_park_load(card_of(tmp_path / "load.csv"), "load_mw")
    assert {f.rule for f in caught.value.findings} == rules
    assert all(f.remedy and f.file == "load.csv" for f in caught.value.findings)


def test_labels_at_the_end_of_the_hours_are_refused(tmp_path):
    """The last label is the first of the next year: one hour is missing and one foreign, never a year an hour late."""
    table = year_of_load()
    table["hour_start"] = table["hour_start"] + pd.Timedelta("1h")
    table.to_csv(tmp_path / "load.csv", index=False)
    with pytest.raises(InputError) as caught:
        read_park_load(card_of(tmp_path / "load.csv"), "load_mw")
    assert {f.rule for f in caught.value.findings} == {"parks.load_gap", "parks.load_foreign"}


def test_a_clock_that_is_put_forward_is_refused(tmp_path):
    """A zone with summer time has one local hour twice and one not at all; its labels with offsets are moved."""
    table = year_of_load()
    berlin = pd.date_range("2023-01-01", periods=8760, freq="h", tz="Etc/GMT-8").tz_convert("Europe/Berlin")
    table["hour_start"] = berlin.tz_localize(None).astype(str)
    table.to_csv(tmp_path / "load.csv", index=False)
    with pytest.raises(InputError):
        read_park_load(card_of(tmp_path / "load.csv"), "load_mw")
    table["hour_start"] = [stamp.isoformat() for stamp in berlin]
    table.to_csv(tmp_path / "load.csv", index=False)
    assert read_park_load(card_of(tmp_path / "load.csv"), "load_mw")[:3].tolist() == [1, 2, 3]


def test_a_leap_year_is_refused(tmp_path):
    starts = pd.date_range("2024-01-01", periods=8784, freq="h")
    pd.DataFrame({"hour_start": starts, "load_mw": 1.0}).to_csv(tmp_path / "load.csv", index=False)
    with pytest.raises(InputError, match="leap year"):
        read_park_load(card_of(tmp_path / "load.csv"), "load_mw")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError) as caught:
        read_park_load(card_of(tmp_path / "none.csv"), "load_mw")
    assert [f.rule for f in caught.value.findings] == ["source.file_missing"]


# --- what cannot be ------------------------------------------------------------------------------------------------


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(ValueError, match="2 hours of load, 3 of generation"):
        match([1, 1], [1, 1, 1])
    with pytest.raises(ValueError, match="known and not negative"):
        match([1, np.nan], [1, 1])
    with pytest.raises(ValueError, match="limits may not be negative"):
        match([1, 1], [1, 1], replace(NO_STORAGE, power_mw=-1.0))
    with pytest.raises(KeyError, match="four_shifts"):
        generated_load(1.0, "four_shifts")


def test_hours_are_written_with_the_start_of_their_interval(tmp_path):
    hours = match([10, 5], [12, 0]).hours
    write_park_hours(hours, tmp_path / "a.parquet")
    write_park_hours(hours, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = pq.read_table(tmp_path / "a.parquet").to_pandas()
    assert [str(stamp) for stamp in back["hour_start"]] == ["2023-01-01 00:00:00+08:00", "2023-01-01 01:00:00+08:00"]
    assert back["export_mw"].tolist() == [2, 0]

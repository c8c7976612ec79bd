"""Capacity of a study's stations by curtailed energy: profiles by hand, and the stage on the small network."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import study_samples as samples

from grid.contracts import SUBSTATIONS, Case, FuelShare
from layers.contracts import FindingLog
from siting.yields import hourly_store
from siting.yields.hourly_store import HourlyStore
from study import records
from study.network import curtailment
from study.network.curtailment import (
    CURTAILMENT,
    CURTAILMENT_CHECKS,
    CURTAILMENT_DURATION,
    STATION_HEAT_MAP,
    Curtailment,
    compute_curtailment,
    curtailed_from_most,
    curtailment_tables,
    flexible_substations,
    mean_profiles,
    profile_kinds,
)

HOURS = 48
CASE = Case("d", "", "", 1.0, 0.0, 0.0, (FuelShare("coal", 0.5),), "summer")
CANDIDATES = pd.DataFrame(
    {"candidate_id": ["A", "B", "C"], "kind": ["pv_ground", "pv_roof", "wind"], "grid_capacity_mw": [40.0, 20.0, 50.0]}
)


def store() -> HourlyStore:
    index = pd.date_range("2023-07-01", periods=HOURS, freq="h", tz="Etc/GMT-8")
    sun = np.clip(np.sin((index.hour - 6) * np.pi / 12), 0.0, None)
    return HourlyStore(
        ("w/a", "w/b", "w/wind"), index, np.array([sun, 0.5 * sun, 0.2 + 0.6 * sun], np.float32),
        pd.DataFrame({"candidate_id": ["A", "B", "C"], "variant_id": ["w/a", "w/b", "w/wind"],
                      "capacity_mw": [40.0, 20.0, 50.0]}),
    )  # fmt: skip


class _Results:
    """What the stages before would give."""

    def __init__(self, buses: list[str]) -> None:
        self.log, self.progress = FindingLog(), None
        self.study = SimpleNamespace(file=None, shown_path="study.toml")
        connections = pd.DataFrame({"candidate_id": ["A", "B", "C"], "bus_id": buses})
        self._found = {
            "network": samples.small_network(), "demand": None, "yields": None, "connections": connections,
            "sites": SimpleNamespace(candidates=CANDIDATES),
        }  # fmt: skip

    def get(self, name: str) -> object:
        return self._found[name]


@pytest.fixture(scope="module")
def small() -> tuple[Curtailment, _Results]:
    network = samples.small_network()
    first, second = network.buses["bus_id"].iloc[:2]
    results = _Results([first, second, second])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hourly_store, "store_of", lambda *_: store())
        patch.setattr(records, "cases", lambda _: (CASE,))
        return compute_curtailment(results), results  # type: ignore[arg-type]


def test_profiles_are_means_of_their_kind() -> None:
    profiles = mean_profiles(store(), CANDIDATES)
    assert list(profiles) == ["pv", "wind"]
    assert profiles["pv"][12] == pytest.approx(0.75)  # (1 + 0.5) / 2 at noon
    assert profiles["wind"][12] == pytest.approx(0.8)
    assert profiles["wind"][0] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("buses", "expected"),
    [
        (["x", "x", "x"], {"x": "pv"}),  # 60 MW of PV, 50 of wind
        (["x", "y", "y"], {"x": "pv", "y": "wind"}),
        (["x", "", ""], {"x": "pv"}),
        (["", "", "z"], {"z": "wind"}),
    ],
)
def test_a_bus_follows_the_kind_that_would_connect_most(buses: list[str], expected: dict[str, str]) -> None:
    connections = pd.DataFrame({"candidate_id": ["A", "B", "C"], "bus_id": buses})
    profile = np.ones(1)
    assert profile_kinds(connections, CANDIDATES, {"pv": profile, "wind": profile}) == expected


def test_a_kind_without_a_profile_is_left_out() -> None:
    connections = pd.DataFrame({"candidate_id": ["C"], "bus_id": ["z"]})
    assert profile_kinds(connections, CANDIDATES, {"pv": np.ones(1)}) == {}


def test_more_may_be_curtailed_the_more_fits_at_every_bus(small: tuple[Curtailment, _Results]) -> None:
    found, results = small
    network = results.get("network")
    inside = set(network.stations.loc[network.stations["in_region"], "station_id"])  # type: ignore[attr-defined]
    assert set(found.curves["station_id"]) <= inside
    assert len(found.curves)
    wide = found.curves.pivot(index="bus_id", columns="curtailed_percent", values="capacity_mw")
    assert wide.columns.tolist() == [0.0, 1.0, 5.0, 10.0]
    assert (np.diff(wide.to_numpy(), axis=1) >= 0).all()
    assert wide.to_numpy().max() > 0
    assert set(found.curves["bus_id"]) <= set(network.buses["bus_id"])  # type: ignore[attr-defined]
    solved = found.curves[found.curves["capacity_mw"] > 0]
    assert (solved["utilisation_percent"] + solved["curtailed_percent"]).to_numpy() == pytest.approx(100.0, abs=1e-6)


def test_heat_map_and_checks_speak_the_names_of_the_study(small: tuple[Curtailment, _Results]) -> None:
    found, _ = small
    assert set(found.heat["bus_id"]) == set(found.curves["bus_id"])
    assert set(found.heat["month"]) == {7}
    assert (found.heat.groupby("bus_id")["of_hours"].sum() == HOURS).all()
    assert found.checks["count"].sum() > 0
    assert set(curtailment_tables(found)) == {
        "loadflow/curtailment", "loadflow/curtailment_checks", "loadflow/curtailment_duration",
        "loadflow/hosting_heat_map",
    }  # fmt: skip


def test_substations_get_the_column_and_stay_without_it_where_nothing_was_solved(
    small: tuple[Curtailment, _Results],
) -> None:
    found, _ = small
    bus = str(found.curves["bus_id"].iloc[0])
    table = flexible_substations(pd.DataFrame({"bus_id": [bus, "elsewhere"]}), found)
    five = found.curves[(found.curves["bus_id"] == bus) & (found.curves["curtailed_percent"] == 5.0)]
    assert table["flexible_5_percent_mw"].tolist()[0] == five["capacity_mw"].iloc[0]
    assert np.isnan(table["flexible_5_percent_mw"].iloc[1])
    assert "flexible_5_percent_mw" in SUBSTATIONS.optional
    nothing = Curtailment(
        CURTAILMENT.empty(), STATION_HEAT_MAP.empty(), CURTAILMENT_CHECKS.empty(), CURTAILMENT_DURATION.empty()
    )
    assert list(flexible_substations(table[["bus_id"]], nothing).columns) == ["bus_id"]
    assert curtailment_tables(nothing) == {}


def test_without_a_state_there_is_a_warning_and_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(results: object) -> None:
        raise ValueError("the base case did not converge")

    monkeypatch.setattr(curtailment, "year_state", none)
    results = _Results(["", "", ""])
    found = compute_curtailment(results)  # type: ignore[arg-type]
    assert found.curves.empty
    assert [f.rule for f in results.log.findings] == ["year.base_case"]


def test_curtailed_hours_by_hand() -> None:
    """10 MW at full, half and no sun against limits of 4, 6 and 0 MW: 6 MW are lost once, nothing else."""
    assert curtailed_from_most(np.array([4.0, 6.0, 0.0]), np.array([1.0, 0.5, 0.0]), 10.0).tolist() == [6.0]


def test_duration_curve_falls_and_holds_the_curtailed_energy(small: tuple[Curtailment, _Results]) -> None:
    """Between two listed hours the curve lies between their powers, so steps above and below bracket the energy."""
    found, _ = small
    five = found.curves[found.curves["curtailed_percent"] == 5.0].set_index("bus_id")
    assert set(found.duration["bus_id"]) == set(five.index)
    for bus, points in found.duration.groupby("bus_id"):
        hours, power = points["hours"].to_numpy(), points["curtailed_mw"].to_numpy()
        assert (np.diff(hours) > 0).all()
        assert (np.diff(power) <= 0).all()
        wide = np.diff(np.concatenate([[0], hours]))
        above, below = (wide * np.concatenate([power[:1], power[:-1]])).sum(), (wide * power).sum()
        lost = five.loc[bus, "curtailed_mwh"]
        assert below - 1e-6 <= lost <= above + 1e-6
        assert points["capacity_mw"].nunique() == 1

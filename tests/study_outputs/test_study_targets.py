"""The plan's figures beside the candidates, like with like."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.tables import ContractError
from maps.contracts import PROJECTS, TARGETS
from siting.technologies.tables import load_technology_tables
from study.stages.targets import Installed, Target, accepted_capacity_mw, target_table

PV_2030 = Target("亳州", "光伏装机", "PV installed", "pv", 2030, 100.0, source="plan, table 2")


def figures(table: pd.DataFrame) -> list[float]:
    return table.loc[0, ["target_mw", "installed_mw", "candidates_mw", "accepted_mw", "gap_mw"]].tolist()


def test_pv_by_hand(projects: gpd.GeoDataFrame) -> None:
    # candidates: P1 12 MW DC + P2 6 MW DC                          = 18 MW DC
    # accepted:   P1 10 MW AC * 12/10 + P2 2.5 MW AC * 6/5 = 12 + 3 = 15 MW DC
    # gap:        100 - 40 - 15                                     = 45 MW
    target = Target("亳州", "光伏装机", "PV installed", "pv", 2030, 100.0, 40.0, "plan")
    table = target_table([target], projects)
    assert figures(table) == pytest.approx([100, 40, 18, 15, 45])
    assert table.loc[0, "source"] == "plan"


def test_trap_ac_and_dc_capacity_are_not_mixed(projects: gpd.GeoDataFrame) -> None:
    """A fully accepted PV project counts with its whole DC figure: no gap where the network refuses nothing."""
    projects["accepted_mw"] = projects["grid_capacity_mw"]
    table = target_table([PV_2030], projects)
    assert table.loc[0, "accepted_mw"] == pytest.approx(table.loc[0, "candidates_mw"])


@pytest.mark.parametrize(
    ("group", "candidates_mw", "accepted_mw"),
    [("pv", 18.0, 15.0), ("wind", 20.0, 0.0), ("renewable", 38.0, 15.0), ("storage", 0.0, 0.0)],
)
def test_groups(projects: gpd.GeoDataFrame, group: str, candidates_mw: float, accepted_mw: float) -> None:
    target = Target("亳州", "指标", "figure", group, 2025, 400.0)  # type: ignore[arg-type]
    table = target_table([target], projects)
    assert math.isnan(table.loc[0, "installed_mw"])
    assert table.loc[0, ["candidates_mw", "accepted_mw"]].tolist() == pytest.approx([candidates_mw, accepted_mw])
    assert table.loc[0, "gap_mw"] == pytest.approx(400.0 - accepted_mw)


def test_bozhou_storage_has_no_candidates(projects: gpd.GeoDataFrame) -> None:
    storage = Target("亳州", "储能电站", "storage stations", "storage", 2025, 400.0, source="BZ plan")
    assert figures(target_table([storage], projects))[2:] == [0.0, 0.0, 400.0]


def test_installed_fills_what_the_target_does_not_state(projects: gpd.GeoDataFrame) -> None:
    installed = [
        Installed("pv", 30.0, "plants 2021"),
        Installed("pv", 5.0, "station list"),
        Installed("wind", 9.0, "x"),
    ]
    table = target_table([PV_2030], projects, installed)
    assert table.loc[0, "installed_mw"] == 35.0
    assert table.loc[0, "gap_mw"] == pytest.approx(100 - 35 - 15)
    assert table.loc[0, "source"] == "plan, table 2; installed: plants 2021; installed: station list"


def test_the_targets_own_figure_wins_and_renewable_is_not_guessed_from_its_parts(projects: gpd.GeoDataFrame) -> None:
    installed = [Installed("pv", 30.0, "plants"), Installed("wind", 9.0, "plants")]
    stated = Target("亳州", "光伏", "PV", "pv", 2030, 100.0, 1.0, "plan")
    renewable = Target("亳州", "可再生", "renewable", "renewable", 2030, 100.0)  # counts hydro as well
    table = target_table([stated, renewable], projects, installed)
    assert table["installed_mw"].tolist() == pytest.approx([1.0, math.nan], nan_ok=True)
    assert table.loc[0, "source"] == "plan"


def test_targets_of_some_districts_count_their_projects_only(projects: gpd.GeoDataFrame) -> None:
    county = Target("涡阳", "光伏", "PV", "pv", 2030, 10.0, districts=("341621",))
    table = target_table([county], projects, [Installed("pv", 99.0, "whole city")])
    assert figures(table)[2:] == pytest.approx([6, 3, 7])
    assert math.isnan(table.loc[0, "installed_mw"])  # the whole city's figure says nothing about one county
    elsewhere = Target("蒙城", "光伏", "PV", "pv", 2030, 10.0, districts=("341622",))
    assert figures(target_table([elsewhere], projects))[2:] == [0.0, 0.0, 10.0]


def test_rows_keep_the_order_and_empty_lists_are_tables(projects: gpd.GeoDataFrame) -> None:
    years = [2030, 2025, 2035]
    table = target_table([Target("r", "指标", "q", "pv", year, 1.0) for year in years], projects)
    assert table["year"].tolist() == years
    assert list(target_table([], projects).columns) == list(TARGETS.columns)
    assert figures(target_table([PV_2030], PROJECTS.empty()))[2:] == [0.0, 0.0, 100.0]


def test_unknown_technology_is_named(projects: gpd.GeoDataFrame) -> None:
    projects["technology"] = ["pv_pond", "tidal", "pv_pond"]
    with pytest.raises(ContractError, match="technologies tidal are not known"):
        target_table([PV_2030], projects)


def test_every_technology_of_the_program_counts_towards_a_group(projects: gpd.GeoDataFrame) -> None:
    for technology in load_technology_tables().technologies:
        projects["technology"] = technology.technology
        table = target_table([Target("r", "指标", "q", "renewable", 2030, 1.0)], projects)
        assert table.loc[0, "candidates_mw"] == 38.0


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 500), st.floats(1.0, 2.0), st.floats(0, 1), st.sampled_from(["pv_roof", "wind_onshore"])
        ),
        max_size=12,
    )
)
def test_sums_agree_over_groups_never_exceed_the_candidates_and_ignore_order(rows: list) -> None:
    projects = pd.DataFrame(
        {
            "district_code": ["d"] * len(rows),
            "technology": [kind for *_, kind in rows],
            "capacity_mw": np.array([mw for mw, *_ in rows], dtype=float),
            "grid_capacity_mw": np.array([mw / ratio for mw, ratio, *_ in rows], dtype=float),
            "accepted_mw": np.array([mw / ratio * share for mw, ratio, share, _ in rows], dtype=float),
        }
    )
    targets = [Target("r", "指标", "q", group, 2030, 1.0) for group in ("pv", "wind", "renewable")]  # type: ignore[arg-type]
    table = target_table(targets, projects)
    pv, wind, renewable = (table[["candidates_mw", "accepted_mw"]].to_numpy()[k] for k in range(3))
    np.testing.assert_allclose(pv + wind, renewable, rtol=1e-12, atol=1e-12)
    assert (table["accepted_mw"] <= table["candidates_mw"] * (1 + 1e-12)).all()
    assert (accepted_capacity_mw(projects) <= projects["capacity_mw"] * (1 + 1e-12)).all()
    shuffled = projects.sample(frac=1.0, random_state=3)
    pd.testing.assert_frame_equal(target_table(targets, shuffled), table, check_exact=True)

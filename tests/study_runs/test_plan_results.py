"""What a plan leaves in its run: every sum follows from the tables beside it, every row of the list by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import pyproj
import pytest
from plan_runs import PLAN, planned, study_with

from study.outputs.exports import read_table
from study.plan.basis import connection_rate
from study.run_folder.tables import plan_contracts

ISSUED = ("objective_cny", "best_bound_cny", "gap_percent", "seconds", "ac_violations", "stages")
ROUNDED = 2e-5
"""Tables hold six significant digits."""


@pytest.fixture(scope="module", params=["least_cost", "most_mw"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A county whose PV is asked for beyond what its network takes, and one that takes the most it can."""
    plan = PLAN.format(mw=260.0 if request.param == "least_cost" else 0.0)
    plan = plan.replace("hours = 6", f'hours = 6\nobjective = "{request.param}"')
    root = tmp_path_factory.mktemp("root")
    return planned(study_with(tmp_path_factory.mktemp("s"), plan), root)[1]


def tables_of(run: Path) -> dict[str, pd.DataFrame]:
    contracts = {table.name.removeprefix("plan_"): table for table in plan_contracts()}
    return {name: read_table(run / "plan" / f"{name}.csv", contract) for name, contract in contracts.items()}


def summary_of(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "plan" / "summary.json").read_text("utf-8")))


def test_every_sum_of_the_summary_is_that_of_the_tables(run: Path) -> None:
    told, tables = summary_of(run), tables_of(run)
    sites, measures, last = tables["sites"], tables["measures"], told["stages"][-1]
    assert set(ISSUED) <= set(told)
    sums = {
        "grid_capacity_mw": sites["planned_mw"].sum(),
        "installed_mw": sites["planned_capacity_mw"].sum(),
        "energy_mwh": sites["p50_mwh"].sum() - last["curtailed_mwh"],
        "grid_investment_cny": measures["investment_cny"].sum(),
    }
    for key, value in sums.items():
        assert last[key] == pytest.approx(value, rel=ROUNDED, abs=1e-2), key
    assert told["sites_built"] == (sites["planned_mw"] > 0).sum() == (sites["stage"] != "").sum()
    assert last["measures"] == sorted(measures["measure_id"])
    stored = tables["storage"].groupby("stage")[["power_mw", "energy_mwh"]].sum()
    for stage in told["stages"]:
        mine = tables["targets"][tables["targets"]["stage"] == stage["stage"]]
        assert [t["target"] for t in stage["targets"]] == mine["target"].tolist()
        for key, column in (("new_mw", "new_mw"), ("planned_mw", "planned_mw"), ("shortfall_mw", "missing_mw")):
            assert [t[key] for t in stage["targets"]] == pytest.approx(mine[column].tolist(), rel=ROUNDED, abs=1e-3)
        assert stage["target_mw"] == pytest.approx(mine["new_mw"].sum(), rel=ROUNDED)
        assert stage["shortfall_mw"] == pytest.approx(mine["missing_mw"].sum(), rel=ROUNDED, abs=1e-3)
        power, content = stored.loc[stage["stage"]] if stage["stage"] in stored.index else (0.0, 0.0)
        # stores of less than a kW are no row
        assert stage["storage_mw"] == pytest.approx(power, rel=ROUNDED, abs=0.03)
        assert stage["storage_mwh"] == pytest.approx(content, rel=ROUNDED, abs=0.2)
        assert stage["yearly_cost_cny"] == pytest.approx(sum(stage["yearly_cost_by_item_cny"].values()))
        factor = told["co2_factor"]["co2_kg_per_kwh"]
        assert stage["co2_avoided_t"] == pytest.approx(stage["energy_mwh"] * factor)
    assert told["co2_avoided_t"] == last["co2_avoided_t"]
    assert told["co2_factor"]["factor_year"] > 2000
    assert told["co2_factor"]["source"]
    mean = sum(stage["weight"] * stage["yearly_cost_cny"] for stage in told["stages"])
    assert told["objective_cny"] == pytest.approx(mean, rel=1e-6)
    assert told["ac_violations"] == sum(stage["ac_violations"] for stage in told["stages"]) == len(told["violations"])
    assert told["binding_rows"] == len(tables["binding"])


def test_the_staircase_rises_and_ends_where_the_summary_says(run: Path) -> None:
    told, stairs = summary_of(run), tables_of(run)["staircase"]
    assert stairs["with_upgrades"].tolist() == [False] + [True] * (len(stairs) - 1)
    assert stairs["deliverable_gw"].is_monotonic_increasing
    assert stairs["grid_cost_cny"].is_monotonic_increasing
    assert stairs["grid_cost_cny"].iloc[-1] == pytest.approx(stairs["step_cost_cny"].sum(), rel=ROUNDED)
    assert told["upgrades_cny"] == pytest.approx(stairs["step_cost_cny"].sum(), rel=ROUNDED)
    ends = told["deliverable_mw_without_upgrades"], told["deliverable_mw_with_upgrades"]
    assert ends == pytest.approx(tuple(1000 * stairs["deliverable_gw"].iloc[[0, -1]]), rel=ROUNDED)
    assert stairs["unlocked_mw"].sum() == pytest.approx(ends[1], rel=ROUNDED)
    steps = stairs.iloc[1:]
    assert (steps["cny_per_mw"] * steps["unlocked_mw"]).tolist() == pytest.approx(
        steps["step_cost_cny"].tolist(), rel=1e-4
    )
    assert told["binds_after_last_step_zh"] == stairs["binds_zh"].iloc[-1] != ""
    assert stairs["proved"].all()


def test_every_measure_of_the_menu_has_its_step_or_a_reason(run: Path) -> None:
    tables = tables_of(run)
    menu, stairs = tables["menu"], tables["staircase"]
    built = " ".join(stairs["measure_id"]).split()
    assert set(built) <= set(menu["measure_id"])
    steps = menu[menu["step"] != ""]
    assert sorted(steps["measure_id"]) == sorted(built)
    assert menu["order"].tolist() == list(range(1, len(menu) + 1))
    assert steps["step"].astype(int).is_monotonic_increasing
    assert menu.index[: len(steps)].equals(steps.index)
    assert (menu["note_zh"] != "").all()
    assert (menu["note_en"] != "").all()
    assert (menu["unlocked_mw"].notna() == (menu["step"] != "")).all()
    planned_ids = set(menu.loc[menu["stage"] != "", "measure_id"])
    assert planned_ids == set(tables["measures"]["measure_id"])
    without = tables["measures"][tables["measures"]["step"] == ""]
    assert without["lost_mw"].notna().all()


def test_each_row_of_the_list_by_hand(run: Path) -> None:
    """LCOE from the cost waterfall, connection and shares; P90 below P50; coordinates by another transformer."""
    tables = tables_of(run)
    sites, shares = tables["sites"], tables["cost_shares"]
    waterfall = pd.read_csv(run / "cost" / "waterfall.csv")
    items = waterfall.pivot_table(index="candidate_id", columns="cost_item", values="yearly_cny", aggfunc="sum").fillna(
        0
    )
    paid = items.drop(columns="degradation").sum(axis=1)
    own, ageing = paid - items["connection"], 1 + items["degradation"] / paid
    shared = shares.groupby("candidate_id")["annual_cost_cny"].sum()
    built = sites[sites["planned_mw"] > 0.01]
    for row in [*built.head(3).itertuples(), *built.tail(3).itertuples()]:
        part = row.planned_capacity_mw / row.capacity_mw
        yearly = part * own[row.candidate_id] + row.own_upgrade_cny * connection_rate()
        yearly = (yearly + float(shared.get(row.candidate_id, 0.0))) * ageing[row.candidate_id]
        assert row.lcoe_cny_per_kwh == pytest.approx(yearly / row.p50_mwh / 1000, rel=1e-4)
        assert row.full_load_hours == pytest.approx(row.p50_mwh / row.planned_mw, rel=1e-4)
        assert 0 < row.p90_mwh < row.p50_mwh
        # the meridian of a zone is three times its number; the zone is the nearest meridian's
        meridian = 3 * row.cgcs2000_zone
        assert abs(row.lon - meridian) <= 2.0
        zone = f"+proj=tmerc +lon_0={meridian} +k=1 +x_0=500000 +ellps=GRS80 +units=m"
        to_degrees = pyproj.Transformer.from_crs(zone, "EPSG:4490", always_xy=True)
        assert to_degrees.transform(row.cgcs2000_y_m, row.cgcs2000_x_m) == pytest.approx((row.lon, row.lat), abs=1e-4)
    assert (sites["responsible_unit"] == "").all()
    assert (sites["reason_zh"] != "").all()
    assert set(sites["verdict"]) <= {"build", "build_part", "no_room", "not_needed"}


def test_shares_of_every_measure_add_up_to_its_cost(run: Path) -> None:
    tables = tables_of(run)
    measures, shares, sites = tables["measures"], tables["cost_shares"], tables["sites"]
    for row in measures.itertuples():
        mine = shares[shares["measure_id"] == row.measure_id]
        assert mine["use_share"].sum() == pytest.approx(1.0, abs=1e-4)
        assert mine["investment_cny"].sum() == pytest.approx(row.investment_cny, rel=1e-4)
        assert mine["annual_cost_cny"].sum() == pytest.approx(row.annual_cost_cny, rel=1e-4)
    assert sites["shared_upgrade_cny"].sum() == pytest.approx(measures["investment_cny"].sum(), rel=1e-4)
    users = sites[sites["shared_upgrades"] != ""]
    assert set(users["candidate_id"]) == set(shares["candidate_id"])
    assert (users["shared_upgrades_zh"] != "").all()


def test_points_elements_and_outages_have_names_in_both_languages(run: Path) -> None:
    told, tables = summary_of(run), tables_of(run)
    hours = tables["hours"]
    named = [p for p in told["points"] if re.fullmatch(r"h\d{4}", p)]
    assert named
    assert sorted(named) == hours["point"].tolist()
    begins = pd.Timestamp("2001-01-01") + pd.to_timedelta(hours["hour"], unit="h")
    assert hours["begins"].tolist() == [f"{at:%m-%d %H}:00" for at in begins]
    assert hours["name_zh"].str.fullmatch(r"\d+月\d+日\d+时（.+）").all()
    assert hours["name_en"].str.fullmatch(r"\d+ [A-Z][a-z]{2} \d\d:00 \(.+\)").all()
    binding = tables["binding"]
    ids = re.compile(r"\b[LST]\d{2,3}[-:]|\bh\d{4}\b")
    texts = [*binding["element_zh"], *binding["outage_en"], *binding["point_zh"], *hours["name_en"],
             *tables["staircase"]["binds_zh"], *tables["staircase"]["binds_en"], *tables["menu"]["note_en"],
             *tables["sites"]["reason_en"], *tables["sites"]["reason_zh"],
             *tables["storage"]["station_zh"]]  # fmt: skip
    assert [text for text in texts if ids.search(text)] == []
    assert not np.isinf(tables["menu"].select_dtypes("number").to_numpy(float)).any()


def test_the_list_of_the_plan_is_a_layer_of_the_geopackage(run: Path) -> None:
    sites = tables_of(run)["sites"]
    layer = pyogrio.read_dataframe(run / "projects.gpkg", layer="plan_sites")
    assert layer["candidate_id"].tolist() == sites["candidate_id"].tolist()
    assert layer["planned_mw"].sum() == pytest.approx(sites["planned_mw"].sum())
    assert set(layer.geom_type) == {"Point"}
    styles = pyogrio.read_dataframe(run / "projects.gpkg", layer="layer_styles", read_geometry=False)
    assert "plan_sites" in set(styles["f_table_name"])

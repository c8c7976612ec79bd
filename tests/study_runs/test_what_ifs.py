"""What-ifs of a plan on a small generated study: only the plan is made again, and its answer moves the right way."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from plan_runs import PLAN, planned, study_with

from layers.contracts import InputError
from study.run_folder.manifest import verify_run

GOAL_MW = 80.0
NO_FAULT = ("convert ", "Writing sheet ", "Overwriting", "Warning: failed to launch javaldx")
"""What LibreOffice says of its own doings; the last where no Java is installed."""


def summary(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "plan" / "summary.json").read_text("utf-8")))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def first(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    computed, run = planned(study_with(tmp_path_factory.mktemp("s"), PLAN.format(mw=GOAL_MW)), root)
    assert {"land", "plan_basis", "plan"} <= computed
    return run


def test_the_plan_says_what_it_is_worth(first: Path) -> None:
    """Nothing is decided by halves in so small a county, so the bound is the plan's own cost."""
    told = summary(first)
    assert told["gap_percent"] <= 1.0
    assert told["best_bound_cny"] == pytest.approx(told["objective_cny"], rel=0.01)
    assert told["ac_violations"] == 0


def test_dearer_storage_plans_anew_and_costs_more(root: Path, first: Path, tmp_path: Path) -> None:
    plan = PLAN.format(mw=GOAL_MW).replace("storage_share = 0.10", "storage_share = 0.10\nstorage_cny_per_mwh = 3e6")
    computed, run = planned(study_with(tmp_path, plan), root)
    assert computed == {"plan"}
    assert summary(run)["objective_cny"] > summary(first)["objective_cny"]
    assert verify_run(first) == []


def with_dropped(*stations: str, mw: float = GOAL_MW) -> str:
    return PLAN.format(mw=mw).replace("hours = 6", f"hours = 6\ndropped_stations = {list(stations)}")


def test_a_dropped_station_takes_nothing_and_what_lacks_is_told(root: Path, first: Path, tmp_path: Path) -> None:
    """Two stations carry some 80 MW each; without one of them 150 MW are out of reach."""
    station = str(pd.read_csv(first / "plan" / "sites.csv")["station_id"].iloc[0])
    computed, run = planned(study_with(tmp_path, with_dropped(station, mw=150.0)), root)
    assert computed == {"plan"}
    left = pd.read_csv(run / "plan" / "sites.csv")
    assert left["planned_mw"].sum() > 1
    assert not (left.loc[left["station_id"] == station, "planned_mw"] > 0).any()
    row = pd.read_csv(run / "plan" / "targets.csv").iloc[0]
    assert row["missing_mw"] > 1
    (short,) = re.findall(r"^([\d.]+) MW short", row["why_en"])
    assert float(short) == pytest.approx(row["missing_mw"], abs=0.06)


def test_no_station_and_no_station_left_are_refused_and_nothing_is_written(
    root: Path, first: Path, tmp_path: Path
) -> None:
    every = pd.read_csv(first / "plan" / "sites.csv")["station_id"].unique().tolist()
    before = sorted(first.parent.iterdir())
    for stations, rule in ((["S110-nowhere"], "plan.unknown_station"), (every, "plan.nothing_left")):
        with pytest.raises(InputError) as refused:
            planned(study_with(tmp_path / rule, with_dropped(*stations)), root)
        assert [f.rule for f in refused.value.findings] == [rule]
    assert sorted(first.parent.iterdir()) == before


def test_a_target_out_of_reach_plans_anew_and_says_what_lacks(root: Path, first: Path, tmp_path: Path) -> None:
    computed, run = planned(study_with(tmp_path, PLAN.format(mw=5000.0)), root)
    assert computed == {"plan"}
    row = pd.read_csv(run / "plan" / "targets.csv").iloc[0]
    assert row["planned_mw"] + row["missing_mw"] == pytest.approx(5000.0, abs=0.01)
    assert row["planned_mw"] >= GOAL_MW
    for why, lacks, all_of_it in (
        (row["why_zh"], r"缺([\d.]+) MW", r"候选场址合计只有([\d.]+) MW"),
        (row["why_en"], r"([\d.]+) MW short", r"all candidates together have ([\d.]+) MW"),
    ):
        told = [float(re.search(pattern, why).group(1)) for pattern in (lacks, all_of_it)]  # type: ignore[union-attr]
        assert told[0] == pytest.approx(row["missing_mw"], abs=0.06)
        assert told[0] + told[1] == pytest.approx(5000.0, abs=0.15)


def test_a_quota_of_a_county_is_met_and_one_out_of_reach_is_explained(root: Path, first: Path, tmp_path: Path) -> None:
    """Nine tenths of the PV of the county that had less of it planned; 9000 MW in the other."""
    before = pd.read_csv(first / "plan" / "sites.csv").groupby("district_code")[["planned_capacity_mw", "capacity_mw"]]
    shares = before.sum().eval("planned_capacity_mw / capacity_mw").sort_values()
    poor, rich = shares.index[0], shares.index[-1]
    assert shares[poor] < 0.9
    head = '\n[[plan.quotas]]\nyear = 2030\ntechnology_group = "pv"\nsource = "what-if"\n'
    plan = PLAN.format(mw=GOAL_MW)
    plan += f'{head}districts = ["{poor}"]\nleast_share = 0.9\n{head}districts = ["{rich}"]\nleast_mw = 9000.0\n'
    computed, run = planned(study_with(tmp_path, plan), root)
    assert computed == {"plan"}
    sites = (
        pd.read_csv(run / "plan" / "sites.csv").groupby("district_code")[["planned_capacity_mw", "capacity_mw"]].sum()
    )
    met, missed = pd.read_csv(run / "plan" / "targets.csv").iloc[1:].itertuples()
    assert met.new_mw == pytest.approx(0.9 * sites["capacity_mw"][poor], rel=1e-3)
    assert met.planned_mw == pytest.approx(sites["planned_capacity_mw"][poor], rel=1e-3)
    assert met.planned_mw >= met.new_mw * (1 - 1e-4)
    assert met.missing_mw < 0.01
    assert missed.planned_mw == pytest.approx(sites["planned_capacity_mw"][rich], rel=1e-3)
    assert missed.planned_mw + missed.missing_mw == pytest.approx(9000.0, abs=0.1)
    for why, lacks in ((missed.why_zh, r"缺([\d.]+) MW"), (missed.why_en, r"([\d.]+) MW short")):
        assert float(re.findall(lacks, why)[0]) == pytest.approx(missed.missing_mw, abs=0.06)


def test_without_a_grid_budget_no_measure_is_built_and_as_much_stands_as_without_a_menu(
    root: Path, first: Path, tmp_path: Path
) -> None:
    """The most MW; storage that has to go with plants cannot be had for nothing either, so that none is asked for.

    That measures bring more where the network binds: tests/plan/test_greedy.py.
    """
    told = {}
    for name, more in (("no_budget", "grid_budget_cny = 0"), ("no_menu", "measures = []")):
        plan = PLAN.format(mw=0.0).replace("storage_share = 0.10", f'objective = "most_mw"\n{more}')
        computed, run = planned(study_with(tmp_path / name, plan), root)
        assert computed == {"plan"}
        told[name] = summary(run)
        greedy = told[name]["greedy"]
        assert 0 < greedy["value"] <= told[name]["value"] * 1.01
        assert told[name]["value"] <= told[name]["value_bound"] * (1 + 1e-6)
        assert greedy["value"] == pytest.approx(sum(greedy["grid_capacity_mw"]))
        assert told[name]["ac_violations"] == 0
    stage = told["no_budget"]["stages"][0]
    assert stage["measures"] == told["no_budget"]["greedy"]["measures"] == []
    assert stage["grid_investment_cny"] == stage["storage_mwh"] == 0
    assert told["no_budget"]["value"] > GOAL_MW
    assert told["no_budget"]["value"] == pytest.approx(told["no_menu"]["value"], rel=1e-6)


# --- options that bind ----------------------------------------------------------------------------------------------


def test_the_storage_share_is_a_tenth_of_the_plants_for_two_hours(first: Path) -> None:
    """At the price of the standard tables: 979 000 CNY/MWh."""
    (stage,) = summary(first)["stages"]
    storage = pd.read_csv(first / "plan" / "storage.csv")
    assert stage["storage_mw"] == pytest.approx(0.1 * stage["grid_capacity_mw"], rel=1e-6)
    assert storage["power_mw"].sum() == pytest.approx(stage["storage_mw"], rel=1e-4)
    assert storage["hours"].to_numpy() == pytest.approx(2.0)
    assert storage["energy_mwh"].sum() == pytest.approx(2 * stage["storage_mw"], rel=1e-4)
    assert storage["investment_cny"].sum() == pytest.approx(979_000 * stage["storage_mwh"], rel=1e-4)
    assert storage[["station_zh", "station_en"]].notna().all(axis=None)


def test_a_ratio_of_roofs_is_kept_where_ground_would_be_cheaper(root: Path, first: Path, tmp_path: Path) -> None:
    before = pd.read_csv(first / "plan" / "sites.csv")
    shares = before.groupby("technology")[["planned_capacity_mw", "capacity_mw"]].sum()
    poor = (shares["planned_capacity_mw"] / shares["capacity_mw"]).idxmin()
    least = round(float(shares["planned_capacity_mw"][poor] / shares["capacity_mw"][poor]) + 0.2, 2)
    quota = f"""
[[plan.quotas]]
year = 2030
technologies = ["{poor}"]
least_share = {least}
source = "what-if"
"""
    computed, run = planned(study_with(tmp_path, PLAN.format(mw=GOAL_MW) + quota), root)
    assert computed == {"plan"}
    after = pd.read_csv(run / "plan" / "sites.csv")
    after = after[after["technology"] == poor]
    assert after["planned_capacity_mw"].sum() == pytest.approx(least * after["capacity_mw"].sum(), rel=1e-3)
    target = pd.read_csv(run / "plan" / "targets.csv").iloc[1]
    assert target["planned_mw"] == pytest.approx(target["new_mw"], rel=1e-6)
    assert summary(run)["objective_cny"] > summary(first)["objective_cny"]


def test_least_cost_by_mw_is_no_dearer_than_the_greedy_plan_and_tells_its_floor(
    root: Path, first: Path, tmp_path: Path
) -> None:
    for name, least in (("met", 60.0), ("missed", 5000.0)):
        plan = PLAN.format(mw=0.0).replace(
            "storage_share = 0.10", f'objective = "least_cny_per_mw"\nleast_mw = {least}'
        )
        computed, run = planned(study_with(tmp_path / name, plan), root)
        assert computed == {"plan"}
        told = summary(run)
        greedy = told["greedy"]
        assert told["ac_violations"] == 0
        assert 0 <= told["gap_percent"] <= 1.0
        if name == "met":
            assert told["objective_cny"] / told["value"] <= greedy["objective_cny"] / greedy["value"] * (1 + 1e-6)
        row = pd.read_csv(run / "plan" / "targets.csv", keep_default_na=False).set_index("target").loc["least_mw"]
        assert (row["new_mw"], row["kind"], row["stage"]) == (least, "at_least", 2030)
        assert row["planned_mw"] == pytest.approx(told["stages"][0]["grid_capacity_mw"], rel=1e-4)
        assert row["missing_mw"] == pytest.approx(max(0.0, least - row["planned_mw"]), abs=0.1)
        assert ("MW short" in row["why_en"]) == ("缺" in row["why_zh"]) == (name == "missed")


# --- files of the run in other programs -----------------------------------------------------------------------------


def needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed here")
    return found


def test_the_workbook_opens_in_libreoffice_without_a_warning(first: Path, tmp_path: Path) -> None:
    """LibreOffice reads the list, writes it as CSV, and says nothing but what it converts."""
    soffice = needed("soffice")
    command = [soffice, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--convert-to",
               "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1", "--outdir",
               str(tmp_path / "csv"), str(first / "projects.xlsx")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert [line for line in said if not line.startswith(NO_FAULT)] == []
    with pd.ExcelFile(first / "projects.xlsx") as book:
        assert len(list((tmp_path / "csv").glob("*.csv"))) == len(book.sheet_names)
    ids = pd.read_csv(first / "projects.csv")["candidate_id"]
    (listed,) = (tmp_path / "csv").glob("*-projects.csv")
    text = listed.read_text("utf-8")
    assert all(candidate in text for candidate in ids)


def test_the_geopackage_opens_in_gdal_without_a_warning(first: Path) -> None:
    ogrinfo = needed("ogrinfo")
    command = [ogrinfo, "-ro", "-al", "-so", str(first / "projects.gpkg"), "projects"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr.strip() == ""
    assert f"Feature Count: {len(pd.read_csv(first / 'projects.csv'))}" in done.stdout
    assert "candidate_id: String" in done.stdout


def test_the_lists_of_the_run_have_the_golden_columns(first: Path) -> None:
    golden = Path(__file__).resolve().parents[1] / "plan"
    for name, more in (("plan/sites", []), ("projects", ["cgcs2000_zone", "cgcs2000_x_m", "cgcs2000_y_m"])):
        lines = (golden / f"golden_{Path(name).name}_columns.csv").read_text("utf-8").splitlines()
        header = pd.read_csv(first / f"{name}.csv", nrows=0).columns.tolist()
        assert header == [line.partition(",")[0] for line in lines] + more

"""Whole runs of a small generated study through the command line: results, same bytes, resume, quick reruns."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from page_numbers import PAGES, Figures, differences, loose_numbers

from study.cache import file_digest
from study.new import new_study
from study.run_folder.manifest import read_manifest, verify_run

TABLES = (
    "substations.csv", "targets.csv", "upgrades.csv", "land/states.csv", "land/waterfall.csv", "loadflow/cases.csv",
    "loadflow/buses.csv", "loadflow/branches.csv", "loadflow/n_1.csv", "loadflow/hosting.csv",
    "loadflow/grades.csv", "loadflow/counties.csv", "loadflow/grades_verification.csv",
    "cost/waterfall.csv", "cost/by_technology.csv", "cost/co2_avoided.csv",
    "scores/criteria.csv", "scores/scores.csv", "scores/rank_stability.csv", "scores/weight_changes.csv",
    "scores/sensitivity.csv",
)  # fmt: skip


def fengguang(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "study.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert not check or done.returncode == 0, done.stderr
    return done


def outputs(run: Path) -> dict[str, str]:
    """Hash of every output but the manifest, which holds times."""
    files = [p for p in sorted(run.rglob("*")) if p.is_file() and p.name != "manifest.json"]
    return {p.relative_to(run).as_posix(): file_digest(p) for p in files}


@pytest.fixture(scope="module")
def study_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A county of 120 km2 with 90 000 inhabitants in two districts."""
    folder = tmp_path_factory.mktemp("studies")
    return new_study(
        "county", folder, generated=True, area_km2=120.0, population=90_000.0, lon=116.2, lat=33.5, districts=2
    )


@pytest.fixture(scope="module")
def first(study_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root folder with one finished run."""
    root = tmp_path_factory.mktemp("root")
    fengguang("run", study_path, "--root", root)
    return root


def latest(root: Path) -> Path:
    return (root / "data" / "processed" / "county" / "latest").resolve()


def test_run_folder_is_complete_and_verifies(first: Path) -> None:
    run = latest(first)
    assert verify_run(run) == []
    reports = [f"{page}_{language}.html" for page in ("report", "brief") for language in ("zh", "en")]
    for name in (*reports, "charts/supply_curve_zh.svg", "report/key_figures.csv", "about.json"):
        assert (run / name).stat().st_size > 0, name
    for name in ("site_map.html", "projects.xlsx", "projects.csv", "projects.gpkg", "projects.geojson", *TABLES):
        assert (run / name).stat().st_size > 0, name
    projects = gpd.read_file(run / "projects.gpkg", layer="projects")
    assert len(projects) > 3
    assert (projects["accepted_mw"] <= projects["grid_capacity_mw"] + 1e-6).all()
    assert set(projects["origin"]) == {"generated"}


def test_land_is_not_counted_twice_and_nothing_is_lost(first: Path) -> None:
    states = pd.read_csv(latest(first) / "land" / "states.csv")
    total = states["eligible_km2"] + states["excluded_km2"] + states["unknown_km2"]
    assert (total / states["region_km2"] - 1).abs().max() < 1e-4
    ground = states[~states["host_type"].str.startswith("wind")]
    assert ground["owned_km2"].sum() <= ground["region_km2"].iloc[0]


def test_every_station_has_a_grade_that_opens_into_its_formula(first: Path) -> None:
    run = latest(first)
    substations = pd.read_csv(run / "substations.csv", keep_default_na=False)
    grades = pd.read_csv(run / "loadflow" / "grades.csv").set_index("equipment_id")
    graded = substations[substations["grade"] != ""]
    assert {110.0, 10.0} & set(graded["vn_kv"])
    assert set(graded["grade"]) | set(graded["grade_after"]) <= {"green", "yellow", "red"}
    for row in graded.to_dict("records"):
        assert row["grade"] == grades["grade"][row["grade_equipment"]]
        assert "S_d = (P − P_G + β·S·cosθ + P_ESS)/τ_max + ΔP_ESS = " in row["grade_formula"]
        assert row["grade_clause"].startswith("dlt2041-2025: 6.3")
    book = pd.read_excel(run / "projects.xlsx", sheet_name="substations", header=0, skiprows=[1, 2])
    assert set(book["grade"].dropna()) <= {"绿色", "黄色", "红色"}
    assert book["grade"].notna().sum() == len(graded)
    told = {a["id"] for a in json.loads((run / "manifest.json").read_text("utf-8"))["assumptions"]}
    assert {"rulebook/new_storage", "rulebook/typical_hour", "rulebook/distributed"} <= told


def test_every_case_and_outage_has_a_status(first: Path) -> None:
    cases = pd.read_csv(latest(first) / "loadflow" / "cases.csv")
    assert set(cases["status"]) <= {"solved", "split", "diverged"}
    assert (cases["status"] == "solved").all()
    ends = cases[["n_1_solved", "n_1_split", "n_1_diverged"]].sum(axis=1)
    assert (ends == cases["n_1_outages"]).all()


@pytest.mark.parametrize("page", PAGES)
def test_every_number_of_report_and_brief_is_a_cell_of_a_table(first: Path, page: str) -> None:
    run = latest(first)
    assert len(Figures((run / page).read_text("utf-8")).found) > 60
    assert differences(run, page) == []
    assert loose_numbers(run, page) == []


def test_manifest_names_sources_assumptions_and_no_place_on_this_machine(first: Path) -> None:
    manifest = read_manifest(latest(first))
    assert manifest.assumptions
    assert manifest.stages
    text = (latest(first) / "manifest.json").read_text("utf-8") + (latest(first) / "site_map.html").read_text("utf-8")
    assert str(Path.home()) not in text or str(Path.home()) == "/"
    assert str(first) not in text


def test_same_inputs_same_bytes(study_path: Path, first: Path, tmp_path: Path) -> None:
    fengguang("run", study_path, "--root", tmp_path)
    assert outputs(latest(tmp_path)) == outputs(latest(first))


def with_changed_weights(study_path: Path, folder: Path) -> Path:
    """The same study with two criteria's weights exchanged."""
    text = study_path.read_text("utf-8")
    weights = re.findall(r"^weight = (.*)$", text, flags=re.M)
    swapped = iter([weights[1], weights[0], *weights[2:]])
    changed = folder / study_path.name
    changed.write_text(re.sub(r"^weight = .*$", lambda _: f"weight = {next(swapped)}", text, flags=re.M), "utf-8")
    return changed


def test_a_changed_weight_recomputes_only_scores_and_verdicts(study_path: Path, first: Path, tmp_path: Path) -> None:
    before = latest(first)
    fengguang("run", with_changed_weights(study_path, tmp_path), "--root", first)
    manifest = read_manifest(latest(first))
    assert {s.name for s in manifest.stages if not s.from_cache} == {
        "scores",
        "stability",
        "verdicts",
        "grades",
        "short_circuit",
        "year",
    }
    assert latest(first) != before
    assert verify_run(before) == []


def test_weight_rerun_does_not_import_pandapower(study_path: Path, first: Path, tmp_path: Path) -> None:
    """pandapower takes seconds to import; a rerun after a changed weight must not need it."""
    changed = with_changed_weights(study_path, tmp_path)
    code = (
        "import sys; from pathlib import Path; from study.run import run_study; "
        "from study.study_file import read_study; "
        f"run_study(read_study(Path({str(changed)!r})), root=Path({str(first)!r})); "
        "print('pandapower' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.split()[-1] == "False"


def test_a_killed_run_leaves_earlier_results_whole_and_resumes(study_path: Path, first: Path, tmp_path: Path) -> None:
    earlier = latest(first)
    hashes = outputs(earlier)
    text = study_path.read_text("utf-8")
    changed = tmp_path / study_path.name
    changed.write_text(re.sub(r"^seed = \d+", "seed = 4711", text, flags=re.M), "utf-8")
    cache = first / "data" / "processed" / "county" / ".cache"
    stored = set(cache.rglob("*.zst"))
    process = subprocess.Popen([sys.executable, "-m", "study.cli", "run", str(changed), "--root", str(first)])
    deadline = time.monotonic() + 300
    while not any(p.parent.name == "land" for p in set(cache.rglob("*.zst")) - stored):
        assert time.monotonic() < deadline
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert latest(first) == earlier
    assert outputs(earlier) == hashes
    fengguang("run", changed, "--root", first)
    manifest = read_manifest(latest(first))
    resumed = {s.name for s in manifest.stages if s.from_cache}
    assert {"region", "ground", "land"} <= resumed
    assert verify_run(latest(first)) == []
    assert not list((first / "data" / "processed" / "county").glob(".*.partial"))


def test_map_export_and_verify_of_a_finished_run(study_path: Path, first: Path, tmp_path: Path) -> None:
    fengguang("run", study_path, "--root", first)
    run = latest(first)
    redrawn = Path(fengguang("map", run).stdout.strip())
    drawn = redrawn.read_text("utf-8").replace(f"../{run.resolve().name}/projects.xlsx", "projects.xlsx")
    assert drawn == (run / "site_map.html").read_text("utf-8")  # from its own folder the link to the list is longer
    exported = fengguang("export", run, "--format", "csv,geojson", "--out", tmp_path).stdout.split()
    assert [Path(p).name for p in exported] == ["projects.csv", "projects.geojson"]
    assert file_digest(tmp_path / "projects.csv") == file_digest(run / "projects.csv")
    with (run / "targets.csv").open("a", encoding="utf-8") as stream:
        stream.write("x")
    assert fengguang("verify", run, check=False).returncode == 1


def test_dry_run_and_unknown_stage(study_path: Path, tmp_path: Path) -> None:
    said = fengguang("run", study_path, "--dry-run", "--root", tmp_path).stdout
    assert "would run" in said
    assert fengguang("run", study_path, "--until", "verdict", check=False).returncode == 2


def test_manifest_is_json_for_everybody(first: Path) -> None:
    raw = json.loads((latest(first) / "manifest.json").read_text("utf-8"))
    assert {"run_id", "inputs", "outputs", "stages", "assumptions", "libraries"} <= set(raw)

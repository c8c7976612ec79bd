"""Parks in a study: what the check names, what the stage refuses, what a run writes of them."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from layers.contracts import Finding, InputError
from siting.parks.contracts import PARK_HOURS, PARKS
from study.checks.all import check_study
from study.outputs.exports import read_table
from study.outputs.park_files import write_parks
from study.pipeline import Results
from study.run import open_results
from study.schema.file import StudyFile
from study.sites.park_checks import park_assumptions, park_findings
from study.sites.parks import compute_parks
from study.stages.projects import with_park_notes
from study.study_file import BUILTIN_STUDIES, Study, read_study


def _samples() -> ModuleType:
    """The samples of the study tests; their folder is not on the path when these tests run alone."""
    if "study_samples" in sys.modules:
        return sys.modules["study_samples"]
    path = Path(__file__).resolve().parents[1] / "study" / "study_samples.py"
    spec = importlib.util.spec_from_file_location("study_samples", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["study_samples"] = module
    spec.loader.exec_module(module)
    return module


PARK = {
    "id": "estate", "name_zh": "园区", "name_en": "Estate", "lon": 116.2, "lat": 33.5, "radius_km": 30.0,
    "peak_mw": 20.0, "pv_mw": 20.0, "wind_mw": 20.0, "grid_price_cny_per_mwh": 600.0, "price_source": "tariff",
    "host_types": ("roof_industrial", "roof_public", "roof_rural", "fish_pond", "wind_plain"), "sizing": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return read_study(_samples().generated_study(tmp_path_factory.mktemp("studies")))


def with_parks(study: Study, *parks: dict[str, object]) -> Study:
    raw = study.file.model_dump(mode="json", exclude_none=True) | {"parks": parks}
    return Study(StudyFile.model_validate(raw), study.path)


def rules(findings: list[Finding]) -> list[str]:
    return sorted(f.rule for f in findings)


def test_a_good_park_passes(plain: Study):
    assert park_findings(with_parks(plain, PARK)) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"lon": 117.9}, "parks.outside"),
        ({"lon": 33.5, "lat": 80.0}, "parks.outside"),
        ({"candidates": ["A"]}, "parks.reach"),
        ({"radius_km": None}, "parks.reach"),
        ({"peak_mw": None}, "parks.load"),
        ({"shape": "continuos"}, "parks.unknown_shape"),
        ({"storage_mw": 5.0}, "parks.storage"),
        ({"price_source": " "}, "parks.price_source"),
        ({"host_types": ["roof_industry"]}, "parks.unknown_host_type"),
        ({"sizes": "least_cost"}, "parks.sizes"),
        ({"spot_market": False, "export_limit_mw": 5.0}, "parks.export"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_park_is_named(plain: Study, change: dict[str, object], rule: str):
    found = park_findings(with_parks(plain, PARK | change))
    assert rules(found) == [rule]
    assert found[0].layer == "parks.estate"
    assert found[0].remedy


def test_all_faults_in_one_report(plain: Study):
    study = with_parks(plain, PARK | {"shape": "none", "lat": 10.0, "load_source": "nowhere"}, PARK)
    named = rules([f for f in check_study(study) if f.severity == "error"])
    assert named == ["parks.duplicate", "parks.load", "parks.outside", "parks.unknown_shape", "study.unknown_sources"]


def test_the_check_names_gaps_of_a_load_file(plain: Study, tmp_path: Path):
    hours = pd.DataFrame({"load_mw": np.where(np.arange(8760) == 100, np.nan, 5.0)})
    hours.to_csv(tmp_path / "load.csv", index=False)
    source = {"path": str(tmp_path / "load.csv"), "licence": "own", "origin": "measured"}
    raw = plain.file.model_dump(mode="json", exclude_none=True)
    raw["sources"]["load"] = source
    raw["parks"] = [{**PARK, "peak_mw": None, "load_source": "load"}]
    study = Study(StudyFile.model_validate(raw), plain.path)
    found = [f for f in check_study(study) if f.severity == "error"]
    assert rules(found) == ["parks.load_gap"]
    assert (found[0].file, found[0].item) == ("load.csv", "load_mw row 102")


@pytest.fixture(scope="module")
def results(plain: Study, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The small study up to its yields and costs, with two parks."""
    free = {"id": "free", "lon": 116.21, "storage_mw": 10.0, "storage_mwh": 40.0, "grid_limit_mw": 8.0}
    return open_results(with_parks(plain, PARK, PARK | free), root=tmp_path_factory.mktemp("root"))


def test_a_run_writes_the_table_and_the_hours_of_every_park(results: Results, tmp_path: Path):
    parks = results.get("parks")
    write_parks(parks, tmp_path)
    table = read_table(tmp_path / "parks.csv", PARKS)
    assert table["park_id"].tolist() == ["estate", "free"]
    assert (table["pv_mw"] <= 20 + 1e-9).all()
    assert (table["green_mwh"] > 0).all()
    assert table["load_origin"].str.startswith("generated").all()
    for row in table.itertuples():
        hours = pd.read_parquet(tmp_path / "parks" / f"{row.park_id}.parquet")
        assert list(hours.columns) == list(PARK_HOURS.columns)
        assert len(hours) == 8760
        assert str(hours["hour_start"].iloc[0].tz_convert("Asia/Shanghai")).endswith("-01-01 00:00:00+08:00")
        assert hours["load_mw"].sum() == pytest.approx(row.load_mwh, rel=1e-5)
        assert hours["green_mw"].sum() == pytest.approx(row.green_mwh, rel=1e-5)
        taken = row.import_mwh + row.unserved_mwh
        assert row.green_share == pytest.approx(1 - taken / row.load_mwh, rel=1e-4)
    assert table["import_peak_mw"].iloc[1] <= 8.0


def test_green_hours_are_those_of_the_candidates(results: Results):
    """The sum of the yearly energies of what is matched in full is the energy that the yields state."""
    table, match = results.get("parks").parks, results.get("parks").matches[0]
    sites = results.get("parks").sites
    sites = sites[sites["park_id"] == table["park_id"].iloc[0]].set_index("candidate_id")
    assert " ".join(sites.index) == table["candidates"].iloc[0]
    candidates = results.get("sites").candidates.set_index("candidate_id")
    energy = results.get("costs").yields.set_index("candidate_id")["energy_mwh"]
    part = sites["park_mw"] / candidates["grid_capacity_mw"][sites.index]
    assert match.hours["green_mw"].sum() == pytest.approx((energy[sites.index] * part).sum(), rel=1e-4)
    assert match.hours["green_mw"].sum() == pytest.approx(sites["energy_mwh"].sum(), rel=1e-4)
    assert sites["park_mw"].sum() == pytest.approx(table["pv_mw"].iloc[0] + table["wind_mw"].iloc[0])


def test_no_megawatt_serves_two_parks(results: Results):
    """The second park gets what the first leaves: together never more than a site has."""
    sites = results.get("parks").sites
    assert set(sites["park_id"]) == {"estate", "free"}
    whole = sites.drop_duplicates("candidate_id").set_index("candidate_id")["grid_capacity_mw"]
    shared = sites.groupby("candidate_id")["park_mw"].sum()
    assert (shared <= whole[shared.index] + 1e-9).all()
    assert sites.groupby("candidate_id").size().max() == 2  # some site is indeed wanted by both
    last = sites.drop_duplicates("candidate_id", keep="last").set_index("candidate_id")
    assert (last["left_mw"] + shared[last.index]).to_numpy() == pytest.approx(whole[last.index].to_numpy())


def test_an_unknown_candidate_is_refused_with_the_nearest(results: Results):
    known = str(results.get("sites").candidates["candidate_id"].iloc[0])
    wrong = PARK | {"radius_km": None, "candidates": [known, known[:-1] + "Z"]}
    other = Results(with_parks(results.study, wrong), results.stages, results.cache)
    with pytest.raises(InputError) as caught:
        compute_parks(other)
    assert [(f.rule, f.value) for f in caught.value.findings] == [("parks.unknown_candidate", known[:-1] + "Z")]


def test_a_park_out_of_reach_of_everything_buys_all_and_says_so(results: Results):
    lonely = PARK | {"radius_km": 0.001, "storage_mw": 1.0, "storage_mwh": 2.0}
    other = Results(with_parks(results.study, lonely), results.stages, results.cache)
    parks = compute_parks(other)
    assert parks.parks["green_share"].tolist() == [0.0]
    assert parks.parks["saving_cny_per_mwh"].iloc[0] < 0  # the storage stands idle and is paid for
    assert [f.rule for f in other.log.findings] == ["parks.no_candidate"]


def test_the_project_list_says_what_serves_a_park(results: Results):
    """List and network count the site in full; its reason says how much of it a park has, once for each park."""
    parks, candidates = results.get("parks"), results.get("sites").candidates
    listed = candidates[["candidate_id"]].assign(reason_zh="可接入", reason_en="can connect")
    noted = with_park_notes(listed, parks.sites, parks.parks).set_index("candidate_id")
    for name, rows in parks.sites.groupby("candidate_id"):
        assert noted.at[name, "reason_en"].count("serve the park Estate") == len(rows)
        assert all(f"{mw:,.1f} MW" in noted.at[name, "reason_zh"] for mw in rows["park_mw"])
    others = noted.drop(index=parks.sites["candidate_id"].unique())
    assert set(others["reason_en"]) <= {"can connect"}


def test_no_park_no_file(results: Results, plain: Study, tmp_path: Path):
    other = Results(plain, results.stages, results.cache)
    write_parks(compute_parks(other), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_price_of_storage_moves_no_other_stage(plain: Study, tmp_path: Path):
    """A what-if of the park's prices, sizes or limits asks nothing else anew; its keys tell."""
    before = open_results(with_parks(plain, PARK), root=tmp_path)
    after = open_results(with_parks(plain, PARK | {"storage_cny_per_mwh": 800_000.0}), root=tmp_path)
    moved = {stage.name for stage in before.stages if before.key(stage.name) != after.key(stage.name)}
    assert moved == {"parks"}


def test_sizes_at_least_cost_are_those_of_the_sizing(results: Results):
    """A park whose sizes are worked out is matched with the row that keeps the rules; what match and row say agrees."""
    open_sizes = {name: value for name, value in PARK.items() if name not in ("pv_mw", "wind_mw", "sizing")}
    sized = open_sizes | {"sizes": "least_cost", "peak_mw": 4.0}
    parks = compute_parks(Results(with_parks(results.study, sized), results.stages, results.cache))
    row, park = parks.sizing.set_index("aim").loc["rules"], parks.parks.iloc[0]
    assert row["reached"] == "yes"
    assert park["storage_method"] == "least_cost"
    assert park["rule_verdict"] == "kept"
    same = ["pv_mw", "wind_mw", "storage_mw", "green_share", "import_mwh", "annual_cost_cny", "co2_t"]
    assert park[same].to_numpy(float) == pytest.approx(row[same].to_numpy(float), rel=1e-9)


def test_without_a_spot_market_surplus_is_curtailed_and_the_rule_is_kept(results: Results):
    closed = PARK | {"spot_market": False, "peak_mw": 4.0, "sizing": True}
    parks = compute_parks(Results(with_parks(results.study, closed), results.stages, results.cache))
    park = parks.parks.iloc[0]
    assert park["export_mwh"] == 0
    assert park["curtailed_mwh"] > 0
    assert park["export_limit_mw"] == 0
    assert parks.rules.set_index("rule").at["no_export", "rule_verdict"] == "kept"
    assert (parks.sizing["export_mwh"] == 0).all()
    assert parks.sizing.set_index("aim").at["rules", "curtailed_mwh"] > 0  # cheaper than storage for all of it


def test_dwellings_serve_no_park_that_does_not_name_them(results: Results):
    silent = {name: value for name, value in PARK.items() if name != "host_types"}
    parks = compute_parks(Results(with_parks(results.study, silent), results.stages, results.cache))
    host = results.get("sites").candidates.set_index("candidate_id")["host_type"]
    assert len(parks.sites)
    assert "roof_rural" not in set(host[parks.sites["candidate_id"]])


def test_what_is_assumed_is_told_in_both_languages(results: Results):
    told = {a.id: a for a in park_assumptions(results.study.file)}
    assert {"park_estate_load", "park_estate_sizes", "park_estate_prices", "park_free_load"} <= set(told)
    load = told["park_estate_load"]
    assert "生成" in load.text_zh
    assert "generated" in load.text_en
    assert load.confidence == "C"
    assert "20 MW" in load.value


def test_the_builtin_study_has_the_park_that_its_plan_names():
    study = read_study(BUILTIN_STUDIES / "bozhou.toml")
    assert [park.id for park in study.file.parks] == ["lixin_circular_economy"]
    assert park_findings(study) == []
    assert {a.confidence for a in park_assumptions(study.file)} == {"C"}


def test_the_recipe_is_a_good_park(plain: Study):
    text = (Path(__file__).resolve().parents[2] / "docs" / "recipes.md").read_text("utf-8")
    block = text.partition("```toml\n[[parks]]")[2].partition("```")[0]
    recipe = tomllib.loads("[[parks]]" + block)["parks"][0]
    assert park_findings(with_parks(plain, recipe)) == []

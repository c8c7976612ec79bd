"""What a study file can say about land: policy, kept masks, files of the run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import rasterio

from study.checks.all import check_study
from study.new import new_study
from study.run import open_results
from study.schema.file import StudyFile
from study.sites.land import MASKS, ledger_policy, write_rasters
from study.study_file import Study, read_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("studies")
    path = new_study(
        "small", folder, generated=True, area_km2=60.0, population=30_000.0, lon=116.2, lat=33.5, districts=2
    )
    return read_study(path)


def with_land(study: Study, **changes: object) -> Study:
    raw = study.file.model_dump(mode="json")
    raw["land"] |= changes
    return dataclasses.replace(study, file=StudyFile.model_validate(raw))


def hosts_of(study: Study) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host.host_type for host in study.file.hosts))


def test_faults_of_the_policy_are_found_before_anything_runs(study: Study) -> None:
    bad = with_land(study, policy="given", order=[*hosts_of(study)[1:], "fish_pnd"], values={"fish_pond": 1.0})
    rules = {f.rule for f in check_study(bad) if f.rule.startswith("ledger.")}
    assert rules == {"ledger.not_in_order", "ledger.unknown_host", "ledger.values_unused"}
    assert not [f for f in check_study(study) if f.rule.startswith("ledger.")]


def test_policy_of_the_file(study: Study) -> None:
    order = hosts_of(study)[::-1]
    assert ledger_policy(with_land(study, policy="given", order=order).file).order == order
    worth = ledger_policy(with_land(study, policy="best_value", values={"b": 2, "a": 1}, lower_is_better=True).file)
    assert (worth.values, worth.lower_is_better) == ((("a", 1.0), ("b", 2.0)), True)


def test_a_changed_setback_keeps_the_other_masks_and_the_first_land_comes_back(study: Study, tmp_path: Path) -> None:
    first = open_results(study, root=tmp_path)
    before = first.get("land")
    masks = first.cache.folder / MASKS
    kept = {path.name for path in masks.glob("*.mask")}
    assert kept
    raw = study.file.model_dump(mode="json")
    rule = next(r for r in raw["exclusions"] if r["layer"] != "dem" and not r["setback_m"])
    rule["setback_m"] = 61.5
    changed = dataclasses.replace(study, file=StudyFile.model_validate(raw))
    after = open_results(changed, root=tmp_path).get("land")
    assert len({path.name for path in masks.glob("*.mask")} - kept) <= 1
    assert not after.states.equals(before.states) or not after.waterfall.equals(before.waterfall)
    fresh = open_results(changed, root=tmp_path / "elsewhere").get("land")
    pd.testing.assert_frame_equal(fresh.waterfall_by_district, after.waterfall_by_district, check_exact=True)


def test_workers_do_not_move_a_key_and_the_policy_does(study: Study, tmp_path: Path) -> None:
    key = open_results(study, root=tmp_path).key("land")
    assert open_results(with_land(study, workers=3, rasters=True), root=tmp_path).key("land") == key
    given = with_land(study, policy="given", order=hosts_of(study))
    assert open_results(given, root=tmp_path).key("land") != key


def test_tables_by_district_and_rasters_when_asked(study: Study, tmp_path: Path) -> None:
    results = open_results(with_land(study, rasters=True), root=tmp_path)
    tables = results.get("land_tables")
    codes = set(results.get("region").districts["district_code"])
    assert set(tables.states_by_district["district_code"]) == codes
    assert set(tables.waterfall_by_district["district_code"]) == codes | {""}
    write_rasters(results, tmp_path / "land")
    host = hosts_of(study)[0]
    with rasterio.open(tmp_path / "land" / f"{host}_state.tif") as file:
        assert file.shape == results.get("region").frame.shape
    write_rasters(open_results(study, root=tmp_path), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_reasons_are_left_out_when_the_study_says_so(study: Study, tmp_path: Path) -> None:
    """The land and its tables are the same, there is no reasons raster, and the cached land is another."""
    plain = open_results(study, root=tmp_path)
    results = open_results(with_land(study, reasons=False, rasters=True), root=tmp_path)
    assert results.key("land") != plain.key("land")
    for with_reasons, without in zip(plain.get("land").lands, results.get("land").lands, strict=True):
        assert with_reasons.reasons is not None
        assert without.reasons is None
        assert with_reasons.eligible == without.eligible
    pd.testing.assert_frame_equal(plain.get("land").waterfall, results.get("land").waterfall, check_exact=True)
    write_rasters(results, tmp_path / "land")
    host = hosts_of(study)[0]
    assert (tmp_path / "land" / f"{host}_state.tif").exists()
    assert not (tmp_path / "land" / f"{host}_reasons.tif").exists()

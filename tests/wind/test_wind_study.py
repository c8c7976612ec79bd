"""[wind] of a study file: what it refuses, what it lists as assumed, and what a run computes and writes with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine

from siting.yields.contracts import YIELD_DETAILS
from siting.yields.hourly_store import SITE_VARIANTS, open_run_store, read_profiles
from study.new import new_study
from study.run import run_study
from study.run_folder.write import _write_profiles
from study.schema.file import StudyFile
from study.sites.wind import wind_assumptions, wind_findings, wind_options
from study.study_file import Study, read_study


def generated(folder: Path) -> Study:
    path = new_study("windy", folder, generated=True, area_km2=90, population=20_000, lon=116.2, lat=33.5, districts=1)
    return read_study(path)


def with_wind(study: Study, layers: dict[str, Any] | None = None, **wind: Any) -> Study:
    raw = study.file.model_dump(mode="json", exclude_none=True)
    raw["wind"] = {**raw.get("wind", {}), **wind}
    for part, entries in (layers or {}).items():
        raw[part] = {**raw.get(part, {}), **entries}
    return dataclasses.replace(study, file=StudyFile.model_validate(raw))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return generated(tmp_path_factory.mktemp("windy"))


@pytest.fixture(scope="module")
def speed_map(study: Study) -> Path:
    """Mean wind rising from 5 m/s in the west to 6 m/s in the east, about the study's place."""
    path = study.path.parent / "speed.tif"
    values = np.tile(np.linspace(5.0, 6.0, 60, dtype=np.float32), (60, 1))
    with rasterio.open(
        path, "w", driver="GTiff", width=60, height=60, count=1, dtype="float32", crs="EPSG:4326",
        transform=Affine(0.005, 0.0, 116.05, 0.0, -0.005, 33.65),
    ) as sink:  # fmt: skip
        sink.write(values, 1)
    return path


def test_everything_wrong_with_wind_at_once(study: Study):
    wrong = with_wind(
        study, mean_speed_m_per_s=5.5, land_class="farmlnd", curtailment=["bat"], hub_height_m=155.0,
        mean_speed_layer="gwa", losses_percent={"availabilty": 5},
    )  # fmt: skip
    found = {f.item: (f.value, f.remedy) for f in wind_findings(wrong)}
    assert set(found) == {"losses_percent", "land_class", "curtailment", "source", "hub_height_m", "mean_speed_layer"}
    assert "farmland" in found["land_class"][1]
    assert "bats" in found["curtailment"][1]
    assert "availability" in found["losses_percent"][1]
    assert found["hub_height_m"] == ("155", "Hubs on offer: 120, 140, 160 m.")
    assert all(f.severity == "error" and f.file == study.shown_path for f in wind_findings(wrong))
    assert wind_findings(study) == []


def test_a_map_in_another_unit_is_refused(study: Study):
    parts = {
        "sources": {"gwa": {"path": "speed.tif", "licence": "test", "origin": "modelled", "unit": "km/h"}},
        "layers": {"mean_wind": {"source": "gwa", "kind": "raster"}},
    }
    found = wind_findings(with_wind(study, parts, mean_speed_layer="mean_wind"))
    assert [f.value for f in found] == ["km/h"]


def test_options_and_assumptions_follow_the_file(study: Study):
    assert wind_assumptions(study.file) == []
    chosen = with_wind(
        study, land_class="farmland_villages", curtailment=["bats"], wake="layout", hub_height_m=160.0, shear="power",
        shear_exponent=0.2, hysteresis=False, density="none", losses_percent={"availability": 5},
    ).file  # fmt: skip
    options = wind_options(chosen)
    assert (options.site_roughness_m, options.shear, options.shear_exponent) == (0.5, "power", 0.2)
    assert (options.hysteresis, options.density) == (False, "none")
    assert [rule.rule for rule in options.curtailment] == ["bats"]
    assert options.loss_shares == (("availability", 0.05),)
    listed = {a.id: (a.value, a.confidence) for a in wind_assumptions(chosen)}
    assert listed == {
        "wind_hub_height": ("160 m", "C"),
        "wind_roughness": ("0.5 m", "A"),
        "wind_wake": ("jensen", "C"),
        "wind_loss_availability": ("5 %", "C"),
        "wind_curtailment_bats": ("at most 0 of rated", "C"),
    }


@pytest.mark.slow
def test_a_run_with_a_map_layout_wakes_and_a_rule(study: Study, speed_map: Path, tmp_path: Path):
    """Sites in the east have more wind than sites in the west, wakes are those of their turbines, and the hourly file
    of the run gives the energy of the list."""
    parts = {
        "sources": {"gwa": {"path": str(speed_map), "licence": "test", "origin": "modelled", "unit": "m/s"}},
        "layers": {"mean_wind": {"source": "gwa", "kind": "raster"}},
    }
    chosen = with_wind(
        study, parts, mean_speed_layer="mean_wind", mean_speed_height_m=100.0, wake="layout", curtailment=["bats"]
    )
    results = run_study(chosen, until="yields", root=tmp_path).results
    sites, result = results.get("sites"), results.get("yields")
    wind = sites.candidates[sites.candidates["kind"] == "wind"].set_index("candidate_id")
    details = YIELD_DETAILS.validate(result.details).set_index("candidate_id")
    assert len(wind) >= 2
    at_site = wind["lon"].map(lambda lon: 5.0 + (lon - 116.05) / 0.3)
    shear = np.log(140 / 0.1) / np.log(100 / 0.1)
    assert (details.loc[wind.index, "hub_mean_m_per_s"] / shear - at_site).abs().max() < 0.25
    wake = details.loc[wind.index, "wake_loss_share"]
    counted = sites.turbines.groupby("candidate_id").size().reindex(wind.index)
    assert (wake[counted == 1] == 0).all()
    assert ((wake >= 0) & (wake < 0.25)).all()
    assert "curtailment_bats" in set(result.losses["item"])

    _write_profiles(results, tmp_path / "yield")
    power = read_profiles(tmp_path / "yield" / "profiles.parquet")
    store = open_run_store(tmp_path / "yield" / "profiles.parquet", tmp_path / "yield" / "profile_sites.csv")
    assert store.sum_by(sites.candidates.set_index("candidate_id")["kind"]).sum().sum() == pytest.approx(
        result.yields["energy_mwh"].sum(), rel=1e-5
    )
    notes = [f for f in results.stage_findings() if f.rule == "yield.assumption"]
    assert [f.severity for f in notes] == ["note"] * len(result.assumptions)
    follows = pd.read_csv(tmp_path / "yield" / "profile_sites.csv", encoding="utf-8-sig")
    assert list(follows.columns) == list(SITE_VARIANTS.columns)
    energy = follows["variant_id"].map(power.sum()) * follows["capacity_mw"]
    listed = follows["candidate_id"].map(result.yields.set_index("candidate_id")["energy_mwh"])
    np.testing.assert_allclose(energy, listed, rtol=2e-5)
    weather = results.get("weather")[0]
    assert power.index.equals(weather.hours.index)

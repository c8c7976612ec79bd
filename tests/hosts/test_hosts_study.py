"""What a study file says of hosts and sites reaches the stages, the run's tables and the GeoPackage."""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "study"))
import study_samples as samples

from layers.contracts import Origin
from siting.contracts import SITE_ATTRIBUTES, TURBINES
from siting.hosts.roofs import ROOF_SUMS
from study.cache import Cache
from study.checks.all import check_study
from study.pipeline import Results
from study.sites import candidates as study_sites
from study.stages.graph import STAGES
from study.study_file import read_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A generated county: public roofs by class, villages with their own shares, estates as modelled roofs."""
    folder = tmp_path_factory.mktemp("hosts")
    read = read_study(samples.generated_study(folder, area_km2=400, population=250_000))
    hosts = [
        h for h in read.file.model_dump(mode="json", exclude_none=True)["hosts"] if h["host_type"] != "roof_public"
    ]
    hosts += [
        {"host_type": "roof_public", "layer": "public_roof", "roof_classes": ["government"]},
        {"host_type": "roof_institution", "layer": "public_roof", "roof_classes": ["public"]},
        {
            "host_type": "roof_town",
            "layer": "industrial_estate",
            "modelled_as": "industrial",
            "footprints": ["factory_roof"],
        },
    ]
    return samples.changed(read, {"hosts": hosts, "sites.roads": "road", "sites.prevailing_wind_from_deg": 30.0})


@pytest.fixture(scope="module")
def results(study, tmp_path_factory) -> Results:
    return Results(study, STAGES, Cache(tmp_path_factory.mktemp("cache")))


def test_study_is_sound(study) -> None:
    assert [f for f in check_study(study) if f.severity == "error"] == []


def test_made_layers_carry_their_hosts(results) -> None:
    made = {layer.id: layer for layer in results.get("host_layers").layers}
    assert set(made) == {"public_roof:roof_public", "public_roof:roof_institution", "industrial_estate:roof_town"}
    assert made["industrial_estate:roof_town"].origin == Origin.MODELLED
    whole = next(one for one in results.get("ground").vectors if one.id == "public_roof")
    split = [len(made[name].features) for name in ("public_roof:roof_public", "public_roof:roof_institution")]
    assert sum(split) == len(whole.features)
    assert min(split) > 0


def test_sites_of_the_study(results) -> None:
    sites, states = results.get("sites"), results.get("land").states.set_index("host_type")
    candidates = sites.candidates
    assert {"roof_public", "roof_institution", "roof_rural"} <= set(candidates["host_type"])
    modelled = candidates[candidates["host_type"] == "roof_town"]
    assert (modelled["origin"] == "modelled").all()
    village = next(one for one in results.get("ground").vectors if one.id == "village").features
    roofs = float((village.area * village["roof_share"]).sum())
    share = states.at["roof_rural", "owned_km2"] / states.at["roof_rural", "host_km2"]
    rural = candidates.loc[candidates["host_type"] == "roof_rural", "area_m2"].sum()
    assert rural == pytest.approx(roofs * share, rel=0.03)  # shares are rounded to 0.01, the rest is too small
    TURBINES.validate(sites.turbines)


def test_attributes_and_roofs_of_the_study(results) -> None:
    table = results.get("site_attributes")
    SITE_ATTRIBUTES.validate(table)
    candidates = results.get("sites").candidates
    assert table["candidate_id"].tolist() == candidates["candidate_id"].tolist()
    assert table["road_km"].notna().all()
    assert table["station_km"].notna().all()
    assert table["line_km"].notna().all()
    assert (table["supply_area"] != "").all()
    mapped = candidates["host_type"].isin(["roof_public", "roof_institution"]).to_numpy()
    assert table.loc[mapped, "roof_count"].sum() == len(results.get("host_layers").roofs)
    roofs = study_sites.roof_table(results)
    ROOF_SUMS.validate(roofs)
    assert roofs.groupby("area_kind")["roof_count"].sum().nunique() == 1  # each kind counts every roof once


def test_changed_weight_leaves_sites_and_their_ids(study, results, tmp_path) -> None:
    weights = [c.weight for c in study.file.criteria]
    turned = samples.changed(study, {f"criteria.{k}.weight": w for k, w in enumerate(weights[::-1])})
    other = Results(turned, STAGES, Cache(tmp_path))
    assert other.key("sites") == results.key("sites")
    assert other.key("site_attributes") == results.key("site_attributes")


def test_faults_of_hosts_and_sites_are_told_before_anything_runs(study) -> None:
    hosts = study.file.model_dump(mode="json", exclude_none=True)["hosts"]
    hosts[-1] |= {"modelled_as": "industry", "footprints": ["factory_rof"]}
    hosts[-2] |= {"roof_classes": ["publik"]}
    bad = samples.changed(study, {"hosts": hosts, "sites.roads": "rod", "land.co_use": [["fish_pond", "roof_rural"]]})
    found = {
        (f.rule, f.value): f for f in check_study(bad) if f.layer in ("sites", "land", "hosts") or "hosts." in f.rule
    }
    assert ("hosts.roof_stock", "industry") in found
    assert ("hosts.roof_class", "publik") in found
    assert "factory_roof" in found["study.unknown_layers", "factory_rof"].remedy
    assert "road" in found["study.unknown_layers", "rod"].remedy
    assert found["land.co_use", "fish_pond, roof_rural"].severity == "warning"


def test_turbines_are_a_layer_of_the_geopackage(tmp_path) -> None:
    from study.outputs import exports, geo_files

    turbines = pd.DataFrame(
        {
            "turbine_id": ["TT-WP-1-001"], "candidate_id": ["TT-WP-1"], "lon": [116.2], "lat": [33.5],
            "x_m": [425_000.0], "y_m": [3_700_000.0],
        }
    )  # fmt: skip
    place = geo_files.at_their_places(exports._checked(turbines, TURBINES))
    path = tmp_path / "p.gpkg"
    geo_files._layer(place, path, "turbines", "Point", "positions")
    back = gpd.read_file(path, layer="turbines")
    assert back["turbine_id"].tolist() == ["TT-WP-1-001"]
    assert np.allclose([back.geometry.x[0], back.geometry.y[0]], [116.2, 33.5])
    assert pyogrio.list_layers(path)[:, 0].tolist() == ["turbines"]


def test_prevailing_wind_is_the_studys_word_or_the_weathers_axis(study, results, tmp_path) -> None:
    assert study_sites._prevailing(results) == 30.0
    silent = samples.changed(study, {"sites.prevailing_wind_from_deg": None})
    other = Results(silent, STAGES, Cache(tmp_path))
    axis = study_sites._prevailing(other)
    hours = other.get("weather")[0].hours
    assert "wind_from_degree" in hours.columns
    assert axis is not None
    assert axis % 15 == 0
    assert 0 <= axis < 180
    # the axis holds more of the wind's energy within 45 degrees on either side of it than the axis across it
    off = np.abs((hours["wind_from_degree"] - axis + 90) % 180 - 90)
    energy = hours["wind_speed_m_per_s"] ** 3
    assert energy[off <= 45].sum() > energy[off > 45].sum()

"""Hangzhou on real layers: the waterfall reads sensibly, and what is not known is shown."""

from __future__ import annotations

import dataclasses

import pytest

from study.run import open_results
from study.sites.why import why_point
from study.study_file import BUILTIN_STUDIES, read_study

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def hangzhou(real_data, tmp_path_factory):
    """The built-in study on cells of 120 m: sub-cells of 30 m see what the rules do."""
    study = read_study(BUILTIN_STUDIES / "hangzhou.toml")
    region = study.file.region.model_copy(update={"resolution_m": 120.0})
    study = dataclasses.replace(study, file=study.file.model_copy(update={"region": region}))
    root = tmp_path_factory.mktemp("hangzhou")
    return study, root, open_results(study, root=root)


def test_the_waterfall_reads_sensibly(hangzhou) -> None:
    """Ponds lose land to rivers, forest, parks and where they are narrow; mudflats to dwellings and the airfield. The
    extract maps some 2 200 of 16 860 km2, the rest is unknown."""
    tables = hangzhou[2].get("land_tables")
    states = tables.states.set_index("host_type")
    total = states["eligible_km2"] + states["excluded_km2"] + states["unknown_km2"]
    assert total.to_numpy() == pytest.approx(states["region_km2"].to_numpy(), rel=1e-9)
    assert (states["unknown_km2"] / states["region_km2"]).between(0.8, 0.9).all()
    fall = tables.waterfall.set_index(["host_type", "rule"])
    lost = fall["lost_km2"]
    assert (fall["sole_km2"] <= lost + 1e-9).all()
    assert lost["wind_mudflat", "wind_dwelling:residential"] == pytest.approx(18, rel=0.1)
    assert lost["wind_mudflat", "wind_airport:airfield"] == pytest.approx(21, rel=0.1)
    for rule in ("river:river", "forest:forest", "protected_area:protected", "narrow_land:pond"):
        assert 0.2 < lost["fish_pond", rule] < 3, rule
    ponds = states.loc["fish_pond"]
    assert ponds["host_km2"] - ponds["eligible_km2"] > 2


def test_reasons_of_known_places(hangzhou) -> None:
    """Inside Xixi wetland: reserve and wetland law; in the west, beyond the extract: unknown."""
    study, root, _ = hangzhou
    (wetland,) = why_point(study, 120.055, 30.27, hosts=["fish_pond"], root=root)
    assert wetland.state == "excluded"
    decisive = wetland.reasons[wetland.reasons["verdict"] == "excludes"]
    assert {"wetland:wetland", "protected_area:protected"} <= set(decisive["rule"])
    assert decisive["distance_m"].eq(0).all()
    (west,) = why_point(study, 118.9, 29.6, hosts=["fish_pond"], root=root)
    assert (west.state, west.mapped_share) == ("unknown", 0.0)

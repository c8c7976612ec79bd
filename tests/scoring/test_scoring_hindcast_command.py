"""``fengguang hindcast``: the whole way from a study file and a list of plants to figures and tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from study.cli import app
from study.new import new_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hindcast")
    return new_study("place", folder, generated=True, area_km2=40, population=20_000, lon=116.2, lat=33.5, districts=1)


@pytest.mark.slow
def test_figures_and_tables_whatever_they_say(study: Path) -> None:
    """Four plants, two of them one plant, one of them far away: n = 2 of 2, and too few to conclude."""
    plants = study.parent / "plants.csv"
    plants.write_text(
        "name,technology,capacity_mw,lon,lat\nA,wind,50,116.2001,33.5001\nA,wind,50,116.2002,33.5001\n"
        "B,wind,20,116.2154,33.5112\nC,wind,50,120.1234,30.1234\n",
        "utf-8",
    )
    arguments = ["hindcast", str(study), "--plants", str(plants), "--match-km", "20", "--root", str(study.parent)]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 0, ended.output
    assert "n = 2 of 2 in the region. Too few plants (fewer than 10) to conclude" in ended.output
    assert "stand twice within half a kilometre" in ended.output
    table = pd.read_csv(study.parent / "data" / "processed" / "place" / "hindcast" / "hindcast.csv")
    wind = table[(table["technology"] == "wind") & (table["positions"] == "all")].iloc[0]
    assert wind["plants_matched"] == 2
    assert 0 <= wind["percentile_low"] <= wind["percentile_mean"] <= wind["percentile_high"] <= 1
    again = CliRunner().invoke(app, arguments)
    assert again.output == ended.output


def test_a_list_without_positions_is_bad_input(study: Path) -> None:
    plants = study.parent / "bad.csv"
    plants.write_text("name,fuel\nA,wind\n", "utf-8")
    ended = CliRunner().invoke(app, ["hindcast", str(study), "--plants", str(plants), "--root", str(study.parent)])
    assert ended.exit_code == 2
    assert "no column holds the lon" in ended.output
    assert str(study.parent) not in ended.output

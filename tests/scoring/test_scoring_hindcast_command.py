"""``fengguang hindcast``: from a list of plants to figures and tables, on stages that are at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hindcast_samples import REGION, plants_at, sites
from typer.testing import CliRunner

from study.cli import app
from study.new import new_study


@dataclass(frozen=True)
class Candidates:
    candidates: Any


@dataclass(frozen=True)
class Facts:
    districts: Any


class Stages:
    """Results of a run that is done."""

    def get(self, name: str) -> Any:
        table, scores = sites()
        return {"sites": Candidates(table), "scores": scores, "region_facts": Facts(REGION)}[name]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("study.run.checked", lambda study, root: ())
    monkeypatch.setattr("study.run.open_results", lambda study, root, progress: Stages())
    return new_study("place", tmp_path, generated=True, area_km2=40, population=20_000, lon=116, lat=33, districts=1)


def test_figures_and_tables_whatever_they_say(study: Path) -> None:
    """Four plants, two of them one plant, one of them far away: n = 2 of 2, and too few to conclude."""
    table, _ = sites()
    centres = table.geometry.iloc[[3, 40]].centroid
    plants = plants_at(centres.x.to_numpy(), centres.y.to_numpy())
    far = plants.iloc[[0]].assign(name="far", lon=120.123456)
    listed = pd.concat([plants, plants.iloc[[0]], far]).drop(columns="approximate")
    listed.to_csv(study.parent / "plants.csv", index=False)
    arguments = ["hindcast", str(study), "--plants", str(study.parent / "plants.csv"), "--root", str(study.parent)]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 0, ended.output
    assert "n = 2 of 2 in the region, on 2 sites. Too few plants (on fewer than 10 sites) to conclude" in ended.output
    assert "pv, all positions: n = 0 of 0 in the region. No plant of the list lies in the region" in ended.output
    assert "1 plant(s) stand twice within half a kilometre" in ended.output
    folder = study.parent / "data" / "processed" / "place" / "hindcast"
    table = pd.read_csv(folder / "hindcast.csv")
    wind = table[(table["technology"] == "wind") & (table["positions"] == "all")].iloc[0]
    assert wind["plants_matched"] == 2
    assert 0 <= wind["percentile_low"] <= wind["percentile_mean"] <= wind["percentile_high"] <= 1
    matched = pd.read_csv(folder / "hindcast_plants.csv", keep_default_na=False)
    assert sorted(matched["candidate_id"]) == ["k03", "k40"]
    assert CliRunner().invoke(app, arguments).output == ended.output


def test_a_list_without_positions_is_bad_input(study: Path) -> None:
    plants = study.parent / "bad.csv"
    plants.write_text("name,fuel\nA,wind\n", "utf-8")
    ended = CliRunner().invoke(app, ["hindcast", str(study), "--plants", str(plants), "--root", str(study.parent)])
    assert ended.exit_code == 2
    assert "no column holds the lon" in ended.output
    assert str(study.parent) not in ended.output

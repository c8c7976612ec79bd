"""The forecast: follows what the study asks for, and knows the frame it will be computed on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import study_samples as samples

from study.cache import Cache
from study.checks.forecast import Forecast, StageForecast, forecast
from study.pipeline import Results
from study.stages.graph import STAGES
from study.study_file import BUILTIN_STUDIES, read_study


def test_half_the_cell_edge_is_four_times_the_cells_and_more_of_everything(tmp_path: Path) -> None:
    study = samples.read_generated(tmp_path, area_km2=2000)
    coarse = forecast(samples.changed(study, {"region.resolution_m": 60}))
    fine = forecast(samples.changed(study, {"region.resolution_m": 30}))
    assert fine.cells == pytest.approx(4 * coarse.cells, rel=1e-5)
    assert fine.seconds > coarse.seconds
    assert fine.memory_mb > coarse.memory_mb


def test_cells_are_those_of_the_frame(tmp_path: Path) -> None:
    study = samples.changed(read_study(BUILTIN_STUDIES / "bozhou.toml"), {"region.resolution_m": 240})
    frame = Results(study, STAGES, Cache(tmp_path)).get("region").frame
    assert forecast(study).cells == pytest.approx(frame.height * frame.width, rel=0.01)


def test_only_the_chosen_districts_count() -> None:
    study = read_study(BUILTIN_STUDIES / "bozhou.toml")
    some = samples.changed(study, {"region.only": ["蒙城县"]})
    assert forecast(some).cells < 0.5 * forecast(study).cells


def test_more_hosts_rules_and_cases_never_make_it_shorter(tmp_path: Path) -> None:
    study = samples.read_generated(tmp_path)
    fewer = {"hosts": study.file.model_dump(mode="json", exclude_none=True)["hosts"][:2], "exclusions": []}
    assert forecast(samples.changed(study, fewer)).seconds < forecast(study).seconds


def test_every_stage_of_the_forecast_is_a_stage_and_the_sum_is_the_whole(tmp_path: Path) -> None:
    told = forecast(samples.read_generated(tmp_path))
    assert {s.stage for s in told.by_stage} <= {stage.name for stage in STAGES}
    assert told.seconds == pytest.approx(sum(s.seconds for s in told.by_stage))
    assert all(s.seconds > 0 for s in told.by_stage)
    assert {s.stage for s in told.by_stage} | set(told.not_measured) == {stage.name for stage in STAGES}
    assert all(stage in told.in_words() for stage in told.not_measured)


def test_without_outlines_the_size_is_not_known_and_says_so(tmp_path: Path) -> None:
    from study.new import new_study

    path = new_study("own", tmp_path, generated=False, area_km2=1, population=1, lon=110, lat=30, districts=1)
    told = forecast(read_study(path))
    assert told.cells == 0
    assert math.isnan(told.seconds)
    assert "an unknown time" in told.in_words()


WORDS = [(3.2, "3 s"), (89.0, "89 s"), (150.0, "2 min"), (7200.0, "2.0 h")]


@pytest.mark.parametrize(("seconds", "words"), WORDS)
def test_in_words(seconds: float, words: str) -> None:
    told = Forecast(17_900_000, seconds, 1536.0, (StageForecast("land", seconds),))
    assert told.in_words().startswith(f"about {words} and 1.5 GiB for 17.9 million cells (longest: land {words})")

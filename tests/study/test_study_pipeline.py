"""The chain of stages: keys that follow exactly what a stage reads, results from memory, cache, or computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import study_samples as samples
from pydantic import BaseModel

from layers.contracts import Finding, InputError
from study.cache import Cache
from study.pipeline import Results, Stage
from study.stages.graph import STAGES
from study.study_file import BUILTIN_STUDIES, Study, read_study

# --- keys of the real graph -----------------------------------------------------------------------------------------


def keys(study: Study, tmp_path: Path) -> dict[str, str]:
    results = Results(study, STAGES, Cache(tmp_path))
    return {stage.name: results.key(stage.name) for stage in STAGES}


def difference(study: Study, change: dict[str, Any], tmp_path: Path) -> set[str]:
    before, after = keys(study, tmp_path), keys(samples.changed(study, change), tmp_path)
    return {name for name in before if before[name] != after[name]}


@pytest.fixture(scope="module")
def bozhou() -> Study:
    return read_study(BUILTIN_STUDIES / "bozhou.toml")


def test_a_changed_weight_changes_scores_and_verdicts_only(bozhou: Study, tmp_path: Path) -> None:
    changed = difference(bozhou, {"criteria.0.weight": 0.5, "criteria.1.weight": 0.2}, tmp_path)
    assert changed == {"scores", "stability", "verdicts", "grades", "short_circuit", "year"}


def test_a_changed_setback_changes_land_and_what_stands_on_it(bozhou: Study, tmp_path: Path) -> None:
    moved = difference(bozhou, {"exclusions.2.setback_m": 650.0}, tmp_path)
    results = Results(bozhou, STAGES, Cache(tmp_path))
    assert moved == {"land"} | {stage.name for stage in STAGES if "land" in results.below(stage.name)}
    assert {"sites", "yields", "connections", "scores", "verdicts"} <= moved
    assert not moved & {"region", "ground", "weather", "demand", "network", "load_flow"}


def test_a_planned_station_dropped_changes_the_network_and_leaves_land_sites_and_yields(
    bozhou: Study, tmp_path: Path
) -> None:
    stations = bozhou.file.network.model_dump(mode="json", exclude_none=True)["stations"]
    kept = [station for station in stations if station["name_en"] != "Qiaocheng"]
    assert len(kept) == len(stations) - 1
    moved = difference(bozhou, {"network.stations": kept}, tmp_path)
    results = Results(bozhou, STAGES, Cache(tmp_path))
    assert moved == {"network"} | {stage.name for stage in STAGES if "network" in results.below(stage.name)}
    assert "plan" in moved
    assert not moved & {"region", "ground", "land", "sites", "weather", "yields", "demand", "costs", "parks"}


CHANGES: list[tuple[dict[str, Any], set[str], set[str]]] = [
    # change, must change, must stay
    ({"study.seed": 7}, {"ground", "weather", "demand", "network"}, set()),
    ({"study.title_en": "x", "study.language": "en", "study.title_zh": "x"}, set(), {s.name for s in STAGES}),
    ({"region.resolution_m": 60}, {"region", "ground", "land"}, {"weather", "demand"}),
    ({"region.population.谯城区": 3.0}, {"region"}, {"weather", "demand"}),
    ({"generated.demand.peak_mw": 4100}, {"demand", "network", "load_flow"}, {"region", "ground", "land", "sites"}),
    ({"generated.weather.place": "Hangzhou"}, {"weather", "sites", "yields"}, {"region", "ground", "land", "network"}),
    ({"generated.land.profile": "hills"}, {"ground", "land", "network"}, {"region", "weather", "demand"}),
    ({"wind.mean_speed_m_per_s": 6.0}, {"yields", "scores"}, {"land", "sites", "network", "load_flow"}),
    ({"land.block_km": 20}, {"sites"}, {"ground", "land", "network"}),
    ({"land.mapped_by": ["village"]}, {"land", "sites"}, {"ground", "network"}),
    ({"hosts.2.area_share": 0.2}, {"land", "sites"}, {"ground", "network", "weather"}),
    ({"cost.price_year": 2020}, {"costs", "criteria", "scores"}, {"sites", "yields", "network", "hosting"}),
    ({"criteria.0.worst": 0.5}, {"scores", "stability"}, {"sites", "yields", "network", "hosting"}),
    ({"cases.0.load_share": 0.9}, {"load_flow", "hosting", "verdicts"}, {"network", "sites", "yields", "scores"}),
    ({"network.stations.0.vn_kv": 1000}, {"network", "load_flow", "hosting"}, {"region", "land", "sites", "yields"}),
    ({"network.rule_book": "dlt2041-2019"}, {"grades"}, {s.name for s in STAGES} - {"grades"}),
    ({"network.rule_book_options.tau_max": 0.8}, {"grades"}, {s.name for s in STAGES} - {"grades"}),
    ({"sources.counties.datum": "bd09"}, {"region", "ground", "land", "sites"}, {"weather", "demand"}),
    ({"sources.counties.licence": "x", "sources.counties.title_en": "x"}, set(), {s.name for s in STAGES}),
    ({"targets.0.target_mw": 500}, {"plan"}, {s.name for s in STAGES} - {"plan"}),
    ({"targets.0.installed_mw": 100}, {"plan"}, {s.name for s in STAGES} - {"plan"}),
    ({"plan.quotas.1.least_mw": 4500}, {"plan"}, {s.name for s in STAGES} - {"plan"}),
    ({"plan.dropped_stations": ["S500-qiaocheng"]}, {"plan"}, {s.name for s in STAGES} - {"plan"}),
    ({"plan.storage_cny_per_mwh": 600000}, {"plan"}, {s.name for s in STAGES} - {"plan"}),
    ({"plan.hours": 30}, {"plan_basis", "plan"}, {s.name for s in STAGES} - {"plan_basis", "plan"}),
    ({"outputs.formats": ["csv"]}, set(), {s.name for s in STAGES}),
]


@pytest.mark.parametrize(("change", "must", "stays"), CHANGES, ids=[" ".join(row[0]) for row in CHANGES])
def test_keys_follow_the_study_file(
    bozhou: Study, tmp_path: Path, change: dict[str, Any], must: set[str], stays: set[str]
) -> None:
    moved = difference(bozhou, change, tmp_path)
    assert must <= moved
    assert not moved & stays


SHOWN_ONLY = (
    "study.name", "study.title_zh", "study.title_en", "study.language", "targets", "assumptions", "outputs",
    "sources.*.path", "sources.*.licence", "sources.*.attribution", "sources.*.title_zh", "sources.*.title_en",
    "sources.*.note", "generated.demand.source", "generated.demand.confidence",
)  # fmt: skip
"""What no number depends on: texts for people, and paths (a source's content is in the key, its name is not)."""


@pytest.mark.parametrize("name", ["bozhou", "generated"])
def test_every_entry_of_a_study_changes_a_key_unless_it_is_only_shown(name: str, tmp_path: Path) -> None:
    """A result must never be taken from the cache when something it depends on has changed."""
    study = read_study(BUILTIN_STUDIES / "bozhou.toml") if name == "bozhou" else samples.read_generated(tmp_path / "s")
    results = Results(study, STAGES, Cache(tmp_path))
    before = [results.key(stage.name) for stage in STAGES]
    overlooked = []
    for where, file in _mutants(study.file):
        if any(_matches(where, pattern) for pattern in SHOWN_ONLY):
            continue
        mutant = Results(Study(file, study.path), STAGES, Cache(tmp_path), _input_hashes=dict(results._input_hashes))
        try:
            if [mutant.key(stage.name) for stage in STAGES] == before:
                overlooked.append(where)
        except (KeyError, OSError):
            continue  # names another source or file, whose content is in the key
    assert overlooked == []


def _matches(where: str, pattern: str) -> bool:
    steps, wanted = where.split("."), pattern.split(".")
    return all(w in ("*", s) for s, w in zip(steps, wanted, strict=False)) and len(steps) >= len(wanted)


def _mutants(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The model with one entry changed, for every entry that holds a value."""
    for field, info in type(model).model_fields.items():
        for where, value in _other(getattr(model, field), info.annotation, f"{prefix}{field}"):
            yield where, model.model_copy(update={field: value})


def _other(value: Any, annotation: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        yield from _mutants(value, f"{where}.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            for place, changed in _other(inner, None, f"{where}.{key}"):
                yield place, {**value, key: changed}
    elif isinstance(value, tuple):
        for row, inner in enumerate(value):
            for place, changed in _other(inner, None, f"{where}.{row}"):
                yield place, (*value[:row], changed, *value[row + 1 :])
    elif isinstance(value, bool):
        yield where, not value
    elif isinstance(value, int | float):
        yield where, value + 1
    elif type(value) is str:
        choices = [c for c in _choices(annotation) if c != value]
        yield where, choices[0] if choices else value + "x"


def _choices(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is not None and str(get_origin(annotation)) == "typing.Literal":
        return get_args(annotation)
    return tuple(choice for inner in get_args(annotation) for choice in _choices(inner))


def test_a_changed_source_changes_the_stages_that_read_it(tmp_path: Path) -> None:
    normals = tmp_path / "n.csv"
    path = samples.generated_study(tmp_path)
    builtin = read_study(path).card("normals").path
    normals.write_bytes(builtin.read_bytes())
    study = read_study(samples.edited(path, ("builtin:/climate-normals.csv", "n.csv")))
    before = keys(study, tmp_path)
    normals.write_bytes(builtin.read_bytes() + b"\n")
    after = keys(study, tmp_path)
    assert {n for n in before if before[n] != after[n]} >= {"weather", "yields"}
    assert before["ground"] == after["ground"]


def test_the_graph_names_each_stage_once_and_after_what_it_needs() -> None:
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names)
    for place, stage in enumerate(STAGES):
        assert set(stage.needs) <= set(names[:place])
        assert stage.label_zh
        assert stage.label_en


# --- a small graph --------------------------------------------------------------------------------------------------


def note(text: str) -> Finding:
    return Finding("note", "toy.note", "f", "l", "i", "v", text, "r")


class Toy:
    """``a -> b -> c``, ``d`` alone; counts how often each is computed."""

    def __init__(self, study: Study, folder: Path) -> None:
        self.study, self.cache, self.computed = study, Cache(folder), list[str]()

    def stage(self, name: str, needs: tuple[str, ...], compute: Callable[[Results], object]) -> Stage:
        def counted(results: Results) -> object:
            self.computed.append(name)
            results.log.add(note(f"from {name}"))
            return compute(results)

        return Stage(name, name, name, needs, (), lambda s: s.file.study.seed, lambda s: (), counted)

    def results(self) -> Results:
        stages = (
            self.stage("a", (), lambda r: 1),
            self.stage("b", ("a",), lambda r: r.get("a") + 1),
            self.stage("c", ("b",), lambda r: r.get("a") + r.get("b")),
            self.stage("d", (), lambda r: r.get("a")),
        )
        return Results(self.study, stages, self.cache)


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(samples.read_generated(tmp_path / "study"), tmp_path / "cache")


def test_each_stage_is_computed_once_and_then_taken_from_the_cache(toy: Toy) -> None:
    assert toy.results().get("c") == 3
    assert toy.computed == ["a", "b", "c"]
    again = toy.results()
    for name in "abc":
        again.ensure(name)
    assert again.get("c") == 3
    assert toy.computed == ["a", "b", "c"]
    assert all(report.from_cache for report in again.reports.values())


def test_a_damaged_result_is_computed_again(toy: Toy) -> None:
    first = toy.results()
    assert first.get("c") == 3
    path = toy.cache.path("b", first.key("b"))
    path.write_bytes(path.read_bytes()[:-4] + b"oops")
    again = toy.results()
    again.ensure("b")
    assert again.get("b") == 2
    assert toy.computed == ["a", "b", "c", "b"]
    assert not again.reports["b"].from_cache
    assert toy.results().get("b") == 2
    assert toy.computed == ["a", "b", "c", "b"]


def test_findings_are_the_same_whether_computed_or_cached(toy: Toy) -> None:
    first = toy.results()
    first.get("c")
    again = toy.results()
    for name in "abc":
        again.ensure(name)
    assert again.stage_findings() == first.stage_findings() == tuple(note(f"from {n}") for n in "abc")
    again.forget("abc")
    assert again.stage_findings() == first.stage_findings()


def test_findings_survive_the_loss_of_their_own_file(toy: Toy) -> None:
    toy.results().get("c")
    toy.cache.clear(["b-findings"])
    again = toy.results()
    for name in "abc":
        again.ensure(name)
    assert [f.message for f in again.stage_findings()] == ["from a", "from b", "from c"]
    assert toy.computed == ["a", "b", "c"]


def test_a_stage_may_not_use_what_it_does_not_stand_on(toy: Toy) -> None:
    with pytest.raises(LookupError, match="'d' asks for 'a'"):
        toy.results().get("d")


def test_errors_that_a_stage_logs_end_the_run_with_all_of_them_and_store_nothing(toy: Toy) -> None:
    def faulty(results: Results) -> object:
        results.log.add(
            Finding("error", "r", "f", "l", "1", "v", "m", "r"), Finding("error", "r", "f", "l", "2", "", "", "")
        )
        return 1

    results = Results(toy.study, (toy.stage("x", (), faulty),), toy.cache)
    with pytest.raises(InputError) as caught:
        results.get("x")
    assert [f.item for f in caught.value.findings] == ["1", "2"]
    assert not results.is_cached("x")
    assert results.log.findings == []


def test_a_run_that_breaks_leaves_the_earlier_stages_to_take_up(toy: Toy) -> None:
    def broken(results: Results) -> object:
        results.get("b")
        raise RuntimeError("power cut")

    stages = (*toy.results().stages[:2], toy.stage("c", ("b",), broken))
    with pytest.raises(RuntimeError):
        Results(toy.study, stages, toy.cache).get("c")
    assert toy.results().get("c") == 3
    assert toy.computed == ["a", "b", "c", "c"]


def test_progress_tells_of_computed_stages_only(toy: Toy) -> None:
    told: list[tuple[str, float]] = []
    results = toy.results()
    results.progress = lambda label, share: told.append((label, share))
    results.get("a")
    assert told == [("a", 0.0), ("a", 1.0)]
    again = toy.results()
    again.progress = results.progress
    again.get("a")
    assert len(told) == 2

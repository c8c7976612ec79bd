"""What a stage depends on: its slice of the study file, and the sources that it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from study.schema.file import StudyFile
from study.stages.weather import needs_region
from study.study_file import Study, resolve_path


def parts_of(*names: str) -> Callable[[Study], object]:
    """The parts of the study file that a stage depends on, as plain JSON."""

    def config(study: Study) -> object:
        dump = study.file.model_dump(mode="json")
        return [dump[name] for name in names]

    return config


def no_sources(study: Study) -> Sequence[str]:
    """A stage that reads no source."""
    return ()


def named(*pick: Callable[[StudyFile], Iterable[str | None]]) -> Callable[[Study], Sequence[str]]:
    """Ids of the sources that a stage reads; None where the study names none."""

    def sources(study: Study) -> Sequence[str]:
        return sorted({name for one in pick for name in one(study.file) if name})

    return sources


def seed_and(*names: str) -> Callable[[Study], object]:
    """Seed, code and parts of the study file: what generated data depends on."""
    inner = parts_of(*names)
    return lambda study: [study.file.study.seed, study.file.study.code, inner(study)]


def criterion_sources(study: Study) -> object:
    """What the criteria read; weights and value functions come later."""
    return [(c.id, c.source) for c in study.file.criteria]


def network_config(study: Study) -> object:
    """What the network depends on; the rule book comes later."""
    network = study.file.network
    return [
        study.file.study.seed,
        network.model_dump(mode="json", exclude={"rule_book", "rule_book_options"}),
        folder_digest(study, network.folder),
        folder_digest(study, network.standards),
    ]


def cases_config(study: Study) -> object:
    """Cases and standard tables."""
    return [parts_of("cases")(study), own_standards_digest(study)]


def own_standards_digest(study: Study) -> str:
    """The study's own standard tables."""
    return folder_digest(study, study.file.network.standards)


def rule_book_config(study: Study) -> object:
    """What grades depend on."""
    chosen = study.file.network.model_dump(mode="json", include={"rule_book", "rule_book_options"})
    return [chosen, study.file.land.province, cases_config(study)]


def plan_basis_config(study: Study) -> object:
    """What lots and operating points depend on; targets, prices and budgets come later."""
    plan = study.file.plan
    return [cases_config(study), None if plan is None else [plan.hours, plan.large_site_mw]]


def station_accesses_config(study: Study) -> object:
    """What connections at new stations depend on; where the plan may build none, nothing."""
    from study.plan.measures import new_stations

    plan = study.file.plan
    stations = new_stations(study.file) if plan is not None and "new_station" in plan.measures else ()
    if plan is None or not stations:
        return None
    return [cases_config(study), parts_of("connection")(study), [asdict(s) for s in stations], plan.large_site_mw]


def plan_config(study: Study) -> object:
    """What the plan depends on beside its basis."""
    plan = study.file.plan
    if plan is None:
        return None
    targets = [(t.technology_group, t.year, t.target_mw, t.installed_mw) for t in study.file.targets]
    return [plan.model_dump(mode="json"), targets, cases_config(study)]


def folder_digest(study: Study, folder: str | None) -> str:
    if not folder:
        return ""
    from study.cache import file_digest

    return file_digest(resolve_path(folder, study.path.parent))


def weather_config(study: Study) -> object:
    """What the weather depends on; the region where places come from it."""
    made = study.file.generated.model_dump(mode="json")
    region = [parts_of("region")(study), made["region"]] if needs_region(study.file) else []
    return [study.file.study.seed, made["weather"], parts_of("weather")(study), region]

"""The chain of stages: which stage stands on which, what its key is, and how it is computed or taken from the cache.

``region -> ground -> land -> sites -> yields -> scores ->\\
          weather ---------------^                          verdicts
          demand -> network -> load flow, hosting -> connections /``
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from layers.contracts import Finding, FindingLog
from study.cache import Cache, code_digest, digest, file_digest
from study.study_file import PROGRAM_ROOT, Study

STUDY_CODE = (
    "study/stages/graph.py",
    "study/stages/inputs.py",
    "study/stages/ground.py",
    "study/stages/weather.py",
    "study/checks/sources.py",
    "study/checks/plan.py",
    "study/stages/targets.py",
    "study/stages/projects.py",
    "study/records.py",
    "study/sites/rules.py",
    "study/sites/land.py",
    "study/sites/scoring.py",
    "study/sites/costs.py",
    "study/sites/candidates.py",
    "study/sites/park_checks.py",
    "study/sites/park_lines.py",
    "study/sites/parks.py",
    "study/sites/pv.py",
    "study/sites/wind.py",
    "study/network/build.py",
    "study/network/connect.py",
    "study/network/year.py",
    "study/network/curtailment.py",
    "study/network/short_circuit.py",
    "study/network/short_circuit_assumptions.csv",
    "study/network/grades.py",
    "study/plan/search.py",
    "study/plan/basis.py",
    "study/plan/access.py",
    "study/plan/measures.py",
    "study/plan/station_access.py",
    "study/outputs/element_names.py",
    "maps/added.py",
    "study/pipeline.py",
)
"""Modules that results depend on, beside the packages that a stage names."""

Progress = Callable[[str, float], None]
Compute = Callable[["Results"], object]


def no_progress(label: str, share: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    ``config`` gives the slice of the study file that the result depends on, ``sources`` the ids of the files it
    reads, ``needs`` the stages whose results it uses, ``packages`` the code it runs.
    """

    name: str
    label_zh: str
    label_en: str
    needs: tuple[str, ...]
    packages: tuple[str, ...]
    config: Callable[[Study], object]
    sources: Callable[[Study], Sequence[str]]
    compute: Compute


@dataclass(frozen=True)
class StageReport:
    """How a stage's result came to be."""

    name: str
    key: str
    seconds: float
    from_cache: bool


@dataclass(frozen=True)
class Stored:
    """What the cache holds of a stage: the result and what was found on the way."""

    result: Any
    findings: tuple[Finding, ...]


@dataclass
class Results:
    """Results of the stages of one run, taken from memory, from the cache, or computed, in this order.

    A stage that was in the cache is read from disk only when another stage asks for it. While a stage is computed it
    may ask for the stages it stands on, and for no other: what it used would be missing from its key.
    """

    study: Study
    stages: tuple[Stage, ...]
    cache: Cache
    progress: Progress = no_progress
    reports: dict[str, StageReport] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    log: FindingLog = field(default_factory=FindingLog)
    _keys: dict[str, str] = field(default_factory=dict)
    _memory: dict[str, Stored] = field(default_factory=dict)
    _input_hashes: dict[str, str] = field(default_factory=dict)
    _computing: list[str] = field(default_factory=list)

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def input_hash(self, source_id: str) -> str:
        """SHA-256 of a source's file or folder, computed once a run."""
        if source_id not in self._input_hashes:
            self._input_hashes[source_id] = file_digest(self.study.card(source_id).path)
        return self._input_hashes[source_id]

    def key(self, name: str) -> str:
        """Content hash that a stage's result is stored under."""
        if name not in self._keys:
            stage = self.stage(name)
            self._keys[name] = digest(
                name,
                code_digest(PROGRAM_ROOT, (*stage.packages, *STUDY_CODE)),
                stage.config(self.study),
                [(s, self.input_hash(s), _card_facts(self.study, s)) for s in sorted(set(stage.sources(self.study)))],
                [(needed, self.key(needed)) for needed in stage.needs],
            )
        return self._keys[name]

    def is_cached(self, name: str) -> bool:
        return name in self._memory or self.cache.has(name, self.key(name))

    def ensure(self, name: str) -> None:
        """Make sure that the stage's result exists, without reading it from disk."""
        if name in self.reports:
            return
        if self.cache.has(name, self.key(name)):
            self.reports[name] = StageReport(name, self.key(name), 0.0, True)
            return
        self.get(name)

    def below(self, name: str) -> frozenset[str]:
        """Names of all stages that a stage stands on, directly or not."""
        needs = self.stage(name).needs
        return frozenset(needs).union(*(self.below(needed) for needed in needs))

    def get(self, name: str) -> Any:
        """The stage's result.

        Raises
        ------
        LookupError
            If a stage that is being computed asks for one that it does not stand on.
        """
        if self._computing and name not in self.below(self._computing[-1]):
            raise LookupError(f"stage {self._computing[-1]!r} asks for {name!r} without standing on it")
        if name not in self._memory:
            self._memory[name] = self._stored(name)
        return self._memory[name].result

    def forget(self, names: Iterable[str]) -> None:
        """Free the memory of results that the cache holds."""
        for name in names:
            self._memory.pop(name, None)

    def stage_findings(self) -> tuple[Finding, ...]:
        """Warnings and notes of all stages of this run, the same whether they were computed or taken from the cache."""
        return tuple(sorted({f for name in self.reports for f in self._findings_of(name)}))

    def _findings_of(self, name: str) -> tuple[Finding, ...]:
        if name in self._memory:
            return self._memory[name].findings
        try:
            findings: tuple[Finding, ...] = self.cache.load(_findings_name(name), self.key(name))
        except KeyError:
            self.get(name)
            findings = self._memory[name].findings
        return findings

    def _stored(self, name: str) -> Stored:
        key = self.key(name)
        if self.cache.has(name, key):
            start = time.perf_counter()
            try:
                stored: Stored = self.cache.load(name, key)
            except KeyError:
                return self._computed(name, key)
            known = self.reports.get(name)
            if known is None or known.from_cache:
                self.reports[name] = StageReport(name, key, time.perf_counter() - start, True)
            return stored
        return self._computed(name, key)

    def _computed(self, name: str, key: str) -> Stored:
        stage = self.stage(name)
        for needed in stage.needs:
            self.ensure(needed)
        self.progress(name, 0.0)
        outer, self.log = self.log, FindingLog()
        self._computing.append(name)
        start = time.perf_counter()
        try:
            result = stage.compute(self)
            self.log.raise_errors()
            stored = Stored(result, tuple(self.log.findings))
        finally:
            self.log = outer
            self._computing.pop()
        self.cache.store(_findings_name(name), key, stored.findings)
        self.cache.store(name, key, stored)
        self.reports[name] = StageReport(name, key, time.perf_counter() - start, False)
        self.progress(name, 1.0)
        return stored


def _findings_name(stage: str) -> str:
    """Findings are stored beside the result, so that a run that needs no more of a stage does not read it all."""
    return f"{stage}-findings"


def _card_facts(study: Study, source_id: str) -> object:
    """What of a source's card moves a number; titles and attributions do not."""
    entry = study.file.sources[source_id]
    return [entry.datum, entry.layer, entry.unit, entry.nodata, entry.origin, entry.sha256]

"""First exits of a group of hours with the factors of its anchor: sizes of the plants, refits, and the sweep."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grid.batch import BatchSolver
from grid.capacity.kernels import NEVER
from grid.capacity.year_model import (
    Judged,
    OutageFactors,
    PlantFactors,
    Refit,
    outage_factors,
    plant_factors,
    refit,
    solver_at,
    swapped_references,
)
from grid.capacity.year_records import DIVERGED
from grid.capacity.year_rows import branch_powers
from grid.capacity.year_study import Group, Study
from grid.model.arrays import injections

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]


@dataclass
class System:
    """Factors of one solver at an anchor: the case's own reference, or another one for outages that cut it off."""

    solver: BatchSolver
    outages: tuple[OutageFactors, ...]
    plant: PlantFactors
    number: Ints
    """Outage number of each row of ``plant.power``."""
    size_mw: Floats
    """Plant of the secants at each bus."""
    intact: bool
    """Whether the intact network is judged with these factors."""
    refits: list[Refit]
    """Corrections of each of ``outages``."""

    def parts(self) -> Iterator[tuple[OutageFactors, Refit, slice]]:
        """Factors, corrections, and rows of ``number`` and ``plant.power``."""
        place = 0
        for factors, more in zip(self.outages, self.refits, strict=True):
            yield factors, more, slice(place, place + len(factors.outage))
            place += len(factors.outage)

    def refit_to(self, study: Study, limit: Floats, code: Codes) -> int:
        """Fit the pairs (outage, bus) that bind somewhere in ``code`` (buses, hours) at the middle of the limits that
        they set; how many were not fitted there yet."""
        count = 0
        number, bus, size = _binding_pairs(study, limit, code)
        for n, (factors, more, rows) in enumerate(self.parts()):
            order = np.argsort(self.number[rows], kind="stable")
            at = np.searchsorted(self.number[rows][order], number).clip(max=len(order) - 1)
            done = dict(zip(zip(more.outage.tolist(), more.bus.tolist(), strict=True), more.size_mw, strict=True))
            wanted = [
                (int(order[k]), int(bus[j]), float(size[j]))
                for j, k in enumerate(at)
                if self.number[rows][order[k]] == number[j]
                and abs(done.get((int(order[k]), int(bus[j])), np.inf) - size[j]) > study.settings.refit_share * size[j]
            ]
            if wanted:
                outage, column, mw = (np.array(x) for x in zip(*wanted, strict=True))
                new = refit(self.solver, study.watched, factors, self.plant, self.plant.power[rows], outage, column,
                            study.bus[column], mw, study.settings.limits.direction)  # fmt: skip
                self.refits[n] = more.replaced_by(new)
                count += len(new.bus)
                study.ac_states += len(wanted)
        return count


def _binding_pairs(study: Study, limit: Floats, code: Codes) -> tuple[Ints, Ints, Floats]:
    """(outage number, bus, median of the limits) of the pairs that bind."""
    bus, hour = np.nonzero((code >= study.watched.row_count) & (limit > 0))
    pair = (code[bus, hour] // study.watched.row_count).astype(np.int64) * len(code) + bus
    order = np.lexsort((limit[bus, hour], pair))
    found, first, many = np.unique(pair[order], return_index=True, return_counts=True)
    middle = limit[bus, hour][order][first + many // 2]
    number, column = np.divmod(found, len(code))
    return number, column, np.maximum(middle, np.minimum(study.settings.least_mw, study.cap_mw[column]))


def search_group(
    study: Study, group: Group, voltage: Complexes, limit: Floats, code: Codes, counts: npt.NDArray[np.int64]
) -> None:
    """Lower ``limit`` (buses, hours) in the hours of a group; counts of the kernels are added to ``counts``."""
    settings, cap = study.settings, study.cap_mw
    anchor = solver_at(study.solver, study.injection(group.anchor))
    sample = group.hours[:: max(1, len(group.hours) // settings.sample_hours)]
    size: Floats | None = None
    for n, part in enumerate(_parts(study)):
        solvers = list(_solvers(study, anchor, part))
        study.diverged.update(k for _, judged in solvers for k in judged.diverged.tolist())
        if size is None:
            tried = np.minimum(settings.first_mw, cap)
            systems = [_system(study, own, judged, tried, k == 0) for k, (own, judged) in enumerate(solvers)]
            rough = _searched(study, systems, sample, voltage, limit, code)[0]
            size = np.clip(np.quantile(rough, settings.quantile, axis=1), np.minimum(settings.least_mw, cap), cap)
        systems = [_system(study, own, judged, size, n + k == 0) for k, (own, judged) in enumerate(solvers)]
        for _ in range(settings.refits):
            found = _searched(study, systems, sample, voltage, limit, code)
            if not sum(system.refit_to(study, *found) for system in systems):
                break
        for system in systems:
            _search(study, system, group.hours, voltage, limit, code, counts)
        _bind_diverged(study, solvers, group.hours, limit, code)


def _solvers(study: Study, anchor: BatchSolver, part: Ints) -> Iterator[tuple[BatchSolver, Judged]]:
    """The anchor with the factors of its outages, and solvers around other references for those that cut it off."""
    judged = outage_factors(anchor, study.watched, part, study.bus)
    study.ac_states += len(part)
    yield anchor, judged
    for bus, own in swapped_references(anchor, judged.swapped):
        other = solver_at(study.solver, _difference(study, anchor), bus)
        study.ac_states += len(own)
        yield other, outage_factors(other, study.watched, own, study.bus)


def _searched(
    study: Study, systems: list[System], sample: Ints, voltage: Complexes, limit: Floats, code: Codes
) -> tuple[Floats, Codes]:
    """Limits and codes of some hours alone, shape (buses, sample); nothing is stored."""
    p, name = limit[:, sample], code[:, sample]
    for system in systems:
        _search(study, system, sample, voltage, p, name, np.zeros(3, np.int64), stored=False)
    return p, name


def _bind_diverged(
    study: Study, solvers: list[tuple[BatchSolver, Judged]], hours: Ints, limit: Floats, code: Codes
) -> None:
    """Outages without a solution bind at 0, unless faults of the base case are tolerated."""
    diverged = [k for _, judged in solvers for k in judged.diverged.tolist()]
    if diverged and not study.settings.limits.tolerate_base:
        name = DIVERGED - int(np.flatnonzero(study.outages == diverged[0])[0]) - 1
        code[:, hours] = np.where(limit[:, hours] > 0, name, code[:, hours])
        limit[:, hours] = 0.0


def _difference(study: Study, anchor: BatchSolver) -> Complexes:
    """Injections of an anchor beyond the study's base state [MW], shape (buses,)."""
    return (injections(anchor.arrays) - injections(study.solver.arrays)) * study.solver.arrays.base_mva


def _system(study: Study, solver: BatchSolver, judged: Judged, size: Floats, intact: bool) -> System:
    factors = judged.factors
    rows = np.concatenate([np.empty(0, np.int64), *(f.outage for f in factors)])
    plant = plant_factors(solver, study.watched, rows, study.bus, size, study.settings.limits.direction)
    study.ac_states += len(study.bus)
    mib = sum(f.a.nbytes + f.a_node.nbytes for f in factors) / 2**20
    study.largest_factors_mib = max(study.largest_factors_mib, mib)
    place = {int(k): n + 1 for n, k in enumerate(study.outages)}
    number = np.array([place[int(k)] for k in rows], dtype=np.int64)
    return System(solver, factors, plant, number, size, intact, [Refit.none(study.watched) for _ in factors])


def _parts(study: Study) -> list[Ints]:
    each = 8 * (8 * len(study.watched.end) + 4 * len(study.watched.node)) / 2**20
    size = max(1, int(study.settings.memory_mib / max(each, 1e-9)))
    starts = range(0, max(1, len(study.outages)), size)
    return [study.outages[first : first + size] for first in starts]


def _search(
    study: Study, system: System, hours: Ints, voltage: Complexes, limit: Floats, code: Codes,
    counts: npt.NDArray[np.int64], *, stored: bool = True,
) -> None:  # fmt: skip
    """All pairs of one system, block by block of ``hours``; the columns of ``limit`` and ``code`` are all hours of
    the study where ``stored``, else just ``hours``."""
    size = study.settings.block_hours

    def block(first: int) -> npt.NDArray[np.int64]:
        at = hours[first : first + size]
        column = at if stored else np.arange(first, first + len(at))
        p, name = np.ascontiguousarray(limit[:, column]), np.ascontiguousarray(code[:, column])
        own = np.zeros(3, np.int64)
        _sweep(study, system, voltage[:, at], np.ascontiguousarray(study.factor[:, at]), p, name, own)
        limit[:, column], code[:, column] = p, name
        return own

    with ThreadPoolExecutor(max(1, study.solver.threads)) as pool:
        for own in pool.map(block, range(0, len(hours), size)):
            counts += own


def _sweep(
    study: Study, system: System, v: Complexes, factor: Floats, p: Floats, code: Codes, counts: npt.NDArray[np.int64]
) -> None:
    from grid.capacity import year_kernels as kernels

    w, d, limits = study.watched, system.plant, study.settings.limits
    room, volts, tolerate = limits.slack_percent / 100, limits.slack_pu, limits.tolerate_base
    x, rest = w.values(v), (p, p.max(axis=1), code)
    if system.intact:
        kernels.sweep_intact(x.re, x.im, w.limit_0, factor, w.kind, d.re, d.im, w.end, room, tolerate, *rest)
        kernels.sweep_rows(x.vm, w.high_0, volts, tolerate, 1.0, d.vm, w.node_high, *rest)
        kernels.sweep_rows(x.vm, -w.low_0, volts, tolerate, -1.0, d.vm, w.node_low, *rest)
        share = 1 / w.reverse_limit[:, None]
        one = np.ones(len(share))
        kernels.sweep_rows(x.reverse * share, one, room, tolerate, 1.0, d.reverse * share, w.reverse_row, *rest)
    for f, more, rows in system.parts():
        s = branch_powers(system.solver, f.outage, v) * f.sees[:, :, None]
        ds = np.ascontiguousarray(d.power[rows] * f.sees[:, :, None])
        name, first = system.number[rows] * w.row_count, more.first(len(f.outage))
        kernels.sweep_outages(
            x.re, x.im, w.limit_1, factor, w.kind, s, f.a, f.c, f.seen, d.re, d.im, ds, f.lost_bus,
            (first, more.bus, more.re, more.im), w.end, name, room, tolerate, *rest, counts,
        )  # fmt: skip
        for sign, high, row in ((1.0, w.high_1, w.node_high), (-1.0, -w.low_1, w.node_low)):
            if (high < NEVER / 2).any():
                kernels.sweep_outage_rows(
                    x.vm, high, sign, s, f.a_node, f.c_node, f.seen_node, d.vm, ds, f.lost_bus,
                    (first, more.bus, more.vm), row, name, volts, tolerate, *rest, counts,
                )  # fmt: skip

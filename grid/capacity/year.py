"""Over the year: the largest injection of every bus in every hour, in N and after every outage of a branch.

The hours are solved by AC; a few of them (anchors) give the linear factors of outages and plants for the hours like
them (:mod:`grid.capacity.year_model`). The first exit over all (hour, outage, element) is found without leaving any
out (:mod:`grid.capacity.year_kernels`), and the hours that matter are solved by AC again with the plant in
(:mod:`grid.capacity.year_check`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.batch import BatchSolver
from grid.capacity.rows import row_name
from grid.capacity.year_check import checked
from grid.capacity.year_records import CAP, CHECKS, NO_STATE, HourlyLimits, Work, YearSettings
from grid.capacity.year_search import search_group
from grid.capacity.year_study import Change, Progress, Study, extreme_groups

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]


def hourly_limits(
    solver: BatchSolver,
    change: Change,
    labels: Sequence[str],
    buses: Iterable[int] | None = None,
    settings: YearSettings | None = None,
    line_factor: Floats | None = None,
    when: pd.DatetimeIndex | None = None,
    progress: Progress | None = None,
) -> HourlyLimits:
    """Largest injection >= 0 of each bus and hour that breaks no limit, the others as they are.

    Parameters
    ----------
    solver : BatchSolver
        Of the case around which the hours lie (as for :func:`grid.studies.series.run_hours`).
    change : callable
        Called with first and last hour; what is added to the base state's injections [MW, Mvar], shape (buses,
        hours), positive into the network.
    labels
        One an hour.
    buses
        Bus ids of the plants, one at a time; None is every energised bus that is no star point.
    line_factor : array, shape (hours,), optional
        Factor on the ratings of lines in each hour (season); transformers keep theirs.
    when : DatetimeIndex, optional
        Start of each hour, for months and hours of the day; None is a common year from 1 January, hour by hour.

    Returns
    -------
    HourlyLimits
        Hours and outages without a solution bind at 0 and say so.

    Raises
    ------
    InputError
        If no branch has a rating (:func:`grid.capacity.rows.build_rows`).
    ValueError
        If a bus is unknown or not energised, the plant follows Q(U), or lengths differ.
    """
    chosen = settings or YearSettings()
    study = Study.of(solver, change, labels, buses, chosen, line_factor, when)
    voltage, solved = study.states(progress)
    limit = np.repeat(study.cap_mw[:, None], len(labels), axis=1)
    code = np.full(limit.shape, CAP, np.int32)
    limit[:, ~solved], code[:, ~solved] = 0.0, NO_STATE
    counts = np.zeros(3, np.int64)
    groups = study.groups(voltage, solved)
    for number, group in enumerate(groups):
        search_group(study, group, voltage, limit, code, counts)
        if progress:
            progress("limits", (number + 1) / len(groups))
    for group in extreme_groups(study, voltage, groups, limit):
        limit[:, group.hours], code[:, group.hours] = study.cap_mw[:, None], CAP
        search_group(study, group, voltage, limit, code, counts)
    found = _result(study, limit, code, counts)
    return checked(found, study, progress) if chosen.check else found


def _result(study: Study, limit: Floats, code: Codes, counts: npt.NDArray[np.int64]) -> HourlyLimits:
    w, case = study.watched, study.solver.arrays.case
    names = case.branches["branch_id"].to_numpy()
    hours, n = len(study.labels), len(study.solver.members)
    rows = len(w.end) + 2 * len(w.node)
    block = (2 * len(w.end) + len(w.node) + n) * study.settings.block_hours * 8 * max(1, study.solver.threads) * 4
    bound = study.largest_factors_mib + (n * hours * 16 + limit.nbytes + code.nbytes + block) / 2**20
    triples = hours * (len(study.outages) + 1) * rows * len(study.bus)
    work = Work(triples, int(counts[0]), int(counts[1]), int(counts[2]), study.ac_states, bound)
    return HourlyLimits(
        study.solver.arrays.bus_ids[study.bus], study.labels, study.month, study.hour_of_day, limit, code,
        study.cap_mw, ("", *(str(names[k]) for k in study.outages)),
        tuple(row_name(w.rows, case, r) for r in range(w.row_count)), study.not_studied,
        tuple(str(names[k]) for k in sorted(study.diverged)), CHECKS.empty(), (), work,
    )  # fmt: skip

"""Limits that buses share: what all connections together may inject, as rows of the joint choice.

A bus takes its hosting capacity only while its neighbours take nothing: after an outage the same line or unit stands
in the way of all of them. So the injections of a choice are put into the AC states of every outage in every case, and
each limit that they break becomes a tangent ``gradient . injections <= limit`` over all buses, as in the plan
(:mod:`grid.plan.rows`). A choice that keeps these rows, less the MW that it gives up at a price, can be carried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from grid.contracts import Case, Network
from grid.limits import LimitSettings
from grid.plan.contracts import Cut, Floats, PlanProblem, PlanSettings, Point, Stage
from grid.plan.rows import NetworkBook


class SharedLimits:
    """Asks the network what a choice breaks; holds the base states of every case between the questions."""

    def __init__(
        self, network: Network, cases: Sequence[Case], buses: Sequence[str], limits: LimitSettings | None = None
    ) -> None:
        points = tuple(Point(case.id, case, 0.0, False) for case in cases)
        self._problem = PlanProblem(
            (Stage(0, 1.0),), points, (), np.zeros((0, len(points))), (), (), PlanSettings(),
            limits or LimitSettings.standard(), lambda config, case: network, storage_buses=tuple(buses),
        )  # fmt: skip
        self._book = NetworkBook(self._problem)
        self._broken_last: list[int] = []

    @property
    def buses(self) -> tuple[str, ...]:
        """Buses of the rows' gradients, sorted."""
        return self._problem.buses

    def broken(self, injections_mw: Floats) -> list[Cut]:
        """Rows that the injections break, shape (buses, cases); ``point`` of a row is the number of its case.

        Cases that were broken at the last question are asked first, the others only where these are clean.

        A case without a load flow solution gives none: nothing can be connected in it anyhow.
        """
        last = self._broken_last or range(len(self._problem.points))
        found = self._ask(last, injections_mw)
        if not found:
            found = self._ask([c for c in range(len(self._problem.points)) if c not in last], injections_mw)
        self._broken_last = sorted({cut.point for cut in found})
        return found

    def _ask(self, cases: Iterable[int], injections_mw: Floats) -> list[Cut]:
        found: list[Cut] = []
        for case in cases:
            reached = self._book.reach(frozenset(), case, 1.0, injections_mw[:, case])
            if reached is not None:
                found += self._book.cuts(frozenset(), case, 1.0, reached)
        return found

"""A mixed-integer linear programme under construction: columns and rows, as HiGHS takes them."""

from __future__ import annotations

from collections.abc import Iterable

import highspy
import numpy as np

from grid.plan.contracts import Floats, Ints

INF = highspy.kHighsInf
MILLION = 1e6
"""CNY in one unit of cost of the programme, so that all its numbers are of the order of one."""


class Columns:
    """Columns in blocks, all from 0 up; ``quantity`` is what counts where energy or power is the objective."""

    def __init__(self) -> None:
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.cost: list[float] = []
        self.quantity: list[float] = []
        self.whole: list[int] = []

    def add(
        self,
        shape: tuple[int, ...],
        upper: float | Floats,
        cost: float | Floats = 0.0,
        whole: bool = False,
        quantity: float | Floats = 0.0,
    ) -> Ints:
        """Numbers of the new columns, in the shape asked for."""
        first, count = len(self.lower), int(np.prod(shape))
        self.lower += [0.0] * count
        self.upper += np.broadcast_to(np.asarray(upper, float), shape).ravel().tolist()
        self.cost += np.broadcast_to(np.asarray(cost, float), shape).ravel().tolist()
        self.quantity += np.broadcast_to(np.asarray(quantity, float), shape).ravel().tolist()
        if whole:
            self.whole += list(range(first, first + count))
        return np.arange(first, first + count).reshape(shape)


class Rows:
    """Rows collected for one call to HiGHS."""

    def __init__(self) -> None:
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.start: list[int] = []
        self.index: list[int] = []
        self.value: list[float] = []

    def add(self, lower: float, upper: float, index: Iterable[int], value: Iterable[float]) -> None:
        self.start.append(len(self.index))
        self.lower.append(lower)
        self.upper.append(upper)
        for i, v in zip(index, value, strict=True):
            if v != 0.0:
                self.index.append(int(i))
                self.value.append(float(v))

    def since(self, row: int) -> Rows:
        """The rows from a number on."""
        rest = Rows()
        first = self.start[row] if row < len(self.start) else len(self.index)
        rest.lower, rest.upper = self.lower[row:], self.upper[row:]
        rest.start = [start - first for start in self.start[row:]]
        rest.index, rest.value = self.index[first:], self.value[first:]
        return rest

    def add_to(self, highs: highspy.Highs) -> None:
        """Append the rows to a model that HiGHS holds."""
        if self.lower:
            highs.addRows(
                len(self.lower),
                np.array(self.lower),
                np.array(self.upper),
                len(self.index),
                np.array(self.start, dtype=np.int32),
                np.array(self.index, dtype=np.int32),
                np.array(self.value),
            )


def quiet_highs() -> highspy.Highs:
    """HiGHS without output, on one thread."""
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    return highs


def highs_of(columns: Columns, rows: Rows, cost: Floats) -> highspy.Highs:
    """HiGHS with the whole programme."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(columns.lower), len(rows.lower)
    lp.col_lower_, lp.col_upper_ = np.array(columns.lower), np.array(columns.upper)
    lp.col_cost_ = cost
    lp.row_lower_, lp.row_upper_ = np.array(rows.lower), np.array(rows.upper)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.array([*rows.start, len(rows.index)], dtype=np.int32)
    lp.a_matrix_.index_ = np.array(rows.index, dtype=np.int32)
    lp.a_matrix_.value_ = np.array(rows.value)
    highs = quiet_highs()
    highs.passModel(lp)
    return highs

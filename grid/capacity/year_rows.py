"""What the year's limits watch: currents at the limited branch ends, voltages of free nodes, reverse flows.

The current of a branch end is taken in the frame of the end's own voltage,

    i = S / |V|,   S = V conj(y_own V + y_mutual V_far),

so that |i| is the current and a turn of all angles against the slack, which a plant far from it brings, changes
nothing: linear factors of i hold over a much wider range than those of the current itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grid.batch import BatchSolver
from grid.capacity.kernels import NEVER
from grid.capacity.rows import Rows, build_rows
from grid.capacity.settings import CapacitySettings

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Values:
    """Watched values of some states: ``re``, ``im`` (ends, states) [pu], ``vm`` (nodes, states) [pu], ``reverse``
    (branches with a reverse-flow limit, states) [pu]."""

    re: Floats
    im: Floats
    vm: Floats
    reverse: Floats


@dataclass(frozen=True)
class Watched:
    """Limited rows of a case; nodes in the numbering of the solver's part.

    ``end`` and ``node_high`` are row numbers in the order of :class:`grid.capacity.rows.Rows`; ``kind`` is 1 for
    lines, whose limits follow the season, else 0.
    """

    rows: Rows
    end: Ints
    near: Ints
    far: Ints
    y_own: Complexes
    y_mutual: Complexes
    branch: Ints
    """Row of the end's branch in the case's table."""
    kind: Ints
    limit_0: Floats
    limit_1: Floats
    """Largest current before and after an outage [pu]."""
    node: Ints
    """Watched nodes: with a band, and not held by a generator."""
    high_0: Floats
    low_0: Floats
    high_1: Floats
    low_1: Floats
    reverse: Ints
    """Kept branches with a limit of reverse flow."""
    reverse_sign: Floats
    reverse_limit: Floats

    @property
    def row_count(self) -> int:
        """Rows of the common numbering; a code is ``outage * row_count + row``."""
        return 3 * self.rows.n_branch + 2 * self.rows.n_node

    @property
    def node_high(self) -> Ints:
        return 2 * self.rows.n_branch + self.node

    @property
    def node_low(self) -> Ints:
        return self.node_high + self.rows.n_node

    @property
    def reverse_row(self) -> Ints:
        return 2 * self.rows.n_branch + 2 * self.rows.n_node + self.reverse

    @classmethod
    def of(cls, solver: BatchSolver, settings: CapacitySettings) -> Watched:
        rows = build_rows(solver, settings)
        nb = rows.n_branch
        limited = np.flatnonzero((rows.scale > 0) & (rows.limit_0 < NEVER))
        end = np.concatenate([limited, nb + limited])
        yf, yt = rows.yf[0::2] + 1j * rows.yf[1::2], rows.yt[0::2] + 1j * rows.yt[1::2]
        size = np.sqrt(rows.scale[limited])
        limit_0 = np.tile(np.sqrt(rows.limit_0[limited]) / size, 2)
        limit_1 = np.tile(np.sqrt(rows.limit_1[limited]) / size, 2)
        lines = (solver.arrays.case.branches["kind"] == "line").to_numpy(bool)[rows.branch[limited]]
        node = np.flatnonzero(~solver.held & ((rows.high_0 < NEVER) | (rows.low_0 > -NEVER)))
        reverse = np.flatnonzero(rows.reverse_limit < NEVER)
        return cls(
            rows, end, np.concatenate([rows.f[limited], rows.t[limited]]),
            np.concatenate([rows.t[limited], rows.f[limited]]),
            np.concatenate([yf[0, limited], yt[1, limited]]), np.concatenate([yf[1, limited], yt[0, limited]]),
            np.tile(rows.branch[limited], 2), np.tile(lines.astype(np.int64), 2), limit_0, limit_1, node,
            rows.high_0[node], rows.low_0[node], rows.high_1[node], rows.low_1[node], reverse,
            rows.reverse_sign[reverse], rows.reverse_limit[reverse],
        )  # fmt: skip

    def values(self, v: Complexes) -> Values:
        """Watched values of node voltages ``v``, shape (nodes of the part, states)."""
        near = v[self.near]
        s = near * np.conj(self.y_own[:, None] * near + self.y_mutual[:, None] * v[self.far])
        i = s / np.abs(near)
        r = self.rows
        f, t = r.f[self.reverse], r.t[self.reverse]
        yf = r.yf[:, self.reverse]
        own, mutual = yf[0] + 1j * yf[1], yf[2] + 1j * yf[3]
        p = (v[f] * np.conj(own[:, None] * v[f] + mutual[:, None] * v[t])).real
        return Values(
            np.ascontiguousarray(i.real), np.ascontiguousarray(i.imag), np.abs(v[self.node]),
            -self.reverse_sign[:, None] * p,
        )  # fmt: skip

    def gradients(self, v: Complexes) -> Complexes:
        """d i / d(angle near, angle far, |V| near, |V| far) of the ends at one state, shape (4, ends)."""
        near, far = v[self.near], v[self.far]
        turned = near * np.conj(self.y_mutual * far) / np.abs(near)
        return np.stack([1j * turned, -1j * turned, np.conj(self.y_own), turned / np.abs(far)])


def branch_powers(solver: BatchSolver, branches: Ints, v: Complexes) -> Floats:
    """P_f, P_t, Q_f, Q_t of branches (table rows) [pu], shape (branches, 4, states), for voltages of the part."""
    local = np.full(solver.arrays.n_node, -1)
    local[solver.members] = np.arange(len(solver.members))
    f, t = v[local[solver.arrays.f[branches]]], v[local[solver.arrays.t[branches]]]
    y = solver.ports[:, branches]
    s_f = f * np.conj(y[0][:, None] * f + y[1][:, None] * t)
    s_t = t * np.conj(y[2][:, None] * f + y[3][:, None] * t)
    return np.ascontiguousarray(np.stack([s_f.real, s_t.real, s_f.imag, s_t.imag], axis=1))

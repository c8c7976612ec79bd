"""The factored Jacobian of a base state, and where each equation and unknown stands in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from grid.jacobian import power_derivatives

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STATES = 64
"""States worked on side by side: what fits the processor's cache."""


@dataclass(frozen=True)
class Factor:
    """L, U and permutations of a Jacobian; solves many right-hand sides at once."""

    lp: Ints
    li: Ints
    lx: Floats
    up: Ints
    ui: Ints
    ux: Floats
    diagonal: Floats
    row: Ints
    """Place of each equation in the permuted right-hand side."""
    place: Ints
    """Place of each unknown in the solved array."""

    @classmethod
    def of(cls, matrix: sp.csc_matrix) -> Factor:
        lu = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options={"SymmetricMode": True})
        upper = lu.U
        return cls(
            *_off_diagonal(lu.L), *_off_diagonal(upper), 1 / upper.diagonal(), lu.perm_r.astype(np.int64),
            lu.perm_c.astype(np.int64),
        )  # fmt: skip

    def solve(self, b: Floats) -> None:
        """In place; equations at ``row``, unknowns then at ``place``."""
        from grid.batch_kernels import lu_solve

        lu_solve(self.lp, self.li, self.lx, self.up, self.ui, self.ux, self.diagonal, b)


def _off_diagonal(matrix: sp.csc_matrix) -> tuple[Ints, Ints, Floats]:
    """Column starts, rows and values of a triangular matrix without its diagonal."""
    columns = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    kept = matrix.indices != columns
    starts = np.concatenate([[0], np.cumsum(np.bincount(columns[kept], minlength=matrix.shape[1]))])
    return starts.astype(np.int64), matrix.indices[kept].astype(np.int64), matrix.data[kept]


@dataclass(frozen=True)
class Places:
    """Where the equations and unknowns of each node stand in the permuted arrays; -1 where there is none."""

    row_p: Ints
    row_q: Ints
    angle: Ints
    magnitude: Ints
    sigma: int

    @classmethod
    def of(cls, held: Bools, reference: int, factor: Factor) -> Places:
        n, free = len(held), np.flatnonzero(~held)
        angles = np.setdiff1d(np.arange(n), [reference])
        row_q, angle, magnitude = (np.full(n, -1, np.int64) for _ in range(3))
        row_p = np.empty(n, np.int64)
        row_p[angles] = factor.row[np.arange(n - 1)]
        row_p[reference] = factor.row[-1]
        row_q[free] = factor.row[n - 1 + np.arange(len(free))]
        angle[angles] = factor.place[np.arange(n - 1)]
        magnitude[free] = factor.place[n - 1 + np.arange(len(free))]
        return cls(row_p, row_q, angle, magnitude, int(factor.place[-1]))


def base_jacobian(
    ybus: sp.csr_matrix, voltage: Complexes, held: Bools, weight: Floats, reference: int
) -> sp.csc_matrix:
    """Rows P, Q, P of the reference; columns angles, magnitudes, slack: each unknown beside its own equation, which
    keeps the fill of the factor small."""
    n, free = len(held), np.flatnonzero(~held)
    angles = np.setdiff1d(np.arange(n), [reference])
    by_angle, by_magnitude = power_derivatives(ybus, voltage)
    at = np.array([reference])
    share = sp.csc_matrix(-weight[:, None])
    return sp.bmat(
        [
            [by_angle.real[angles][:, angles], by_magnitude.real[angles][:, free], share[angles]],
            [by_angle.imag[free][:, angles], by_magnitude.imag[free][:, free], None],
            [by_angle.real[at][:, angles], by_magnitude.real[at][:, free], share[at]],
        ],
        format="csc",
    )


@dataclass(frozen=True)
class JacobianPattern:
    """:func:`base_jacobian` for many states and admittances of one pattern and one set of held voltages."""

    f: Ints
    t: Ints
    """Row and column of each admittance entry, in the matrix's order."""
    own: Ints
    """Entry of each diagonal element."""
    source: Ints
    """Where each Jacobian entry comes from in [dP/dth, dP/dV, dQ/dth, dQ/dV, shares of the slack]."""
    indices: Ints
    indptr: Ints
    weight: Floats

    @classmethod
    def of(cls, ybus: sp.csr_matrix, held: Bools, weight: Floats, reference: int) -> JacobianPattern:
        """Of a matrix that has every diagonal element."""
        n, entries = len(held), ybus.nnz
        f = np.repeat(np.arange(n), np.diff(ybus.indptr))
        t = ybus.indices.astype(np.int64)
        free = np.flatnonzero(~held)
        angle_at, free_at = np.full(n, -1), np.full(n, -1)
        angle_at[np.setdiff1d(np.arange(n), [reference])] = np.arange(n - 1)
        free_at[free] = n - 1 + np.arange(len(free))
        last = n - 1 + len(free)
        p_row = np.where(angle_at < 0, last, angle_at)
        row = np.concatenate([p_row[f], p_row[f], free_at[f], free_at[f], p_row])
        column = np.concatenate([angle_at[t], free_at[t], angle_at[t], free_at[t], np.full(n, last)])
        source = np.flatnonzero((row >= 0) & (column >= 0))
        source = source[(source < 4 * entries) | (weight[np.maximum(source - 4 * entries, 0)] != 0)]
        order = np.lexsort((row[source], column[source]))
        source = source[order]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(column[source], minlength=last + 1))])
        own = np.full(n, -1)
        own[f[f == t]] = np.flatnonzero(f == t)
        return cls(f, t, own, source, row[source].astype(np.int32), indptr.astype(np.int32), weight)

    def matrix(self, admittance: Complexes, voltage: Complexes) -> sp.csc_matrix:
        """The Jacobian with the admittance entries given (data of a matrix of this pattern)."""
        flow = voltage[self.f] * np.conj(admittance * voltage[self.t])
        total = np.bincount(self.f, flow.real, len(voltage)) + 1j * np.bincount(self.f, flow.imag, len(voltage))
        size = np.abs(voltage)
        by_angle, by_size = -1j * flow, flow / size[self.t]
        by_angle[self.own] += 1j * total
        by_size[self.own] += total / size
        values = np.concatenate([by_angle.real, by_size.real, by_angle.imag, by_size.imag, -self.weight])
        n = len(self.indptr) - 1
        return sp.csc_matrix((values[self.source], self.indices, self.indptr), shape=(n, n))

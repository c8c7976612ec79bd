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
        lower, upper = sp.tril(lu.L, -1).tocsc(), sp.triu(lu.U, 1).tocsc()
        return cls(
            lower.indptr.astype(np.int64), lower.indices.astype(np.int64), lower.data,
            upper.indptr.astype(np.int64), upper.indices.astype(np.int64), upper.data,
            1 / lu.U.diagonal(), lu.perm_r.astype(np.int64), lu.perm_c.astype(np.int64),
        )  # fmt: skip

    def solve(self, b: Floats) -> None:
        """In place; equations at ``row``, unknowns then at ``place``."""
        from grid.batch_kernels import lu_solve

        lu_solve(self.lp, self.li, self.lx, self.up, self.ui, self.ux, self.diagonal, b)


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

"""States on their way: mismatch, step, and who is done; the others go on without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grid.batch_outages import Lost

if TYPE_CHECKING:
    from grid.batch import BatchSolver

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_STEPS = 40
SETTLED_PU = 1e-8
HOPELESS_PU = 1e3
STALL = 0.95
"""Share of the error that a step may leave before the chord is given up, once it is past its first steps."""
REPACK = 0.4
"""Share of a block's states that are done when the others go on without them."""


@dataclass
class Work:
    """The states of a block that are still on their way; column k is state ``state[k]``."""

    state: Ints
    vr: Floats
    vi: Floats
    vm: Floats
    sigma: Floats
    p0: Floats
    q0: Floats
    lost: Lost | None
    b: Floats
    error: Floats
    best: Floats

    @classmethod
    def of(cls, solver: BatchSolver, injected: Complexes, lost: Lost | None, count: int) -> Work:
        re, im = (np.repeat(x[:, None], count, axis=1) for x in (solver.voltage.real, solver.voltage.imag))
        size = len(solver.members) + int((~solver.held).sum())
        return cls(
            np.arange(count), re, im, np.hypot(re, im), np.zeros(count), np.ascontiguousarray(injected.real),
            np.ascontiguousarray(injected.imag), lost, np.empty((size, count)), np.full(count, np.inf),
            np.full(count, np.inf),
        )  # fmt: skip

    def voltage(self, which: Bools) -> Complexes:
        return np.asarray(self.vr[:, which] + 1j * self.vi[:, which], dtype=np.complex128)

    def judge(self, solver: BatchSolver, k: int) -> tuple[Bools, Bools]:
        """Errors of all states; which are done, and which of those are settled."""
        from grid.batch_kernels import mismatch

        count, places = len(self.state), solver._places
        lost = self.lost if self.lost is not None else Lost.none(count)
        current = solver.current
        error = mismatch(*solver._csr, self.vr, self.vi, self.vm, self.p0, self.q0, current.real, current.imag,
                         lost.f, lost.t, lost.y, lost.sees, self.sigma, solver.weight, places.row_p, places.row_q,
                         self.b)  # fmt: skip
        good = (error <= SETTLED_PU) & (self.vm > 0).all(axis=0)
        hopeless = ~np.isfinite(error) | (error > HOPELESS_PU) | ((k > 8) & (error > STALL * self.best))
        self.best = np.where(error < self.best, error, self.best)
        return good | hopeless, good

    def advance(self, solver: BatchSolver, done: Bools) -> None:
        from grid.batch_kernels import correct_for_outage, step

        self.b[:, done] = 0.0
        solver.factor.solve(self.b)
        lost, places = self.lost, solver._places
        if lost is not None:
            correct_for_outage(self.b, lost.z, lost.inner, lost.row, len(self.state))
        step(self.vr, self.vi, self.vm, self.sigma, self.b, places.angle, places.magnitude, places.sigma)

    def part(self, which: Bools) -> Work:
        one = self.p0.shape[1] == 1
        kept = np.flatnonzero(which)
        cut = [np.take(x, kept, axis=1) for x in (self.vr, self.vi, self.vm, self.b)]
        p0, q0 = (x if one else np.take(x, kept, axis=1) for x in (self.p0, self.q0))
        lost = None if self.lost is None else self.lost.part(which)
        return Work(self.state[which], cut[0], cut[1], cut[2], self.sigma[which], p0, q0, lost, cut[3],
                     self.error[which], self.best[which])  # fmt: skip

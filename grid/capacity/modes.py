"""Generators at the end of their reactive range: which nodes hold their voltage in a state.

A *mode* is the set of nodes whose generators stand at a limit; each has its own schedule and factor. A solved state
whose generators leave their range, or need no longer stand at its end, belongs to another mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grid.batch import BatchSolver

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Bools = npt.NDArray[np.bool_]
ModeKey = tuple[tuple[int, ...], tuple[int, ...]]
"""Nodes at their upper limit, nodes at their lower limit."""

ROOM_PU = 1e-6


@dataclass(frozen=True)
class Ranges:
    """Reactive range of the generators of each node [pu], NaN set point where none holds a voltage."""

    low: Floats
    high: Floats
    base: Floats
    """Output in the solver's base state, which its schedule holds."""
    set_point: Floats
    key: ModeKey
    """Mode of the base state."""

    @classmethod
    def of(cls, solver: BatchSolver) -> Ranges:
        a, n = solver.arrays, len(solver.members)
        local = np.full(a.n_node, -1)
        local[solver.members] = np.arange(n)
        at = local[a.node[a.generator_bus]]
        own = a.node[a.regulated_bus] == a.node[a.generator_bus]
        use = a.holds & own & (at >= 0)
        low, high, base, set_point = np.zeros(n), np.zeros(n), np.zeros(n), np.full(n, np.nan)
        np.add.at(low, at[use], a.q_min_pu[use])
        np.add.at(high, at[use], a.q_max_pu[use])
        np.add.at(base, at[use], np.nan_to_num(solver.base.generator_q_mvar[use]) / a.base_mva)
        set_point[at[use]] = a.vm_set_pu[use]
        loose = np.isfinite(set_point) & ~solver.held
        upper = loose & (np.abs(base - high) <= np.abs(base - low))
        key = (tuple(np.flatnonzero(upper).tolist()), tuple(np.flatnonzero(loose & ~upper).tolist()))
        return cls(low, high, base, set_point, key)

    def held(self, solver: BatchSolver, key: ModeKey) -> Bools:
        """Nodes that hold their voltage in a mode."""
        held = solver.held.copy()
        held[[*self.key[0], *self.key[1]]] = True
        held[[*key[0], *key[1]]] = False
        return held

    def schedule(self, solver: BatchSolver, key: ModeKey) -> Complexes:
        """Scheduled injections in a mode: generators at a limit give what the limit says."""
        injected = solver.injected.copy()
        upper, lower = list(key[0]), list(key[1])
        injected[upper] += 1j * (self.high - self.base)[upper]
        injected[lower] += 1j * (self.low - self.base)[lower]
        return injected

    def leaves(self, key: ModeKey, output: Floats, magnitude: Floats, dead: Bools) -> Bools:
        """Which states, shape (states,), do not fit their mode; arguments as :meth:`next_key`, (nodes, states)."""
        free, upper, lower = self._sides(key, dead)
        off = (output[free] > self.high[free, None] + ROOM_PU) | (output[free] < self.low[free, None] - ROOM_PU)
        up = magnitude[upper] > self.set_point[upper, None] + ROOM_PU
        down = magnitude[lower] < self.set_point[lower, None] - ROOM_PU
        return np.asarray(off.any(axis=0) | up.any(axis=0) | down.any(axis=0))

    def _sides(self, key: ModeKey, dead: Bools) -> tuple[Bools, Bools, Bools]:
        """Nodes with generators that hold their voltage, stand at the upper, at the lower limit."""
        upper, lower = np.zeros(len(dead), dtype=bool), np.zeros(len(dead), dtype=bool)
        upper[list(key[0])], lower[list(key[1])] = True, True
        return np.isfinite(self.set_point) & ~upper & ~lower & ~dead, upper, lower

    def next_key(self, key: ModeKey, output: Floats, magnitude: Floats, dead: Bools) -> ModeKey:
        """Mode that a solved state asks for; the same where it fits.

        Parameters
        ----------
        output : array, shape (nodes,)
            Reactive output of the generators of each node in that state [pu].
        magnitude : array, shape (nodes,)
        dead : array of bool, shape (nodes,)
            Nodes whose generators do not matter.
        """
        holds, upper, lower = self._sides(key, dead)
        back_up = upper & (magnitude > self.set_point + ROOM_PU)
        back_down = lower & (magnitude < self.set_point - ROOM_PU)
        new_upper = (upper & ~back_up) | (holds & (output > self.high + ROOM_PU))
        new_lower = (lower & ~back_down) | (holds & (output < self.low - ROOM_PU))
        return tuple(np.flatnonzero(new_upper).tolist()), tuple(np.flatnonzero(new_lower).tolist())

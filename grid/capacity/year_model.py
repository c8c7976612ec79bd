"""Linear factors around one solved hour: what an outage and a plant do to everything watched.

With x(h) the watched values of hour h by AC load flow and s_k(h) the powers at the ends of branch k in that hour, the
state after the loss of k with p MW more at bus b is

    x_k(h, p) = x(h) + A_k s_k(h) + c_k + p (D_b + A_k dS_kb)

A_k   one Newton step with the Jacobian after the outage (Woodbury; :mod:`grid.batch`): J_k^-1 E = Z (I + M Z_F)
c_k   what that step lacks at the anchor hour, where the outage is solved by AC: there the answer is exact
D, dS change of the watched values and of s_k per MW, as secants between AC states without and with the plant;
      for the pairs (outage, bus) that bind somewhere they are refitted to the AC state of the anchor hour after the
      outage with the plant in
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grid.batch import BatchSolver, with_extra
from grid.batch_outages import Lost
from grid.capacity.year_rows import Values, Watched, branch_powers
from grid.contracts import Status
from grid.solve import solve_arrays

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
OUTAGES_AT_A_TIME = 64


def solver_at(solver: BatchSolver, change: Complexes, reference_bus: int = -1) -> BatchSolver:
    """The batch solver around another state of the same case.

    Parameters
    ----------
    change : array, shape (buses,)
        Added to the base state's injections [MW, Mvar].
    reference_bus : int
        Bus row that takes the slack from now on; what the old reference gave in the new state stays scheduled there.

    Raises
    ------
    ValueError
        If the state does not converge.
    """
    base_arrays = solver.arrays
    extra = np.zeros(base_arrays.n_node, complex)
    np.add.at(extra, base_arrays.node, change / base_arrays.base_mva)
    arrays = with_extra(base_arrays, extra)
    solution = solve_arrays(arrays, solver.options, solver.base.voltage)
    if solution.status is not Status.DIVERGED and reference_bus >= 0:
        given = np.zeros(base_arrays.n_node, complex)
        weight = solver.weight * float(np.nansum(solution.slack_mw)) / base_arrays.base_mva
        given[solver.members] = weight
        arrays = replace(with_extra(arrays, given), reference=np.array([reference_bus]))
        solution = solve_arrays(arrays, solver.options, solution.voltage)
    if solution.status is Status.DIVERGED:
        raise ValueError(f"no state to work around: {solution.detail}")
    return BatchSolver.at(arrays, solver.options, solution, solver.threads)


@dataclass(frozen=True)
class OutageFactors:
    """A and c of some outages, ready for the kernels; see the module's head."""

    outage: Ints
    """Branch rows, shape (outages,)."""
    sees: Floats
    """1 where an end still sees the branch (bridges: one end is lost), shape (outages, 4)."""
    a: Floats
    c: Floats
    seen: Bools
    """Ends that the outage leaves, shape (outages, ends)."""
    a_node: Floats
    c_node: Floats
    seen_node: Bools
    lost_bus: Bools
    """Buses that the outage cuts off, shape (outages, buses)."""


@dataclass(frozen=True)
class Judged:
    """What became of the outages at one anchor: those with factors, and those that have none."""

    factors: tuple[OutageFactors, ...]
    diverged: Ints
    """No AC solution after the outage."""
    swapped: Ints
    """The loss cuts the reference off: another takes over, and the factors are those of a solver around it."""


def outage_factors(solver: BatchSolver, watched: Watched, outages: Ints, buses: Ints) -> Judged:
    """Factors of single outages around the solver's own state; ``buses``: bus rows that plants may connect to."""
    swapped = np.array([solver.reference_lost(int(k)) for k in outages], dtype=bool)
    own, diverged, found = outages[~swapped], [], []
    now = solver.voltage[:, None]
    x0 = watched.values(now)
    for first in range(0, len(own), OUTAGES_AT_A_TIME):
        part = own[first : first + OUTAGES_AT_A_TIME]
        status, v = _outage_states(solver, part)
        gone = np.array([one is Status.DIVERGED for one in status], dtype=bool)
        if not gone.all():
            found.append(_factors(solver, watched, part[~gone], v[:, ~gone], x0, buses))
        diverged.append(part[gone])
    empty = np.empty(0, np.int64)
    return Judged(tuple(found), np.concatenate([empty, *diverged]), outages[swapped])


def _outage_states(solver: BatchSolver, outages: Ints) -> tuple[list[Status], Complexes]:
    blocks = list(solver.outages(outages))
    v = np.concatenate([b.node_voltage[solver.members] for b in blocks], axis=1)
    return [one for b in blocks for one in b.status], v


def _factors(
    solver: BatchSolver, watched: Watched, outages: Ints, v: Complexes, x0: Values, buses: Ints
) -> OutageFactors:
    dx, sees = _steps(solver, outages)
    grad = watched.gradients(solver.voltage)
    places = solver._places
    at = np.stack([places.angle[watched.near], places.angle[watched.far],
                   places.magnitude[watched.near], places.magnitude[watched.far]])  # fmt: skip
    by_end = np.zeros((len(watched.end), 4, len(outages)), complex)
    for i in range(4):
        by_end += grad[i][:, None, None] * dx[at[i]]
    a = np.ascontiguousarray(np.stack([by_end.real, by_end.imag]).transpose(3, 1, 0, 2))
    a_node = np.ascontiguousarray(dx[places.magnitude[watched.node]].transpose(2, 0, 1))
    s0 = branch_powers(solver, outages, solver.voltage[:, None])[:, :, 0] * sees
    there = np.isfinite(v)
    seen = there[watched.near].T & there[watched.far].T & (watched.branch[None, :] != outages[:, None])
    exact = watched.values(np.where(there, v, 1.0))
    step = np.einsum("keci,ki->kec", a, s0)
    c = np.stack([exact.re - x0.re, exact.im - x0.im], axis=2).transpose(1, 0, 2) - step
    c_node = (exact.vm - x0.vm).T - np.einsum("kni,ki->kn", a_node, s0)
    local = np.full(solver.arrays.n_node, -1)
    local[solver.members] = np.arange(len(solver.members))
    lost_bus = ~there[local[solver.arrays.node[buses]]].T
    return OutageFactors(
        outages, sees, a, np.ascontiguousarray(np.where(seen[:, :, None], c, 0.0)), np.ascontiguousarray(seen),
        a_node, np.ascontiguousarray(c_node), np.ascontiguousarray(there[watched.node].T),
        np.ascontiguousarray(lost_bus),
    )  # fmt: skip


def _steps(solver: BatchSolver, outages: Ints) -> tuple[Floats, Floats]:
    """d unknowns / d(powers at the lost branch's ends), shape (unknowns + 1, 4, outages), the last row 0 for what is
    no unknown; and which ends see the branch, shape (outages, 4)."""
    lost = Lost.of(solver, outages, solver._cut_sides())
    count = len(outages)
    z = lost.z.reshape(-1, 4, count)
    at = np.maximum(lost.row, 0)
    z_u = np.where((lost.row >= 0)[:, None, :], z[at, :, np.arange(count)].transpose(0, 2, 1), 0.0)
    turn = np.eye(4)[:, :, None] + np.einsum("ack,cbk->abk", lost.inner, z_u)
    dx = np.einsum("iak,abk->ibk", z, turn)
    return np.concatenate([dx, np.zeros((1, 4, count))]), np.ascontiguousarray(lost.sees[[0, 1, 0, 1]].T)


@dataclass(frozen=True)
class PlantFactors:
    """D per MW: ``re``, ``im`` (ends, buses), ``vm`` (nodes, buses), ``reverse`` (branches, buses); ``power``: dS of
    every outage asked for (outages, 4, buses)."""

    re: Floats
    im: Floats
    vm: Floats
    reverse: Floats
    power: Floats


def plant_factors(
    solver: BatchSolver, watched: Watched, outages: Ints, buses: Ints, size_mw: Floats, direction: complex
) -> PlantFactors:
    """Secants between the solver's state and states with one plant each.

    Parameters
    ----------
    size_mw : array, shape (buses,)
        Size of the plant; where no state with it exists, half of it is tried, and so on.
    direction : complex
        Power injected per MW of the plant (its power factor).
    """
    now = solver.voltage[:, None]
    x0, s0 = watched.values(now), branch_powers(solver, outages, now)
    v, size = _with_plants(solver, buses, size_mw.copy(), direction)
    x, s = watched.values(v), branch_powers(solver, outages, v)
    return PlantFactors(
        *(np.ascontiguousarray((more - less) / size)
          for more, less in ((x.re, x0.re), (x.im, x0.im), (x.vm, x0.vm), (x.reverse, x0.reverse), (s, s0)))
    )  # fmt: skip


def _with_plants(solver: BatchSolver, buses: Ints, size: Floats, direction: complex) -> tuple[Complexes, Floats]:
    v = np.empty((len(solver.members), len(buses)), complex)
    todo = np.arange(len(buses))
    for _ in range(30):
        change = np.zeros((solver.arrays.n_bus, len(todo)), complex)
        change[buses[todo], np.arange(len(todo))] = size[todo] * direction
        blocks = list(solver.injections(change))
        v[:, todo] = np.concatenate([b.node_voltage[solver.members] for b in blocks], axis=1)
        todo = todo[~np.isfinite(v[:, todo]).all(axis=0)]
        if not len(todo):
            return v, size
        size[todo] /= 2
    raise ValueError(f"no state with a plant at bus {solver.arrays.bus_ids[buses[todo[0]]]}")


@dataclass(frozen=True)
class Refit:
    """Corrections of the change per MW, sorted by outage; ``outage`` counts within the factors they belong to."""

    outage: Ints
    bus: Ints
    """Column of the plant, shape (corrections,)."""
    size_mw: Floats
    """Plant at which it was fitted."""
    re: Floats
    im: Floats
    """Shape (corrections, ends)."""
    vm: Floats
    """Shape (corrections, nodes)."""

    @classmethod
    def none(cls, watched: Watched) -> Refit:
        ends, empty = len(watched.end), np.empty(0, np.int64)
        return cls(
            empty, empty, np.empty(0), np.empty((0, ends)), np.empty((0, ends)), np.empty((0, len(watched.node)))
        )

    def first(self, count: int) -> Ints:
        """Where the corrections of each of ``count`` outages begin, and the end."""
        return np.searchsorted(self.outage, np.arange(count + 1)).astype(np.int64)

    def replaced_by(self, other: Refit) -> Refit:
        """These corrections and the others, which stand for the same pairs here."""
        taken = set(zip(other.outage.tolist(), other.bus.tolist(), strict=True))
        pairs = zip(self.outage.tolist(), self.bus.tolist(), strict=True)
        kept = np.array([pair not in taken for pair in pairs], dtype=bool)
        outage = np.concatenate([self.outage[kept], other.outage])
        order = np.argsort(outage, kind="stable")
        rest = (
            np.concatenate([mine[kept], more])[order]
            for mine, more in ((self.bus, other.bus), (self.size_mw, other.size_mw), (self.re, other.re),
                               (self.im, other.im), (self.vm, other.vm))
        )  # fmt: skip
        return Refit(outage[order], *rest)


def refit(
    solver: BatchSolver, watched: Watched, factors: OutageFactors, plant: PlantFactors, power: Floats, outage: Ints,
    column: Ints, bus: Ints, size_mw: Floats, direction: complex,
) -> Refit:  # fmt: skip
    """What the factors lack of the AC states of the anchor hour with a plant in and a branch out.

    Parameters
    ----------
    power
        dS of the factors' outages, (outages, 4, buses).
    outage, column : arrays
        Pairs: outage within ``factors``, and column of the plant.
    bus : array
        Bus row of each pair; ``size_mw`` its plant.

    Pairs without a solution get no correction.
    """
    change = np.zeros((solver.arrays.n_bus, len(outage)), complex)
    change[bus, np.arange(len(outage))] = size_mw * direction
    blocks = list(solver.outages_at(change, factors.outage[outage]))
    v = np.concatenate([b.node_voltage[solver.members] for b in blocks], axis=1)
    there = np.isfinite(v)
    kept = np.flatnonzero(there.any(axis=0) & ~factors.lost_bus[outage, column])
    outage, column, size = outage[kept], column[kept], size_mw[kept]
    exact = watched.values(np.where(there, v, 1.0)[:, kept])
    now = solver.voltage[:, None]
    x0 = watched.values(now)
    s = (branch_powers(solver, factors.outage, now)[:, :, 0] * factors.sees)[outage]
    ds = (power * factors.sees[:, :, None])[outage, :, column]
    s = s + size[:, None] * ds
    ends, nodes = factors.seen[outage], factors.seen_node[outage]

    def lack(at_all: Floats, start: Floats, slope: Floats, a: Floats, c: Floats, seen: Bools) -> Floats:
        linear = start.T + size[:, None] * slope[:, column].T + np.einsum("jri,ji->jr", a[outage], s) + c[outage]
        return np.where(seen, (at_all.T - linear) / size[:, None], 0.0)

    a, c = factors.a, factors.c
    return Refit(
        outage, column, size, lack(exact.re, x0.re, plant.re, a[:, :, 0], c[:, :, 0], ends),
        lack(exact.im, x0.im, plant.im, a[:, :, 1], c[:, :, 1], ends),
        lack(exact.vm, x0.vm, plant.vm, factors.a_node, factors.c_node, nodes),
    )  # fmt: skip


def swapped_references(solver: BatchSolver, outages: Ints) -> Iterator[tuple[int, Ints]]:
    """(bus row of the new reference, outages) for outages that cut the reference off: the largest plant of the part
    that stays, as in :meth:`grid.batch.BatchSolver.reference_lost`."""
    by_bus: dict[int, list[int]] = {}
    for k in outages.tolist():
        node = solver.members[solver.reference_after(k)]
        a = solver.arrays
        bus = a.generator_bus[a.holds & (a.node[a.generator_bus] == node)][0]
        by_bus.setdefault(int(bus), []).append(k)
    for bus, own in by_bus.items():
        yield bus, np.array(own, dtype=np.int64)

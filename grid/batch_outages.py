"""Single outages as changes of a few rows of a factored Jacobian, and the sides that they cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import numpy.typing as npt

from grid.batch_factor import STATES

if TYPE_CHECKING:
    from grid.batch import BatchSolver

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lost:
    """The lost branches of one block of states."""

    branch: Ints
    f: Ints
    t: Ints
    y: Floats
    sees: Floats
    z: Floats
    inner: Floats
    row: Ints
    dead: dict[int, Ints]

    @classmethod
    def of(cls, solver: BatchSolver, branch: Ints, cut: dict[int, Ints]) -> Lost:
        a, count = solver.arrays, len(branch)
        f, t = solver._local[a.f[branch]], solver._local[a.t[branch]]
        ports = solver.ports[:, branch]
        dead: dict[int, Ints] = {}
        sees = np.ones((2, count))
        for s, k in enumerate(branch.tolist()):
            gone = cut.get(k)
            if gone is not None:
                dead[s] = gone
                inside = set(gone.tolist())
                sees[0, s], sees[1, s] = float(f[s] not in inside), float(t[s] not in inside)
        outside = (f < 0) | (t < 0) | ~a.live[branch] | (branch < 0)
        f, t = np.where(outside, -1, f), np.where(outside, -1, t)
        y = np.ascontiguousarray(np.stack([ports[0].real, ports[0].imag, ports[1].real, ports[1].imag,
                                           ports[2].real, ports[2].imag, ports[3].real, ports[3].imag]))  # fmt: skip
        z, inner, row = woodbury(solver, f, t, ports, sees)
        return cls(branch, f, t, y, sees, z, inner, row, dead)

    @classmethod
    def none(cls, count: int) -> Lost:
        """No outage in any of ``count`` states."""
        nowhere, empty = np.full(count, -1, np.int64), np.empty((0, 0))
        return cls(nowhere, nowhere, nowhere, np.zeros((8, count)), np.zeros((2, count)), empty,
                   np.empty((0, 0, 0)), np.empty((0, 0), np.int64), {})  # fmt: skip

    def part(self, which: Bools) -> Lost:
        """Of some of the states; who is dead is kept with the block."""
        z = np.take(self.z, np.flatnonzero(np.tile(which, 4)), axis=1)
        return Lost(
            self.branch[which], self.f[which], self.t[which], np.ascontiguousarray(self.y[:, which]),
            np.ascontiguousarray(self.sees[:, which]), z, np.ascontiguousarray(self.inner[:, :, which]),
            np.ascontiguousarray(self.row[:, which]), {},
        )  # fmt: skip

    def flows_at(self, v: Complexes) -> Floats:
        """Reactive power that the lost branches would draw at their ends, shape of ``v``."""
        q = np.zeros(v.shape)
        for s in np.flatnonzero(self.f >= 0):
            f, t = self.f[s], self.t[s]
            y = self.y[0::2, s] + 1j * self.y[1::2, s]
            q[f, s] += self.sees[0, s] * (v[f, s] * np.conj(y[0] * v[f, s] + y[1] * v[t, s])).imag
            q[t, s] += self.sees[1, s] * (v[t, s] * np.conj(y[2] * v[f, s] + y[3] * v[t, s])).imag
        return q


def woodbury(solver: BatchSolver, f: Ints, t: Ints, ports: Complexes, sees: Floats) -> tuple[Floats, Floats, Ints]:
    """Z (rows, 4 states), M (4, 4, states) and the places of the branches' unknowns (4, states)."""
    places, count = solver._places, len(f)
    size = len(places.row_p) + int((~solver.held).sum())
    at_f, at_t = np.maximum(f, 0), np.maximum(t, 0)
    rows = np.stack([places.row_p[at_f], places.row_p[at_t], places.row_q[at_f], places.row_q[at_t]])
    unknowns = np.stack([places.angle[at_f], places.angle[at_t], places.magnitude[at_f], places.magnitude[at_t]])
    rows[:, f < 0], unknowns[:, f < 0] = -1, -1
    z = np.zeros((size, 4 * count))
    for a in range(4):
        here = np.flatnonzero(rows[a] >= 0)
        z[rows[a, here], a * count + here] = 1.0
    for first in range(0, 4 * count, 2 * STATES):
        part = np.ascontiguousarray(z[:, first : first + 2 * STATES])
        solver.factor.solve(part)
        z[:, first : first + 2 * STATES] = part
    b = _flow_derivatives(solver.voltage[at_f], solver.voltage[at_t], ports) * sees[[0, 1, 0, 1]][:, None, :]
    b = b * (rows >= 0)[:, None, :] * (unknowns >= 0)[None, :, :]
    z_u = np.zeros((4, 4, count))
    for c in range(4):
        for a in range(4):
            z_u[c, a] = np.where(unknowns[c] >= 0, z[np.maximum(unknowns[c], 0), a * count + np.arange(count)], 0.0)
    matrix = np.eye(4)[None] - np.einsum("ack,cdk->kad", b, z_u)
    inner = np.full((4, 4, count), np.nan)
    good = np.abs(np.linalg.det(matrix)) > 1e-10
    inner[:, :, good] = np.moveaxis(np.linalg.solve(matrix[good], np.moveaxis(b, 2, 0)[good]), 0, 2)
    return z, np.nan_to_num(inner, nan=np.inf), unknowns


def _flow_derivatives(vf: Complexes, vt: Complexes, y: Complexes) -> Floats:
    """d(P_f, P_t, Q_f, Q_t) / d(th_f, th_t, |V_f|, |V_t|) of branches, shape (4, 4, branches)."""
    s_ff, s_ft = np.abs(vf) ** 2 * np.conj(y[0]), vf * np.conj(y[1] * vt)
    s_tt, s_tf = np.abs(vt) ** 2 * np.conj(y[3]), vt * np.conj(y[2] * vf)
    mf, mt = np.abs(vf), np.abs(vt)
    f = np.stack([1j * s_ft, -1j * s_ft, (2 * s_ff + s_ft) / mf, s_ft / mt])
    t = np.stack([-1j * s_tf, 1j * s_tf, s_tf / mf, (2 * s_tt + s_tf) / mt])
    return np.stack([f.real, t.real, f.imag, t.imag])


def cut_sides(solver: BatchSolver) -> dict[int, Ints]:
    """For each branch whose loss cuts the part: the nodes on the side without the reference."""
    a = solver.arrays
    f, t = solver._local[a.f], solver._local[a.t]
    rows = np.flatnonzero(a.live & (f >= 0) & (t >= 0) & (f != t))
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(len(solver.members)))
    graph.add_edges_from((int(f[k]), int(t[k]), int(k)) for k in rows)
    single = nx.Graph(graph)
    count: dict[tuple[int, int], list[int]] = {}
    for u, v, k in graph.edges(keys=True):
        count.setdefault((min(u, v), max(u, v)), []).append(k)
    found: dict[int, Ints] = {}
    for u, v in nx.bridges(single):
        keys = count[min(u, v), max(u, v)]
        if len(keys) > 1:
            continue
        found[keys[0]] = np.empty(0, np.int64)
    return _sides(single, found, f, t, solver.reference)


def _sides(graph: nx.Graph, found: dict[int, Ints], f: Ints, t: Ints, reference: int) -> dict[int, Ints]:
    """Sides without the reference by one walk of the tree of depth-first search."""
    order = list(nx.dfs_preorder_nodes(graph, reference))
    parent = {v: u for u, v in nx.dfs_edges(graph, reference)}
    position = {node: k for k, node in enumerate(order)}
    size = dict.fromkeys(order, 1)
    for node in reversed(order):
        if node in parent:
            size[parent[node]] += size[node]
    sequence = np.array(order, dtype=np.int64)
    sides = {}
    for k in found:
        below = int(t[k]) if parent.get(int(t[k])) == int(f[k]) else int(f[k])
        start = position[below]
        sides[k] = np.sort(sequence[start : start + size[below]])
    return sides

"""Rows of several plants at once: which are broken, how they answer to each plant, what they will be further on.

A row is a limit of one element in one state. Slopes of rows that enter a linear programme are exact: the Jacobian of
the state itself, one transposed solve a row, all plants at once. What only looks for rows that will be broken
(:func:`predict`, :func:`first_exit`) takes the batch's factor with the outage's correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from grid.batch_factor import STATES, base_jacobian
from grid.capacity.kernels import NEVER
from grid.capacity.rows import row_name
from grid.capacity.together_kernels import first_exits, predicted_loading
from grid.capacity.together_states import CaseModel, Measured, States
from grid.model.arrays import Bools, Complexes, Floats, Ints


@dataclass(frozen=True)
class Over:
    """Rows beyond their bounds, the worst first; ``amount`` in shares of the limit, or pu. Arrays of one length."""

    state: Ints
    row: Ints
    amount: Floats

    def part(self, which: Ints) -> Over:
        return Over(self.state[which], self.row[which], self.amount[which])


@dataclass(frozen=True)
class Affine:
    """``|value + slope (mw - at)| <= top`` of one row; real but for currents."""

    state: int
    row: int
    value: complex
    slope: Complexes
    """Per MW of each site, shape (sites,)."""
    at: Floats
    top: float

    def cut(self, mw: Floats) -> tuple[Floats, float, float]:
        """(coefficients, upper bound, excess at ``mw``) of the half-plane that touches the row's bound nearest."""
        there = self.value + complex(self.slope @ (mw - self.at))
        unit = there / abs(there) if abs(there) > 0 else 1.0
        coefficients = np.real(np.conj(unit) * self.slope)
        constant = float(np.real(np.conj(unit) * self.value)) - float(coefficients @ self.at)
        return np.asarray(coefficients), self.top - constant, abs(there) - self.top


def over_limits(model: CaseModel, found: Measured, loading: float, pu: float) -> Over:
    """Rows beyond their bounds by more than ``loading`` (share of the limit) or ``pu``."""
    rows = model.rows
    nb, n = rows.n_branch, rows.n_node
    usable = ~model.unsolved[None, :]
    with np.errstate(invalid="ignore"):
        parts = [
            _beyond(np.where(usable, found.loading - model.loading_top, -np.inf), loading, 0),
            _beyond(np.where(usable, found.voltage - model.high, -np.inf), pu, 2 * nb),
            _beyond(np.where(usable, model.low - found.voltage, -np.inf), pu, 2 * nb + n),
            _beyond((found.reverse - model.reverse_top)[:, None], loading, 2 * nb + 2 * n),
        ]
    return _joined(parts)


def _beyond(excess: Floats, margin: float, offset: int, first: int = 0) -> Over:
    """Entries of (elements, states) above a margin, as rows and states counted from ``offset`` and ``first``."""
    i, s = np.nonzero(excess > margin)
    return Over(s + first, i + offset, excess[i, s])


def residuals(model: CaseModel, found: Measured) -> tuple[float, float]:
    """(largest loading beyond its bound [%], largest voltage beyond it [pu]); 0 where nothing is."""
    usable = ~model.unsolved
    top = (found.loading - model.loading_top)[:, usable].max(initial=0.0)
    top = max(top, float((found.reverse - model.reverse_top).max(initial=0.0)))
    with np.errstate(invalid="ignore"):
        beyond = np.fmax(found.voltage - model.high, model.low - found.voltage)[:, usable]
    return 100 * max(0.0, float(top)), max(0.0, float(np.nan_to_num(beyond, nan=0.0).max(initial=0.0)))


def diverged(model: CaseModel, states: States) -> Ints:
    """States without solution that have one with nothing added."""
    return np.flatnonzero(~states.solved & ~model.unsolved)


# ---------------------------------------------------------------- first order


def predict(model: CaseModel, states: States, change_mw: Floats) -> Over:
    """Rows that break their bounds when the sites change by ``change_mw``, first order, intact network included."""
    rows, found = model.rows, []
    change = model.injected(change_mw)
    for first, turned, grown in states.solver.first_order(change, model.branches):
        here = slice(first, first + turned.shape[1])
        v = states.voltage[:, here]
        re, im = np.ascontiguousarray(v.real), np.ascontiguousarray(v.imag)
        loading = np.empty((rows.n_branch, turned.shape[1]))
        scale = [model.scale(False), model.scale(True)]
        for part, which in _scale_parts(first, turned.shape[1]):
            values = np.empty((rows.n_branch, part.stop - part.start))
            vr, vi, da, dm = _parts(part, re, im, turned, grown)
            predicted_loading(rows.f, rows.t, rows.yf, rows.yt, scale[which], vr, vi, da, dm, model.at[here][part],
                              values)  # fmt: skip
            loading[:, part] = values
        found.append(_predicted_over(model, first, loading, np.abs(v) + grown, model.unsolved[here]))
        if first == 0:
            found.append(_reverse_over(model, states, turned[:, 0], grown[:, 0]))
    return _joined(found)


def _scale_parts(first: int, count: int) -> list[tuple[slice, int]]:
    """The intact state has limits of its own."""
    return [(slice(0, 1), 0), (slice(1, count), 1)] if first == 0 else [(slice(0, count), 1)]


def _parts(part: slice, *arrays: Floats) -> list[Floats]:
    return [np.ascontiguousarray(a[:, part]) for a in arrays]


def _predicted_over(model: CaseModel, first: int, loading: Floats, voltage: Floats, unsolved: Bools) -> Over:
    here = slice(first, first + loading.shape[1])
    nb, n = model.rows.n_branch, model.rows.n_node
    with np.errstate(invalid="ignore"):
        parts = [
            (loading - model.loading_top[:, here], _LINEAR_SHARE, 0),
            (voltage - model.high[:, here], _LINEAR_PU, 2 * nb),
            (model.low[:, here] - voltage, _LINEAR_PU, 2 * nb + n),
        ]
    return _joined(
        [_beyond(np.where(unsolved[None, :], -np.inf, excess), m, offset, first) for excess, m, offset in parts]
    )


_LINEAR_SHARE, _LINEAR_PU = 1e-6, 1e-7
"""What a linear programme may leave of a row."""


def _reverse_over(model: CaseModel, states: States, turned: Floats, grown: Floats) -> Over:
    rows = model.rows
    if not (rows.reverse_limit < NEVER).any():
        return Over(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    value, slope = _reverse_slopes(model, states.voltage[:, 0], turned, grown)
    excess = value + slope - model.reverse_top
    i = np.flatnonzero(excess > _LINEAR_SHARE)
    return Over(np.zeros(len(i), np.int64), i + 2 * rows.n_branch + 2 * rows.n_node, excess[i])


def _reverse_slopes(model: CaseModel, v: Complexes, turned: Floats, grown: Floats) -> tuple[Floats, Floats]:
    """Reverse flow of each branch in shares of its limit, and its first-order change."""
    rows = model.rows
    y = rows.yf[0::2] + 1j * rows.yf[1::2]
    dv = v * (grown / np.abs(v) + 1j * turned)
    vf, vt, df, dt = v[rows.f], v[rows.t], dv[rows.f], dv[rows.t]
    current, change = y[0] * vf + y[1] * vt, y[0] * df + y[1] * dt
    limited = rows.reverse_limit < NEVER
    factor = np.where(limited, -rows.reverse_sign / np.where(limited, rows.reverse_limit, 1.0), 0.0)
    value = factor * (vf * np.conj(current)).real
    slope = factor * (df * np.conj(current) + vf * np.conj(change)).real
    return np.where(limited, value, -np.inf), np.asarray(slope)


def _joined(parts: Sequence[Over]) -> Over:
    state, row, amount = (np.concatenate([getattr(p, name) for p in parts]) for name in ("state", "row", "amount"))
    order = np.argsort(-amount, kind="stable")
    return Over(state[order].astype(np.int64), row[order].astype(np.int64), amount[order])


@dataclass(frozen=True)
class Exit:
    """First exit along a direction: step (infinite: none), and where."""

    step: float
    state: int = -1
    row: int = -1


def first_exit(model: CaseModel, states: States, direction_mw: Floats) -> Exit:
    """Smallest first-order step along a direction at which some row meets its bound."""
    rows, best = model.rows, Exit(np.inf)
    for first, turned, grown in states.solver.first_order(model.injected(direction_mw), model.branches):
        here = slice(first, first + turned.shape[1])
        v = states.voltage[:, here].copy()
        v[:, model.unsolved[here]] = np.nan
        re, im = np.ascontiguousarray(v.real), np.ascontiguousarray(v.imag)
        for part, which in _scale_parts(first, turned.shape[1]):
            columns = slice(first + part.start, first + part.stop)
            count = part.stop - part.start
            step, row = np.empty(count), np.empty(count, np.int64)
            top, high, low = _parts(columns, model.loading_top, model.high, model.low)
            vr, vi, da, dm = _parts(part, re, im, turned, grown)
            first_exits(rows.f, rows.t, rows.yf, rows.yt, model.scale(bool(which)), top, high, low, vr, vi, da, dm,
                        model.at[columns], step, row)  # fmt: skip
            if count and step.min() < best.step:
                s = int(step.argmin())
                best = Exit(float(step[s]), first + part.start + s, int(row[s]))
        if first == 0 and (rows.reverse_limit < NEVER).any():
            value, slope = _reverse_slopes(model, states.voltage[:, 0], turned[:, 0], grown[:, 0])
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.where(slope > 0, np.maximum(model.reverse_top - value, 0) / slope, np.inf)
            if step.min() < best.step:
                best = Exit(float(step.min()), 0, int(step.argmin()) + 2 * rows.n_branch + 2 * rows.n_node)
    return best


# ---------------------------------------------------------------- exact slopes


@dataclass
class StateSlopes:
    """Factored Jacobian of one state; answers how quantities of the state move with each site."""

    model: CaseModel
    voltage: Complexes
    alive: Ints
    angle: Ints
    magnitude: Ints
    row_q: Ints
    factor: SuperLU
    size: int

    @classmethod
    def of(cls, model: CaseModel, states: States, state: int) -> StateSlopes:
        solver, v = states.solver, states.voltage[:, state]
        branch = int(model.branches[state])
        alive = np.flatnonzero(np.isfinite(v))
        ybus = solver.ybus if branch < 0 else _without(model, solver.ybus, int(model.at[state]))
        held = solver.held[alive]
        place = np.full(len(v), -1)
        place[alive] = np.arange(len(alive))
        reference = int(place[solver.reference_after(branch)])
        weight = solver.weight[alive]
        matrix = base_jacobian(ybus[alive][:, alive].tocsr(), v[alive], held, weight, reference)
        n, free = len(alive), np.flatnonzero(~held)
        angle, magnitude = np.full(len(v), -1), np.full(len(v), -1)
        angles = np.setdiff1d(np.arange(n), [reference])
        angle[alive[angles]] = np.arange(n - 1)
        magnitude[alive[free]] = n - 1 + np.arange(len(free))
        # equations stand where their unknowns stand; the reference's P equation is the last, beside the slack
        return cls(model, v, alive, angle, magnitude, magnitude, splu(matrix), n + len(free))

    def of_quantities(self, nodes: Ints, by_angle: Complexes, by_magnitude: Complexes) -> Complexes:
        """d(quantity) / d(MW of each site), shape (quantities, sites).

        ``nodes``, ``by_angle``, ``by_magnitude``: (quantities, 2), the nodes each depends on and its derivatives.
        """
        count = len(nodes)
        right = np.zeros((self.size, count), complex)
        for end in range(nodes.shape[1]):
            for places, values in ((self.angle, by_angle), (self.magnitude, by_magnitude)):
                at = places[nodes[:, end]]
                use = np.flatnonzero(at >= 0)
                np.add.at(right, (at[use], use), values[use, end])
        real = np.concatenate([right.real, right.imag], axis=1)
        solved = self.factor.solve(np.ascontiguousarray(real), trans="T")
        answer = solved[:, :count] + 1j * solved[:, count:]
        site, power = self.model.nodes, self.model.power
        inside = (site >= 0) & np.isin(site, self.alive)
        rows_p = np.where(self.angle[site] >= 0, self.angle[site], self.size - 1)
        rows_q = self.row_q[site]
        slope = answer[rows_p] * power.real[:, None]
        slope += np.where((rows_q >= 0)[:, None], answer[np.maximum(rows_q, 0)], 0) * power.imag[:, None]
        return np.asarray(np.where(inside[:, None], slope, 0).T, dtype=np.complex128)

    def flows(self, branches: Ints, from_end: Bools) -> tuple[Complexes, Complexes, Complexes]:
        """Current into branches in the frame of its end's angle, and derivatives by (end, other end): angle and
        magnitude, shapes (branches,), (branches, 2), (branches, 2)."""
        rows = self.model.rows
        y = np.where(from_end, rows.yf[:, branches], np.roll(rows.yt[:, branches], 2, axis=0))
        own, other = y[0] + 1j * y[1], y[2] + 1j * y[3]
        a, b = self.ends(branches, from_end).T
        va, vb = self.voltage[a], self.voltage[b]
        turn = np.exp(-1j * np.angle(va))
        current = own * va + other * vb
        by_angle = np.stack([turn * (1j * own * va - 1j * current), turn * 1j * other * vb], axis=1)
        by_magnitude = np.stack([turn * own * va / np.abs(va), turn * other * vb / np.abs(vb)], axis=1)
        return turn * current, by_angle, by_magnitude

    def ends(self, branches: Ints, from_end: Bools) -> Ints:
        rows = self.model.rows
        f, t = rows.f[branches], rows.t[branches]
        return np.stack([np.where(from_end, f, t), np.where(from_end, t, f)], axis=1)


def _without(model: CaseModel, ybus: sp.csr_matrix, at: int) -> sp.csr_matrix:
    rows = model.rows
    f, t = int(rows.f[at]), int(rows.t[at])
    y = [complex(rows.yf[0, at], rows.yf[1, at]), complex(rows.yf[2, at], rows.yf[3, at]),
         complex(rows.yt[0, at], rows.yt[1, at]), complex(rows.yt[2, at], rows.yt[3, at])]  # fmt: skip
    stamp = sp.csr_matrix((y, ([f, f, t, t], [f, t, f, t])), shape=ybus.shape)
    return (ybus - stamp).tocsr()


def linearise(model: CaseModel, states: States, mw: Floats, state: int, row_numbers: Ints) -> list[Affine]:
    """Rows of one state with exact slopes around ``mw``; of a branch the end with the larger current."""
    slopes = StateSlopes.of(model, states, state)
    rows = model.rows
    nb, n = rows.n_branch, rows.n_node
    made = []
    currents = np.unique(row_numbers[row_numbers < 2 * nb] % nb)
    if len(currents):
        scale = model.scale(state > 0)[currents]
        at_from = slopes.flows(currents, np.ones(len(currents), dtype=bool))[0]
        at_to = slopes.flows(currents, np.zeros(len(currents), dtype=bool))[0]
        from_end = np.abs(at_from) >= np.abs(at_to)
        value, by_angle, by_magnitude = slopes.flows(currents, from_end)
        slope = slopes.of_quantities(slopes.ends(currents, from_end), by_angle, by_magnitude)
        made += [
            Affine(state, int(k), complex(v * c), s * c, mw.copy(), float(model.loading_top[k, state]))
            for k, v, s, c in zip(currents, value, slope, scale, strict=True)
        ]
    for offset, sign, bound in ((2 * nb, 1.0, model.high), (2 * nb + n, -1.0, model.low)):
        nodes = row_numbers[(row_numbers >= offset) & (row_numbers < offset + n)] - offset
        if len(nodes):
            one = np.ones((len(nodes), 1), complex)
            slope = slopes.of_quantities(nodes[:, None], 0 * one, one)
            made += [_voltage_row(state, int(i + offset), sign, abs(slopes.voltage[i]), s, mw, float(bound[i, state]))
                     for i, s in zip(nodes, slope, strict=True)]  # fmt: skip
    reverse = row_numbers[row_numbers >= 2 * nb + 2 * n] - 2 * nb - 2 * n
    made += [_reverse_row(slopes, int(k), mw) for k in reverse]
    return made


_FAR = 10.0
"""Real rows are shifted by this to be positive, so that |.| <= top bounds them from above alone."""


def _voltage_row(state: int, row: int, sign: float, vm: float, slope: Complexes, mw: Floats, bound: float) -> Affine:
    return Affine(state, row, complex(_FAR + sign * vm), sign * slope, mw.copy(), _FAR + sign * bound)


def _reverse_row(slopes: StateSlopes, k: int, mw: Floats) -> Affine:
    model, rows = slopes.model, slopes.model.rows
    value, slope = active_flow(slopes, np.array([k]))
    factor = -rows.reverse_sign[k] / rows.reverse_limit[k]
    top = float(model.reverse_top[k])
    row = k + 2 * rows.n_branch + 2 * rows.n_node
    return Affine(0, row, complex(_FAR + factor * value[0]), (factor * slope[0]).astype(complex), mw.copy(), _FAR + top)


def active_flow(slopes: StateSlopes, branches: Ints) -> tuple[Floats, Floats]:
    """Active power into branches at their from ends [pu], and per MW of each site: (branches,), (branches, sites)."""
    from_end = np.ones(len(branches), dtype=bool)
    nodes = slopes.ends(branches, from_end)
    current, by_angle, by_magnitude = slopes.flows(branches, from_end)
    vm = np.abs(slopes.voltage[nodes[:, 0]])
    # P = |V| Re(I exp(-j theta))
    by_magnitude = by_magnitude * vm[:, None]
    by_magnitude[:, 0] += current
    slope = slopes.of_quantities(nodes, by_angle * vm[:, None], by_magnitude)
    return np.asarray((vm * current).real), np.asarray(slope.real)


def name_of(model: CaseModel, row: int) -> tuple[str, str]:
    """(kind of limit, element) of a row."""
    return row_name(model.rows, model.arrays.case, row)


__all__ = ["STATES", "Affine", "Exit", "Over", "StateSlopes", "active_flow", "diverged", "first_exit", "linearise",
           "name_of", "over_limits", "predict", "residuals"]  # fmt: skip

"""One load flow: lightsim2grid's Newton on this package's admittances, with an honest ending.

Every solve ends as *solved*, *split* (a part without an infeed is cut off: its load and generation are named as
lost and the rest is solved) or *diverged* (with the mismatch and the starts that were tried). pandapower is not
imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
import scipy.sparse as sp
from lightsim2grid.lightsim2grid_cpp import NR_KLU
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

from grid.admittance import (
    BASE_MVA,
    Bools,
    Complexes,
    Floats,
    GridModel,
    Ints,
    OperatingPoint,
    compile_model,
    operating_point,
)
from grid.ampacity import season_rating_factor
from grid.contracts import Case, Network, Status

TOLERANCE_PU = 1e-9
MAX_ITERATIONS = 30
MAX_REACTIVE_ROUNDS = 12
REACTIVE_TOLERANCE_MVAR = 1e-4
BALANCE_TOLERANCE_MW = 1e-3


@dataclass(frozen=True)
class Solution:
    """State after one solve. Arrays follow the model's buses and branches; NaN where cut off, or if diverged.

    Flows are into the element [MW, Mvar], f is the from (hv) end; ``loading_percent`` is the larger end's current
    over the season's rating. ``injection_mw`` is the plants' (and new plants') output that still feeds,
    ``infeed_mw`` what the outside network gives (negative: export). Energised: infeed + injection = load + losses.
    """

    status: Status
    detail: str
    vm_pu: Floats
    va_rad: Floats
    p_from_mw: Floats
    q_from_mvar: Floats
    p_to_mw: Floats
    i_max_ka: Floats
    loading_percent: Floats
    load_mw: float
    injection_mw: float
    infeed_mw: float
    losses_mw: float
    lost_load_mw: float
    lost_generation_mw: float
    lost_buses: tuple[str, ...]
    fixed_reactive: tuple[str, ...]
    """Buses whose generators stand at a reactive limit and no longer hold the voltage."""
    fixed_reactive_mvar: tuple[float, ...]
    """At which reactive output they stand, same order."""

    @property
    def voltage(self) -> Complexes:
        return np.asarray(self.vm_pu * np.exp(1j * self.va_rad), dtype=np.complex128)


@dataclass(frozen=True)
class _Island:
    """Newton's answer for one energised part; ``q_fixed`` is NaN where the voltage is held or free."""

    voltage: Complexes
    q_fixed_mvar: Floats
    start: str
    mismatch_mw: float
    converged: bool


class Engine:
    """Load flows of one network in one case.

    Parameters
    ----------
    network, case
        Tables and operating point.
    line_factor
        Line ratings in this case as a share of the reference (summer) ratings; None takes the case's season from
        the standard tables.
    enforce_reactive_limits
        Turn voltage-holding generators into fixed reactive power at their limits (and back), by re-solving.
    """

    def __init__(
        self, network: Network, case: Case, *, line_factor: float | None = None, enforce_reactive_limits: bool = True
    ) -> None:
        self.network = network
        self.case = case
        if line_factor is None:
            line_factor = season_rating_factor(case.season)
        self.model: GridModel = compile_model(network, line_factor, case.load_share)
        self.point: OperatingPoint = operating_point(network, case, self.model)
        self.enforce_reactive_limits = enforce_reactive_limits

    @cached_property
    def bridges(self) -> tuple[int, ...]:
        """Branches whose loss cuts the network in two (a graph's bridges that are a single circuit)."""
        return find_bridges(self.model)

    def solve(
        self,
        injections_mw: Floats | None = None,
        outage: str | None = None,
        start: Complexes | None = None,
        injections_mvar: Floats | None = None,
    ) -> Solution:
        """Solve with extra injections per bus and one element out.

        Parameters
        ----------
        injections_mw
            Extra active power, shape (buses,); None is none.
        outage
            ``line_id`` or ``transformer_id``; None is none.
        start
            Complex voltages to start from, shape (buses,); then DC angles, then flat are tried.
        injections_mvar
            Extra reactive power that new plants feed (negative: absorb), shape (buses,); None is none.

        Raises
        ------
        ValueError
            If ``outage`` is no element.
        """
        model = self.model
        extra = np.zeros(model.n_bus, dtype=complex)
        if injections_mw is not None:
            extra += np.asarray(injections_mw, dtype=float)
        if injections_mvar is not None:
            extra += 1j * np.asarray(injections_mvar, dtype=float)
        alive = np.ones(model.n_branch, dtype=bool)
        if outage is not None:
            alive[model.element_index(outage)] = False
        voltage = np.full(model.n_bus, np.nan + 0j)
        energised = np.zeros(model.n_bus, dtype=bool)
        fixed: list[tuple[str, float]] = []
        details: list[str] = []
        for members in _energised_parts(model, self.point, alive):
            island = self._solve_part(members, alive, extra, start)
            if not island.converged:
                return self._diverged(island, extra.real)
            voltage[members] = island.voltage
            energised[members] = True
            details.append(island.start)
            stuck = np.flatnonzero(np.isfinite(island.q_fixed_mvar))
            fixed += [(model.bus_ids[members[i]], float(island.q_fixed_mvar[i])) for i in stuck]
        return self._settle(voltage, energised, alive, extra.real, "; ".join(details), sorted(fixed))

    def _solve_part(self, members: Ints, alive: Bools, extra: Complexes, start: Complexes | None) -> _Island:
        """Climb the ladder of starts: warm, DC, flat."""
        ybus = _part_admittance(self.model, members, alive)
        starts: list[tuple[str, Complexes]] = []
        if start is not None and np.isfinite(start[members]).all():
            starts.append(("warm", start[members]))
        p_mw = (self.point.generation_mw - self.point.load_mw + extra.real)[members]
        starts.append(("dc", self._angle_start(members, alive, p_mw)))
        starts.append(("flat", self._angle_start(members, alive, np.zeros(len(members)))))
        mismatches = []
        for name, guess in starts:
            island = self._with_reactive_limits(members, ybus, extra, guess, name)
            if island.converged:
                return island
            mismatches.append(island.mismatch_mw)
        tried = ", ".join(name for name, _ in starts)
        best = int(np.nanargmin(mismatches)) if np.isfinite(mismatches).any() else 0
        return _Island(starts[best][1], np.full(len(members), np.nan), tried, mismatches[best], False)

    def _with_reactive_limits(
        self, members: Ints, ybus: sp.csc_matrix, extra: Complexes, guess: Complexes, name: str
    ) -> _Island:
        """Newton, then fix what exceeds its reactive range and release what no longer needs fixing."""
        point = self.point
        q_fixed = np.full(len(members), np.nan)
        q_min, q_max = point.q_min_mvar[members], point.q_max_mvar[members]
        held = point.controlled[members]
        vm_set = point.vm_set_pu[members]
        for _ in range(MAX_REACTIVE_ROUNDS):
            island = self._newton(members, ybus, extra, guess, q_fixed, name)
            if not island.converged or not self.enforce_reactive_limits:
                return island
            q_mvar = (island.voltage * np.conj(ybus @ island.voltage)).imag * BASE_MVA
            q_mvar += (point.load_mvar - extra.imag)[members]
            free = held & np.isnan(q_fixed)
            high = free & (q_mvar > q_max + REACTIVE_TOLERANCE_MVAR)
            low = free & (q_mvar < q_min - REACTIVE_TOLERANCE_MVAR)
            vm = np.abs(island.voltage)
            back = ((q_fixed == q_max) & (vm > vm_set + 1e-7)) | ((q_fixed == q_min) & (vm < vm_set - 1e-7))
            back &= q_min < q_max
            if not (high | low | back).any():
                return island
            q_fixed = np.where(high, q_max, np.where(low, q_min, np.where(back, np.nan, q_fixed)))
            guess = island.voltage
        return _Island(island.voltage, q_fixed, f"{name}, reactive limits cycle", np.nan, False)

    def _newton(
        self, members: Ints, ybus: sp.csc_matrix, extra: Complexes, guess: Complexes, q_fixed: Floats, name: str
    ) -> _Island:
        """lightsim2grid's Newton-Raphson (KLU) with the slack shared by the infeeds' weights."""
        point = self.point
        held = point.controlled[members] & np.isnan(q_fixed)
        slack = _slack_buses(point, members)
        weight = np.zeros(len(members))
        weight[slack] = _shares(point.slack_weight[members][slack])
        pv = np.setdiff1d(np.flatnonzero(held), slack)
        pq = np.setdiff1d(np.arange(len(members)), np.concatenate([pv, slack]))
        p = (point.generation_mw - point.load_mw + extra.real)[members]
        q = np.nan_to_num(q_fixed) - (point.load_mvar - extra.imag)[members]
        injected = (p + 1j * q) / BASE_MVA
        first = np.where(held, point.vm_set_pu[members] * np.exp(1j * np.angle(guess)), guess)
        anchor = point.reference_va_rad if members[slack[0]] == point.reference else np.angle(first[slack[0]])
        first = first * np.exp(1j * (anchor - np.angle(first[slack[0]])))
        if len(members) == 1:
            return _Island(first, q_fixed, name, 0.0, True)
        solver = NR_KLU()
        converged = solver.solve(
            ybus,
            first.copy(),
            injected,
            slack.astype(np.int32),
            weight,
            pv.astype(np.int32),
            pq.astype(np.int32),
            MAX_ITERATIONS,
            TOLERANCE_PU,
        )
        voltage = np.array(solver.get_V()) if converged else first
        gap = np.abs((voltage * np.conj(ybus @ voltage) - injected)[pq])
        mismatch = float(gap.max() * BASE_MVA) if len(pq) else 0.0
        return _Island(voltage, q_fixed, name, mismatch, bool(converged) and bool(np.isfinite(voltage).all()))

    def _angle_start(self, members: Ints, alive: Bools, p_mw: Floats) -> Complexes:
        """Angles of the DC load flow (vector groups included) at set-point or nominal magnitudes."""
        model, point = self.model, self.point
        local = np.full(model.n_bus, -1)
        local[members] = np.arange(len(members))
        use = alive & (local[model.f] >= 0) & (local[model.t] >= 0)
        f, t = local[model.f[use]], local[model.t[use]]
        susceptance, shift = np.abs(model.ytf[use]), model.shift_rad[use]
        n = len(members)
        entries = np.concatenate([susceptance, -susceptance, -susceptance, susceptance])
        matrix = sp.csr_matrix((entries, (np.concatenate([f, f, t, t]), np.concatenate([f, t, f, t]))), shape=(n, n))
        rhs = p_mw / BASE_MVA
        rhs = rhs + np.bincount(f, susceptance * shift, n) - np.bincount(t, susceptance * shift, n)
        slack = int(_slack_buses(point, members)[0])
        angle = np.full(n, point.reference_va_rad)
        rest = np.setdiff1d(np.arange(n), [slack])
        if len(rest):
            angle[rest] += np.atleast_1d(spsolve(matrix[rest][:, rest].tocsc(), rhs[rest]))
        vm = np.where(point.controlled[members], np.nan_to_num(point.vm_set_pu[members], nan=1.0), 1.0)
        return vm * np.exp(1j * angle)

    def _diverged(self, island: _Island, extra: Floats) -> Solution:
        nan_bus, nan_branch = np.full(self.model.n_bus, np.nan), np.full(self.model.n_branch, np.nan)
        detail = f"no solution from starts {island.start}; mismatch {island.mismatch_mw:.3g} MVA"
        return Solution(
            status=Status.DIVERGED,
            detail=detail,
            vm_pu=nan_bus,
            va_rad=nan_bus,
            p_from_mw=nan_branch,
            q_from_mvar=nan_branch,
            p_to_mw=nan_branch,
            i_max_ka=nan_branch,
            loading_percent=nan_branch,
            load_mw=float(self.point.load_mw.sum()),
            injection_mw=float((self.point.generation_mw + extra).sum()),
            infeed_mw=np.nan,
            losses_mw=np.nan,
            lost_load_mw=0.0,
            lost_generation_mw=0.0,
            lost_buses=(),
            fixed_reactive=(),
            fixed_reactive_mvar=(),
        )

    def _settle(
        self,
        voltage: Complexes,
        energised: Bools,
        alive: Bools,
        extra: Floats,
        start: str,
        fixed: list[tuple[str, float]],
    ) -> Solution:
        """Flows, losses and the balance: input = what is still served + what is lost."""
        model, point = self.model, self.point
        live = alive & energised[model.f] & energised[model.t]
        vf, vt = voltage[model.f], voltage[model.t]
        i_f = np.where(live, model.yff * vf + model.yft * vt, 0.0)
        i_t = np.where(live, model.ytf * vf + model.ytt * vt, 0.0)
        s_f = np.where(live, vf * np.conj(i_f), 0.0) * BASE_MVA
        s_t = np.where(live, vt * np.conj(i_t), 0.0) * BASE_MVA
        net = np.bincount(model.f, s_f.real, model.n_bus) + np.bincount(model.t, s_t.real, model.n_bus)
        injection = point.generation_mw + extra
        given = injection - point.load_mw
        infeed = float((net - given)[energised & point.infeed].sum())
        losses = float(s_f.real.sum() + s_t.real.sum())
        lost = ~energised
        residual = infeed + float(given[energised].sum()) - losses
        if abs(residual) > BALANCE_TOLERANCE_MW:
            island = _Island(voltage, np.array([]), f"{start}, balance", abs(residual), False)
            return self._diverged(island, extra)
        dead = ~live
        return Solution(
            status=Status.SPLIT if lost.any() else Status.SOLVED,
            detail=f"lightsim2grid, {start} start",
            vm_pu=np.abs(voltage),
            va_rad=np.angle(voltage),
            p_from_mw=np.where(dead, np.nan, s_f.real),
            q_from_mvar=np.where(dead, np.nan, s_f.imag),
            p_to_mw=np.where(dead, np.nan, s_t.real),
            i_max_ka=np.where(dead, np.nan, np.maximum(np.abs(i_f) * model.base_ka_f, np.abs(i_t) * model.base_ka_t)),
            loading_percent=np.where(
                dead, np.nan, np.maximum(np.abs(i_f) * model.percent_f, np.abs(i_t) * model.percent_t)
            ),
            load_mw=float(point.load_mw[energised].sum()),
            injection_mw=float(injection[energised].sum()),
            infeed_mw=infeed,
            losses_mw=losses,
            lost_load_mw=float(point.load_mw[lost].sum()),
            lost_generation_mw=float(injection[lost].sum()),
            lost_buses=tuple(model.bus_ids[i] for i in np.flatnonzero(lost)),
            fixed_reactive=tuple(bus for bus, _ in fixed),
            fixed_reactive_mvar=tuple(q for _, q in fixed),
        )


def find_bridges(model: GridModel) -> tuple[int, ...]:
    """Indices of branches whose loss separates buses; one of two parallel circuits never does."""
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(range(model.n_bus))
    circuits: dict[tuple[int, int], list[int]] = {}
    for k, (f, t) in enumerate(zip(model.f.tolist(), model.t.tolist(), strict=True)):
        graph.add_edge(f, t)
        circuits.setdefault((min(f, t), max(f, t)), []).append(k)
    single = (circuits[(min(u, v), max(u, v))] for u, v in nx.bridges(graph))
    return tuple(sorted(branches[0] for branches in single if len(branches) == 1))


def parts(model: GridModel, alive: Bools) -> Ints:
    """Label of the connected part of each bus, shape (buses,)."""
    f, t = model.f[alive], model.t[alive]
    graph = sp.coo_matrix((np.ones(len(f)), (f, t)), shape=(model.n_bus, model.n_bus))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _energised_parts(model: GridModel, point: OperatingPoint, alive: Bools) -> list[Ints]:
    """Members of every part that holds an infeed, the reference's part first."""
    label = parts(model, alive)
    first = int(label[point.reference])
    others = sorted({int(x) for x in label[point.infeed]} - {first})
    return [np.flatnonzero(label == part) for part in (first, *others)]


def _part_admittance(model: GridModel, members: Ints, alive: Bools) -> sp.csc_matrix:
    local = np.full(model.n_bus, -1)
    local[members] = np.arange(len(members))
    use = alive & (local[model.f] >= 0) & (local[model.t] >= 0)
    f, t = local[model.f[use]], local[model.t[use]]
    entries = np.concatenate([model.yff[use], model.yft[use], model.ytf[use], model.ytt[use]])
    own = np.arange(len(members))
    entries = np.concatenate([entries, model.shunt_pu[members]])
    rows, columns = np.concatenate([f, f, t, t, own]), np.concatenate([f, t, f, t, own])
    return sp.csc_matrix((entries, (rows, columns)), shape=(len(members), len(members)), dtype=complex)


def _slack_buses(point: OperatingPoint, members: Ints) -> Ints:
    """Infeed buses that share the slack power in one part, the reference (or the first infeed) first."""
    infeeds = np.flatnonzero(point.infeed[members])
    first = np.flatnonzero(members == point.reference)
    head = first if len(first) else infeeds[:1]
    tail = [i for i in infeeds if i != head[0] and point.slack_weight[members[i]] > 0]
    return np.concatenate([head, np.array(tail, dtype=np.int64)]).astype(np.int64)


def _shares(weights: Floats) -> Floats:
    total = weights.sum()
    return weights / total if total > 0 else np.where(np.arange(len(weights)) == 0, 1.0, 0.0)

"""Rows of the network: AC states of every outage at a plan's injections, and tangents where a limit is broken.

In a point the plan injects p [MW by bus]. Every single outage is solved by AC (:mod:`grid.sweep`). A row whose value
v(p*) is beyond its limit becomes a tangent

    v(p*) + g . (p - p*)  <=  limit - margin,        g = dv/dp from the factored Jacobian of that AC state

Currents are convex in the injections as long as voltages move linearly, so that a tangent takes nothing away that is
allowed; what the curvature of the load flow adds is seen by the AC states of the next round. The margin (a quarter of
a per cent of the rating, 0.0002 pu) makes the rounds end on the right side.

**Measures.** A row found with some measures built says less, or nothing, about the network with others. Each measure
is built alone once, in the points with the largest and the smallest injections, and what it does to every row is
noted: the ratio ``k`` of the row's value with and without it (of voltages the difference), where that is more than
:data:`INFLUENCE_PERCENT` or :data:`INFLUENCE_PU`. A row then depends on measures in three ways:

=========================================  ============================================================================
measure not built when the row was found,  v <= limit becomes k v <= limit: the limit rises by limit (1 / k - 1), taken
and it would relieve the row (k < 1)       :data:`OPTIMISM` times larger; without bound below :data:`LEAST_RATIO`
measure built, and it burdens the row      the same the other way round, once it is not built
measure built, and the row is of a branch  the row is idle without it
that the measure adds
=========================================  ============================================================================

All else leaves the row as it is: a network without a relieving measure has less room, not more. So combinations that
were not met yet are taken as somewhat better than the sum of their parts, until the plan chooses one; then it is built
and linearised at its own AC states, and its own rows join.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid.admittance import BASE_MVA, Complexes, GridModel
from grid.contracts import Case
from grid.hosting import EXCESS
from grid.limits import NO_LIMIT, Rows
from grid.plan.contracts import Bools, Cut, Floats, Ints, Need, PlanMeasure, PlanProblem
from grid.sweep import CaseSweep, build_sweep, sensitivity, shift_sweep

MARGIN_PERCENT = 0.25
MARGIN_PU = 2e-4
"""What a tangent keeps from its limit."""
INFLUENCE_PERCENT = 0.5
INFLUENCE_PU = 5e-4
"""A measure that moves a row by less leaves the row's tangents valid."""
OPTIMISM = 1.05
"""Relief that a measure is granted beside others, over what it brings alone."""
LEAST_RATIO = 0.2
LEAST_VALUE_PERCENT = 10.0
"""Loading below which a ratio of values says little: such rows change by their difference instead."""
ROWS_AT_ONCE = 30
"""Rows of one state that become tangents in one round, the worst first."""
OUTAGES_PER_ROW = 2
SMALL_GRADIENT = 1e-3
"""Share of a row's largest gradient below which a bus is left out; the margin covers it."""
HALVINGS = 6
FAR_PERCENT = 5.0
"""Excess from which a state is walked back before it is linearised (0.005 pu for voltages)."""
LEAST_STEP = 0.02
MEMORY_BYTES = 800e6
ROUNDING_MW = 1e-4
"""What HiGHS's tolerance may leave in a column that a row holds at zero."""
NEAR_STATES = 2
"""States kept by network and point, one for each of two stages: the next one asked for is near one of them."""

Config = frozenset[str]
RowName = tuple[str, str, str]


@dataclass(frozen=True)
class Reached:
    """AC states of all outages at ``share`` times the injections asked for (1: all of them)."""

    sweep: CaseSweep
    injections_mw: Floats
    share: float

    @property
    def excess(self) -> Floats:
        """Values beyond their limits, shape (rows, scenarios)."""
        return np.asarray(self.sweep.base_values - self.sweep.limits, dtype=np.float64)


class NetworkBook:
    """Sweeps of the networks that the plan meets, made when first asked for; the least used are forgotten."""

    def __init__(self, problem: PlanProblem) -> None:
        self.problem = problem
        self._sweeps: OrderedDict[tuple[Config, str, float], CaseSweep | None] = OrderedDict()
        self._bytes = 0.0
        self._influence: dict[str, dict[RowName, float]] = {}
        self._near: dict[tuple[Config, str, float], list[Reached]] = {}
        self.states_checked = 0

    def take_over(self, other: NetworkBook) -> None:
        """Take the sweeps of another book whose points are the same."""
        self._sweeps, self._bytes, self.states_checked = other._sweeps, other._bytes, other.states_checked

    def of(self, problem: PlanProblem) -> NetworkBook:
        """A book of a problem with the same points and measures, which knows what this one knows."""
        book = NetworkBook(problem)
        book.take_over(self)
        book._influence = self._influence
        if problem.buses == self.problem.buses:
            book._near = self._near
        return book

    def keep_near(self, configs: Sequence[Config]) -> None:
        """Forget the states reached in networks other than these."""
        self._near = {key: states for key, states in self._near.items() if key[0] in configs}

    def sweep(self, config: Config, point: int, load_factor: float) -> CaseSweep | None:
        """Base states of a point without any new plant; None where the point itself has no solution."""
        key = (config, self.problem.points[point].id, load_factor)
        if key in self._sweeps:
            self._sweeps.move_to_end(key)
            return self._sweeps[key]
        case = loaded_case(self.problem.points[point].case, load_factor)
        made = build_sweep(self.problem.build(config, case), case, self.problem.limits)
        self._sweeps[key] = made
        self._bytes += _bytes_of(made)
        while self._bytes > MEMORY_BYTES and len(self._sweeps) > 1:
            _, oldest = self._sweeps.popitem(last=False)
            self._bytes -= _bytes_of(oldest)
        return made

    def reach(self, config: Config, point: int, load_factor: float, injections_mw: Floats) -> Reached | None:
        """AC states at the injections, or as far towards them as every outage has a solution; None without a base."""
        base = self.sweep(config, point, load_factor)
        if base is None:
            return None
        self.states_checked += base.count
        added = injections_of_model(base, self.problem.buses, injections_mw) / BASE_MVA
        whole = self._from_near(base, (config, self.problem.points[point].id, load_factor), injections_mw, added)
        if whole is not None:
            return whole
        here, share, step = base, 0.0, 0.5
        for _ in range(HALVINGS):
            there = shift_sweep(here, added * step)
            if there is None:
                step /= 2
                continue
            here, share = there, share + step
            if share > 1 - 1e-9:
                break
            step = min(step, 1 - share)
        return Reached(here, injections_mw * share, share)

    def _from_near(
        self, base: CaseSweep, key: tuple[Config, str, float], injections_mw: Floats, added: Floats
    ) -> Reached | None:
        """The state at the injections, from the nearest state reached before (a step of a few MW instead of all of
        them); without one, or where that fails, from the empty plan."""
        states = self._near.setdefault(key, [])
        states.sort(key=lambda one: float(np.abs(one.injections_mw - injections_mw).sum()))
        for start in (*states[:1], None):
            if start is None:
                sweep = shift_sweep(base, added)
            else:
                before = injections_of_model(base, self.problem.buses, start.injections_mw) / BASE_MVA
                sweep = shift_sweep(start.sweep, added - before)
            if sweep is not None:
                reached = Reached(sweep, injections_mw, 1.0)
                self._near[key] = [reached, *states][:NEAR_STATES]
                return reached
        return None

    def cuts(self, config: Config, point: int, load_factor: float, reached: Reached) -> list[Cut]:
        """Tangents of the worst broken rows of a state; none where no limit is broken.

        Far beyond the limits the load flow bends, and a tangent there would take away what is allowed. So the state is
        walked back on the ray from the empty plan until its worst row is about at its limit; those of the
        tangents there that forbid the state that was reached are taken; what they leave open, later rounds see.
        """
        rows, ks = _worst(reached)
        if not len(rows):
            return []
        back = self._walked_back(config, point, load_factor, reached)
        if back is not None:
            near = self._tangents(config, point, load_factor, back, rows, ks)
            forbidding = [cut for cut in near if float(cut.gradient @ reached.injections_mw) > cut.limit]
            if forbidding:
                return forbidding
        return self._tangents(config, point, load_factor, reached, rows, ks)

    def _walked_back(self, config: Config, point: int, load_factor: float, reached: Reached) -> Reached | None:
        """The state on the ray from zero at which the worst row is about at its limit; None where it is near."""
        base = self.sweep(config, point, load_factor)
        assert base is not None
        scale = _row_scale(reached)
        excess = reached.excess * scale[:, None]
        if excess.max() <= FAR_PERCENT and reached.share == 1.0:
            return None
        before = (base.base_values - reached.sweep.limits) * scale[:, None]
        far = excess > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = np.where(far, -before / (excess - before), 1.0)
        part = float(np.clip(crossing.min(), LEAST_STEP, 1.0))
        return self.reach(config, point, load_factor, reached.injections_mw * part)

    def _tangents(
        self, config: Config, point: int, load_factor: float, reached: Reached, rows: Ints, ks: Ints
    ) -> list[Cut]:
        """Tangents of some rows at a state; a row that no bus of the problem moves gives none."""
        sweep, layout = reached.sweep, reached.sweep.constraint_rows
        known = np.array([bus in sweep.model.bus_ids for bus in self.problem.buses])
        at = np.array([sweep.model.bus_index(b) for b in np.array(self.problem.buses)[known]], dtype=np.int64)
        gradients = np.zeros((len(rows), len(known)))
        gradients[:, known] = row_gradients(sweep, rows, ks, at) / BASE_MVA
        cuts = []
        for gradient, row, k in zip(gradients, rows.tolist(), ks.tolist(), strict=True):
            largest = np.abs(gradient).max()
            if largest < 1e-9:
                continue
            gradient = np.where(np.abs(gradient) < SMALL_GRADIENT * largest, 0.0, gradient)
            kind, element = layout.name(row, sweep.model)
            outage, nominal = sweep.outage_name(k), float(sweep.limits[row, k])
            margin = MARGIN_PU if kind.startswith("voltage") else MARGIN_PERCENT
            limit = nominal - float(sweep.base_values[row, k]) - margin + float(gradient @ reached.injections_mw)
            needs = self._needs(config, (kind, element, outage), nominal)
            cuts.append(Cut(point, load_factor, kind, element, outage, gradient, limit, nominal, needs))
        return cuts

    def learn_influence(self, probes: Sequence[tuple[int, float, Floats]]) -> None:
        """Build each measure alone at some (point, load factor, injections), and note which rows it moves."""
        self._learn(probes)
        self.keep_near(())

    def _learn(self, probes: Sequence[tuple[int, float, Floats]]) -> None:
        for point, load_factor, injections_mw in probes:
            base = self.reach(frozenset(), point, load_factor, injections_mw)
            if base is None:
                continue
            names = _row_names(base.sweep)
            for measure in self.problem.measures:
                if measure.agreement is not None:
                    continue
                config = frozenset([measure.id, *measure.requires])
                one = self.reach(config, point, load_factor, base.injections_mw)
                if one is not None and one.share == 1.0:
                    found = self._influence.setdefault(measure.id, {})
                    for name, ratio in _moved_rows(base.sweep, one.sweep, names):
                        found[name] = min(ratio, found.get(name, np.inf))

    def with_needs(self, cuts: Sequence[Cut], config: Config) -> list[Cut]:
        """Cuts that were found with ``config`` built, with the measures that they depend on."""
        return [replace(c, needs=self._needs(config, (c.kind, c.element, c.outage), c.nominal)) for c in cuts]

    def _needs(self, config: Config, name: RowName, nominal: float) -> tuple[Need, ...]:
        """Measures on which a row depends, see the module's head."""
        kind, element, outage = name
        known = self._base_elements
        strange = [e for e in (element, outage) if e and e not in known]
        needs = []
        owned = False
        for k, measure in enumerate(self.problem.measures):
            built = measure.id in config
            if measure.agreement is not None:
                continue
            if built and any(_made_by(measure, e) for e in strange):
                needs.append(Need(k, True, np.inf))
                owned = True
                continue
            effect = self._influence.get(measure.id, {}).get(name)
            if effect is None and strange:
                effect = self._influence.get(measure.id, {}).get((kind, *_base_row(element, outage, known)))
            if effect is None:
                continue
            relief = _relief(kind, effect if not built else _inverse(kind, effect), nominal)
            if relief > 0:
                needs.append(Need(k, built, OPTIMISM * relief))
        if strange and not owned:
            needs += [Need(k, True, np.inf) for k, m in enumerate(self.problem.measures) if m.id in config]
        return tuple(needs)

    @property
    def _base_elements(self) -> frozenset[str]:
        if not hasattr(self, "_elements"):
            network = self.problem.build(frozenset(), self.problem.points[0].case)
            ids = (*network.lines["line_id"], *network.transformers["transformer_id"], *network.buses["bus_id"])
            self._elements = frozenset(str(i) for i in ids)
        return self._elements


def loaded_case(case: Case, load_factor: float) -> Case:
    """The case with its load grown."""
    return case if load_factor == 1.0 else replace(case, load_share=case.load_share * load_factor)


def row_gradients(sweep: CaseSweep, rows: Ints, ks: Ints, buses: Ints) -> Floats:
    """Slope of some (row, scenario) values by a new plant at each bus [row unit per pu], shape (rows, buses)."""
    model, layout = sweep.model, sweep.constraint_rows
    scenarios, place = np.unique(ks, return_inverse=True)
    voltage = sweep.outages.voltage[:, scenarios]
    result = np.zeros((len(rows), len(buses)))
    for column, bus in enumerate(buses.tolist()):
        d_angle, d_magnitude = sensitivity(sweep, bus, scenarios)
        dv = voltage * (d_magnitude / np.abs(voltage) + 1j * d_angle)
        result[:, column] = _slopes(model, layout, rows, place, voltage, dv, d_magnitude)
    return result


def _slopes(
    model: GridModel, layout: Rows, rows: Ints, place: Ints, voltage: Complexes, dv: Complexes, d_magnitude: Floats
) -> Floats:
    nb = model.n_branch
    slope = np.zeros(len(rows))
    current, reverse = rows < 2 * nb, rows >= layout.reverse.start
    high = (rows >= layout.high.start) & (rows < layout.high.stop)
    low = (rows >= layout.low.start) & (rows < layout.low.stop)
    slope[high] = d_magnitude[rows[high] - layout.high.start, place[high]]
    slope[low] = -d_magnitude[rows[low] - layout.low.start, place[low]]
    for mask in (current, reverse):
        if not mask.any():
            continue
        at_t = (rows >= nb) & current
        branch = np.where(reverse, rows - layout.reverse.start, rows % nb)[mask]
        t_end = at_t[mask]
        near = np.where(t_end, model.t[branch], model.f[branch])
        far = np.where(t_end, model.f[branch], model.t[branch])
        own = np.where(t_end, model.ytt[branch], model.yff[branch])
        cross = np.where(t_end, model.ytf[branch], model.yft[branch])
        k = place[mask]
        i = own * voltage[near, k] + cross * voltage[far, k]
        di = own * dv[near, k] + cross * dv[far, k]
        if mask is current:
            percent = np.where(t_end, model.percent_t[branch], model.percent_f[branch])
            slope[mask] = (np.conj(i) * di).real / np.maximum(np.abs(i), 1e-12) * percent
        else:
            v, d = voltage[near, k], dv[near, k]
            slope[mask] = -(d * np.conj(i) + v * np.conj(di)).real * 100 * BASE_MVA / model.rating_mva[branch]
    return slope


def broken(reached: Reached) -> Bools:
    """Rows beyond their limits, shape (rows, scenarios)."""
    return np.asarray(reached.excess > EXCESS, dtype=bool)


def _worst(reached: Reached) -> tuple[Ints, Ints]:
    """(row, scenario) of the worst broken rows; a few outages each."""
    excess, scale = reached.excess, _row_scale(reached)
    relative = np.where(broken(reached), excess * scale[:, None], -NO_LIMIT)
    worst = relative.max(axis=1)
    chosen = np.argsort(-worst, kind="stable")[:ROWS_AT_ONCE]
    chosen = chosen[worst[chosen] > -NO_LIMIT]
    rows, ks = [], []
    for row in chosen.tolist():
        for k in np.argsort(-relative[row], kind="stable")[:OUTAGES_PER_ROW].tolist():
            if relative[row, k] > -NO_LIMIT:
                rows.append(row)
                ks.append(k)
    return np.array(rows, dtype=np.int64), np.array(ks, dtype=np.int64)


def _row_scale(reached: Reached) -> Floats:
    """What makes rows comparable: 0.001 pu counts like one per cent."""
    layout = reached.sweep.constraint_rows
    scale = np.ones(layout.count)
    scale[layout.high] = scale[layout.low] = 1000.0
    return scale


def _row_names(sweep: CaseSweep) -> list[tuple[str, str]]:
    return [sweep.constraint_rows.name(row, sweep.model) for row in range(sweep.constraint_rows.count)]


def _moved_rows(base: CaseSweep, changed: CaseSweep, names: Sequence[tuple[str, str]]) -> list[tuple[RowName, float]]:
    """The base's rows whose value differs in the changed network, each with the effect (see :func:`_effect`); minus
    infinity where the row is not there any more."""
    layout, other = base.constraint_rows, changed.constraint_rows
    branch = {e: k for k, e in enumerate(changed.model.element_ids)}
    bus = {b: k for k, b in enumerate(changed.model.bus_ids)}
    of_branch = np.array([branch.get(e, -1) for e in base.model.element_ids])
    of_bus = np.array([bus.get(b, -1) for b in base.model.bus_ids])
    nb = other.n_branch
    rows = np.concatenate(
        [
            of_branch,
            np.where(of_branch < 0, -1, of_branch + nb),
            np.where(of_bus < 0, -1, of_bus + other.high.start),
            np.where(of_bus < 0, -1, of_bus + other.low.start),
            np.where(of_branch < 0, -1, of_branch + other.reverse.start),
        ]
    )
    scenario = {changed.outage_name(k): k for k in range(changed.count)}
    ks = np.array([scenario.get(base.outage_name(k), -1) for k in range(base.count)])
    gone = (rows < 0)[:, None] | (ks < 0)[None, :]
    at = np.ix_(np.maximum(rows, 0), np.maximum(ks, 0))
    before, after = base.base_values, changed.base_values[at]
    there = (before > -NO_LIMIT / 2) & (base.limits < NO_LIMIT / 2)
    step = np.full(layout.count, INFLUENCE_PERCENT)
    step[layout.high] = step[layout.low] = INFLUENCE_PU
    moved = there & (gone | (np.abs(after - before) > step[:, None]))
    found = []
    for r, k in np.argwhere(moved).tolist():
        kind, element = names[r]
        effect = -np.inf if gone[r, k] else _effect(kind, float(before[r, k]), float(after[r, k]))
        found.append(((kind, element, base.outage_name(k)), effect))
    return found


def _effect(kind: str, before: float, after: float) -> float:
    """Ratio of a loading with and without a measure; of a voltage (or a small loading) the difference.

    Differences are told from ratios by the kind of row; a small loading that moves counts as halved or doubled.
    """
    if kind.startswith("voltage"):
        return after - before
    if abs(before) < LEAST_VALUE_PERCENT:
        return 0.5 if after < before else 2.0
    return max(after / before, 0.0)


def _inverse(kind: str, effect: float) -> float:
    """What taking a measure away does."""
    if kind.startswith("voltage"):
        return -effect
    return 1 / effect if effect > 0 else np.inf


def _relief(kind: str, effect: float, nominal: float) -> float:
    """By how much the limit of a row rises for a change of its value; 0 where it does not."""
    if effect == -np.inf:
        return np.inf
    if kind.startswith("voltage"):
        return max(0.0, -effect)
    if effect < LEAST_RATIO:
        return np.inf
    return max(0.0, nominal * (1 / effect - 1)) if np.isfinite(effect) else 0.0


def _made_by(measure: PlanMeasure, element: str) -> bool:
    """Whether a new element is of a measure: its id begins with that of the measure's element, or it is a part of a
    line that a new station cuts (``line>station``)."""
    return element.startswith(measure.element) or measure.element in element.split(">")


def _base_row(element: str, outage: str, known: frozenset[str]) -> tuple[str, str]:
    """(element, outage) of the network without measures that a row of a new element is like.

    Where of an element and the new one beside it one is lost, the other carries what was carried before: with nothing
    out, since no network has a row of an element under its own loss.
    """
    at, lost = _parent(element, known), _parent(outage, known)
    return at, "" if at == lost else lost


def _parent(element: str, known: frozenset[str]) -> str:
    """The element that a new one stands beside or is a part of: the longest known id that its own begins with, or the
    line that a station cuts (``station>line``)."""
    if element in known or not element:
        return element
    ends = element.split(">")[-1]
    return max((e for e in known if element.startswith(e) or ends.startswith(e)), key=len, default=element)


def injections_of_model(sweep: CaseSweep, buses: Sequence[str], injections_mw: Floats) -> Floats:
    """The injections in the model's order of buses; a bus that the network does not have must carry nothing.

    Raises
    ------
    ValueError
        If such a bus, that of a station which is not built, carries more than the programme's rounding.
    """
    out, known = np.zeros(sweep.model.n_bus), set(sweep.model.bus_ids)
    for bus, mw in zip(buses, injections_mw.tolist(), strict=True):
        if mw and (bus in known or abs(mw) > ROUNDING_MW):
            out[sweep.model.bus_index(bus)] += mw
    return out


def _bytes_of(sweep: CaseSweep | None) -> float:
    if sweep is None:
        return 0.0
    matrix = (2 * sweep.model.n_bus + 1) ** 2 * 8 + sweep.count * (2 * sweep.model.n_bus + 1) * 4 * 8
    return float(3 * sweep.base_values.nbytes + 2 * sweep.outages.voltage.nbytes + 2 * matrix)

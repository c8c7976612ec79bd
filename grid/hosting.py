"""How many MW one bus takes, alone, before the first limit breaks: the first exit on the way up from zero.

The set of feasible injections can have gaps, so neither bisection nor a secant on the far side is right. For every
bus, case and outage the values of all constraint rows are modelled as quadratics in the injection: value and slope
at zero from the AC state and its Jacobian, curvature from the flow's own quadratic and then from AC solves at the
estimated exits. The smallest root over all rows and outages is the estimate; an AC solve of *every* outage at the
answer is the certificate, and its values re-fit every quadratic, so that a bump between zero and the answer is
found as well. What stays contradictory is scanned.

Plants run at the settings' power factor (below 1 they absorb). Limits are those of :mod:`grid.limits`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grid.admittance import BASE_MVA, Complexes, Floats, GridModel, Ints
from grid.contracts import HOSTING, Case, Network
from grid.limits import NO_LIMIT, LimitSettings, row_values
from grid.sweep import CaseSweep, build_sweep, sensitivity, solve_states

Progress = Callable[[str, float], None]

RESOLUTION_MW = 0.05
"""The answer lies at most this far below the first exit (and is rounded down to 0.01 MW)."""
FIRST_LOOK = 12
"""Outages solved by AC at an estimate before the full sweep."""
MAX_ROUNDS = 10
SCAN_STEPS = 40
NOSE_SHARE = 0.02
"""Where solvable and unsolvable injections come this close, the climb ends at the nose and is scanned."""
EXCESS = 1e-6
"""Numerical room of a check, in the row's own unit (per cent or pu)."""


@dataclass(frozen=True)
class HostingBasis:
    """Everything the hosting studies of one network share: one :class:`CaseSweep` a case (None: no base solution).

    Holds arrays only; picklable, rebuilt in about a second for 130 buses and 220 outages.
    """

    network: Network
    cases: tuple[Case, ...]
    settings: LimitSettings
    sweeps: tuple[CaseSweep | None, ...]


def hosting_basis(
    network: Network,
    cases: Sequence[Case],
    settings: LimitSettings | None = None,
    progress: Progress | None = None,
) -> HostingBasis:
    """Base states, all single outages and factored Jacobians of every case."""
    settings = settings or LimitSettings.standard()
    sweeps = []
    for i, case in enumerate(cases):
        sweeps.append(build_sweep(network, case, settings))
        if progress:
            progress(f"N-1 {case.id}", (i + 1) / len(cases))
    return HostingBasis(network, tuple(cases), settings, tuple(sweeps))


@dataclass(frozen=True)
class Exit:
    """First exit of one climb: capacity and what breaks first."""

    capacity_mw: float
    limit: str
    element: str
    outage: str
    certified: bool


@dataclass
class _Rows:
    """Quadratic models h(p) = a + b p + c p^2 of every row in some outages, p in pu; h <= limit."""

    scenarios: Ints
    a: Floats
    b: Floats
    c: Floats
    limit: Floats
    angle_slope: Floats
    magnitude_slope: Floats

    def exits(self, columns: Ints | slice = slice(None)) -> Floats:
        return first_root(self.a[:, columns], self.b[:, columns], self.c[:, columns], self.limit[:, columns])


def first_root(a: Floats, b: Floats, c: Floats, limit: Floats) -> Floats:
    """Smallest positive p with ``a + b p + c p^2 = limit`` where ``a < limit``; infinite where there is none."""
    room = limit - a
    with np.errstate(divide="ignore", invalid="ignore"):
        root = 2 * room / (b + np.sqrt(b * b + 4 * c * room))
    return np.where((root > 0) & (limit < NO_LIMIT), root, np.inf)


def search_cap_mw(model: GridModel, bus: int, settings: LimitSettings) -> float:
    """Largest injection tried at a bus: a factor on the sum of the ratings of its branches."""
    at_bus = (model.f == bus) | (model.t == bus)
    return float(settings.search_cap_factor * model.rating_mva[at_bus].sum())


def hosting_capacity(
    network: Network,
    cases: Sequence[Case],
    bus_ids: Sequence[str],
    *,
    basis: HostingBasis | None = None,
    settings: LimitSettings | None = None,
    max_mw: float | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Hosting capacity of each bus, alone, in each case, for N-0 and N-1.

    Parameters
    ----------
    network, cases
        What is studied. New plants' shares of the cases are *not* applied: the capacity is MW injected.
    bus_ids
        Buses to study, in the order of the result.
    basis
        Shared base states of the same network, cases and settings; built here where None.
    settings
        Limits; the standard ones where None.
    max_mw
        Search cap; None is 1.2 times the ratings of the bus's branches.

    Returns
    -------
    Table :data:`grid.contracts.HOSTING`. ``base_case``: the row that breaks was beyond its limit before anything
    was added (and the plant worsens it by more than the slack), or the case has no solution at all. ``certified``:
    every outage was solved by AC at the answer and none lacks a solution in the base.
    """
    basis = basis or hosting_basis(network, cases, settings, progress)
    station = dict(zip(network.buses["bus_id"], network.buses["station_id"], strict=True))
    records = []
    total = max(1, len(basis.cases) * len(bus_ids))
    done = 0
    for case, sweep in zip(basis.cases, basis.sweeps, strict=True):
        for bus_id in bus_ids:
            n_0, n_1 = bus_exits(sweep, bus_id, max_mw)
            for mode, answer in (("n_0", n_0), ("n_1", n_1)):
                records.append((bus_id, station[bus_id], case.id, mode, *_fields(answer)))
            done += 1
            if progress and done % 10 == 0:
                progress(f"hosting {case.id}", done / total)
    if not records:
        return HOSTING.empty()
    table = pd.DataFrame(records, columns=list(HOSTING.columns))
    order = {bus: i for i, bus in enumerate(bus_ids)}
    table = table.sort_values("bus_id", key=lambda ids: ids.map(order), kind="stable").reset_index(drop=True)
    return HOSTING.validate(table)


def _fields(answer: Exit) -> tuple[float, str, str, str, bool]:
    return answer.capacity_mw, answer.limit, answer.element, answer.outage, answer.certified


def bus_exits(sweep: CaseSweep | None, bus_id: str, max_mw: float | None = None) -> tuple[Exit, Exit]:
    """(N-0, N-1) of one bus in one case."""
    if sweep is None:
        nothing = Exit(0.0, "base_case", "", "", False)
        return nothing, nothing
    bus = sweep.model.bus_index(bus_id)
    if sweep.outages.dead[bus, 0]:
        cut_off = Exit(0.0, "base_case", bus_id, "", False)
        return cut_off, cut_off
    cap = search_cap_mw(sweep.model, bus, sweep.settings) if max_mw is None else max_mw
    n_0 = climb(sweep, bus, np.array([0]), cap)
    n_1 = climb(sweep, bus, np.arange(sweep.count), n_0.capacity_mw, at_cap=n_0)
    if sweep.diverged:
        n_1 = Exit(n_1.capacity_mw, n_1.limit, n_1.element, n_1.outage, False)
    return n_0, n_1


def climb(sweep: CaseSweep, bus: int, scenarios: Ints, cap_mw: float, at_cap: Exit | None = None) -> Exit:
    """First exit over ``scenarios``; ``at_cap`` is the answer where nothing breaks up to ``cap_mw``.

    Raises
    ------
    ValueError
        If ``scenarios`` is empty.
    """
    if not len(scenarios):
        raise ValueError("no scenario to climb in")
    if cap_mw <= 0:
        return at_cap or Exit(0.0, "search_cap", "", "", True)
    rows = _rows_at_zero(sweep, bus, scenarios)
    cap = cap_mw / BASE_MVA
    tolerance = RESOLUTION_MW / BASE_MVA
    for _ in range(MAX_ROUNDS):
        estimate, converged = _refine(sweep, bus, rows, cap, tolerance)
        if not converged:
            return _scan(sweep, bus, rows, min(estimate, cap), at_cap)
        answer = max(0.0, min(estimate - tolerance / 2, cap))
        every = np.arange(len(scenarios))
        solved = _solve_at(sweep, bus, rows, every, answer)
        if not solved.all():
            return _scan(sweep, bus, rows, answer, at_cap)
        exits = rows.exits()
        found = float(exits.min())
        if found >= answer:
            return _exit(sweep, rows, exits, answer, cap, at_cap)
        if found < answer - 50 * tolerance:
            clear = _clear_below(sweep, bus, rows, exits, answer)
            if not clear:
                return _scan(sweep, bus, rows, answer, at_cap)
            if not (_values_at(rows, answer) > rows.limit + EXCESS).any():
                return _exit(sweep, rows, exits, answer, cap, at_cap)
    return _scan(sweep, bus, rows, cap, at_cap)


def _rows_at_zero(sweep: CaseSweep, bus: int, scenarios: Ints) -> _Rows:
    """Values, slopes and the flows' own curvature at zero injection."""
    model, layout = sweep.model, sweep.constraint_rows
    d_angle, d_magnitude = sensitivity(sweep, bus, scenarios)
    voltage = sweep.outages.voltage[:, scenarios]
    d_voltage = voltage * (d_magnitude / np.abs(voltage) + 1j * d_angle)
    base = sweep.base_values[:, scenarios]
    limit = sweep.limits[:, scenarios].copy()
    a, b, c = base.copy(), np.zeros_like(base), np.zeros_like(base)
    nb = model.n_branch
    ends = ((model.yff, model.yft, model.percent_f, 0), (model.ytt, model.ytf, model.percent_t, nb))
    for own, cross, percent, start in ends:
        near, far = (model.f, model.t) if start == 0 else (model.t, model.f)
        i = own[:, None] * voltage[near] + cross[:, None] * voltage[far]
        di = own[:, None] * d_voltage[near] + cross[:, None] * d_voltage[far]
        scale = (percent**2)[:, None]
        block = slice(start, start + nb)
        b[block] = 2 * (i.real * di.real + i.imag * di.imag) * scale
        c[block] = (di.real**2 + di.imag**2) * scale
        if start == 0:
            v, dv = voltage[near], d_voltage[near]
            mw_percent = (BASE_MVA * 100 / model.rating_mva)[:, None]
            b[layout.reverse] = -(dv * np.conj(i) + v * np.conj(di)).real * mw_percent
            c[layout.reverse] = -(dv * np.conj(di)).real * mw_percent
    a[layout.currents] = np.where(base[layout.currents] > -1, base[layout.currents] ** 2, -NO_LIMIT)
    limit[layout.currents] = np.minimum(limit[layout.currents] ** 2, NO_LIMIT)
    b[layout.high], b[layout.low] = d_magnitude, -d_magnitude
    gone = a <= -NO_LIMIT
    b[gone], c[gone], limit[gone] = 0.0, 0.0, NO_LIMIT
    return _Rows(scenarios, a, b, c, limit, d_angle, d_magnitude)


def _solve_at(sweep: CaseSweep, bus: int, rows: _Rows, columns: Ints, p: float) -> np.ndarray:
    """AC at injection ``p`` [pu] in some columns; their curvatures are re-fitted through the new values."""
    scenarios = rows.scenarios[columns]
    base = sweep.outages.voltage[:, scenarios]
    added = np.zeros(sweep.model.n_bus)
    added[bus] = p
    angle = np.angle(base) + p * rows.angle_slope[:, columns]
    magnitude = np.abs(base) + p * rows.magnitude_slope[:, columns]
    voltage, solved = solve_states(sweep, added, scenarios, angle, magnitude)
    if p > 0 and solved.any():
        good = columns[solved]
        values = _row_heights(sweep, voltage[:, solved], rows.scenarios[good])
        c = (values - rows.a[:, good] - rows.b[:, good] * p) / p**2
        rows.c[:, good] = np.where(rows.limit[:, good] < NO_LIMIT, c, 0.0)
    return solved


def _row_heights(sweep: CaseSweep, voltage: Complexes, scenarios: Ints) -> Floats:
    """Row values with squared currents, as the quadratics have them."""
    values = row_values(sweep.model, voltage, sweep.outages.branch[scenarios], sweep.outages.dead[:, scenarios])
    currents = sweep.constraint_rows.currents
    values[currents] = np.where(values[currents] > -1, values[currents] ** 2, -NO_LIMIT)
    return values


def _values_at(rows: _Rows, p: float) -> Floats:
    return rows.a + rows.b * p + rows.c * p**2


def _refine(sweep: CaseSweep, bus: int, rows: _Rows, cap: float, tolerance: float) -> tuple[float, bool]:
    """AC solves of the first few outages at the estimated exit until the estimate stands still.

    An estimate without a solution is halved towards the last one with: its values re-fit the quadratics. False
    where the states end before the rows do.
    """
    exits = rows.exits().min(axis=0)
    solvable, ceiling = 0.0, np.inf
    for _ in range(2 * MAX_ROUNDS):
        estimate = float(min(exits.min(), cap))
        p = estimate if estimate < ceiling else (solvable + ceiling) / 2
        if p <= tolerance:
            return p, True
        if ceiling - solvable < NOSE_SHARE * ceiling:
            return ceiling, False
        near = np.argsort(exits, kind="stable")[:FIRST_LOOK]
        near = near[exits[near] <= 1.1 * estimate + 10 * tolerance]
        if not len(near):
            return estimate, True
        if not _solve_at(sweep, bus, rows, near, p).all():
            ceiling = p
            continue
        solvable = max(solvable, p)
        exits[near] = rows.exits(near).min(axis=0)
        again = float(min(exits.min(), cap))
        if p == estimate and abs(again - p) <= tolerance / 4:
            return again, True
    return float(min(exits.min(), cap, ceiling)), ceiling == np.inf


def _clear_below(sweep: CaseSweep, bus: int, rows: _Rows, exits: Floats, answer: float) -> bool:
    """Whether the bumps that the quadratics see below ``answer`` are absent in AC (checked at their peaks)."""
    columns = np.flatnonzero(exits.min(axis=0) < answer)
    keep = rows.c[:, columns].copy()
    row = exits[:, columns].argmin(axis=0)
    b, c = rows.b[row, columns], rows.c[row, columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        peak = np.where(c < 0, -b / (2 * c), exits[row, columns])
    clear = True
    for column, p in zip(columns.tolist(), np.clip(peak, 0.0, answer).tolist(), strict=True):
        one = np.array([column])
        if p > 0 and _solve_at(sweep, bus, rows, one, p).all():
            clear &= not (_values_at(rows, p)[:, column] > rows.limit[:, column] + EXCESS).any()
        else:
            clear = False
    rows.c[:, columns] = keep
    return clear


def _scan(sweep: CaseSweep, bus: int, rows: _Rows, top: float, at_cap: Exit | None) -> Exit:
    """Walk up in steps with every outage, then bisect between the last good and the first bad step."""
    every = np.arange(len(rows.scenarios))
    good, bad = 0.0, top
    broken: tuple[str, str, str] | None = None
    for p in np.linspace(0.0, top, SCAN_STEPS + 1)[1:].tolist():
        broken = _broken_at(sweep, bus, rows, every, p)
        if broken:
            bad = p
            break
        good = p
    if broken is None:
        return at_cap or Exit(_floor_mw(top), "search_cap", "", "", True)
    while (bad - good) * BASE_MVA > RESOLUTION_MW / 2:
        middle = (good + bad) / 2
        now = _broken_at(sweep, bus, rows, every, middle)
        if now:
            bad, broken = middle, now
        else:
            good = middle
    return Exit(_floor_mw(good), *broken, True)


def _broken_at(sweep: CaseSweep, bus: int, rows: _Rows, columns: Ints, p: float) -> tuple[str, str, str] | None:
    solved = _solve_at(sweep, bus, rows, columns, p)
    if not solved.all():
        column = int(np.flatnonzero(~solved)[0])
        return "diverged", "", sweep.outage_name(int(rows.scenarios[column]))
    excess = (_values_at(rows, p) - rows.limit)[:, columns]
    if excess.max() <= EXCESS:
        return None
    row, column = divmod(int(excess.argmax()), excess.shape[1])
    return _name(sweep, row, int(rows.scenarios[columns[column]]))


def _name(sweep: CaseSweep, row: int, scenario: int) -> tuple[str, str, str]:
    """(limit, element, outage) of a row; ``base_case`` where the row was beyond its limit before."""
    kind, element = sweep.constraint_rows.name(row, sweep.model)
    if sweep.base_values[row, scenario] > sweep.nominal[row, scenario]:
        kind = "base_case"
    return kind, element, sweep.outage_name(scenario)


def _exit(sweep: CaseSweep, rows: _Rows, exits: Floats, answer: float, cap: float, at_cap: Exit | None) -> Exit:
    row, column = divmod(int(exits.argmin()), exits.shape[1])
    if exits[row, column] > cap:
        return at_cap or Exit(_floor_mw(cap), "search_cap", "", "", True)
    return Exit(_floor_mw(answer), *_name(sweep, row, int(rows.scenarios[column])), True)


def _floor_mw(p_pu: float) -> float:
    return float(np.floor(p_pu * BASE_MVA * 100 + 1e-6) / 100)

"""Strengthen a drawn network until no single outage breaks a limit in any design case.

Two sieves. A fast one: the AC state without outage plus DC shift factors (LODF) of all outages at once. An exact
one: an AC load flow of every outage. What is overloaded gets the next larger conductor or transformer, then one
more circuit or unit; where the voltage is too low, the weakest line into the station is strengthened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from grid.admittance import Floats, GridModel
from grid.contracts import Case, Network, Status
from grid.engine import Engine, Solution, find_bridges
from grid.reference.design import Design, tables_of
from grid.reference.sizing import stronger_bank, stronger_corridor
from grid.reference.taps import set_taps
from grid.standards_tables import voltage_band

SCREEN_LIMIT_PERCENT = 95.0
AC_LIMIT_PERCENT = 100.0
BASE_LIMIT_PERCENT = 90.0
SCREEN_ROUNDS = 40
AC_ROUNDS = 12
_VOLTAGE_TOLERANCE_PU = 1e-4

Progress = Callable[[str, float], None]


@dataclass(frozen=True, order=True)
class Breach:
    """A limit broken in one case: ``element`` is a line, a unit or a bus; ``outage`` is empty without one.

    ``kind`` is loading [% of rating], low or high voltage [pu], diverged, or lost_load [MW].
    """

    case: str
    outage: str
    kind: str
    element: str
    value: float


@dataclass(frozen=True)
class Strengthened:
    """A design and what it still breaks (empty: secure in N-0 and N-1 in every case)."""

    design: Design
    breaches: tuple[Breach, ...]
    measures: tuple[str, ...]
    """Corridors and banks that were strengthened, in order."""


def strengthen(design: Design, cases: Sequence[Case], progress: Progress | None = None) -> Strengthened:
    """The design made secure, or as secure as the menus of sizes allow (the remaining breaches say where not)."""
    measures: list[str] = []
    for ac_round in range(AC_ROUNDS):
        design = _strengthen_by_screen(design, cases, measures)
        design = set_taps(design, cases)
        if progress:
            progress("reference network: N-1 by AC load flow", ac_round / AC_ROUNDS)
        breaches = security_breaches(tables_of(design), cases)
        changed = _strengthen(design, breaches, measures)
        if not breaches or changed == design:
            return Strengthened(design, breaches, tuple(measures))
        design = changed
    design = set_taps(design, cases)
    return Strengthened(design, security_breaches(tables_of(design), cases), tuple(measures))


def security_breaches(network: Network, cases: Sequence[Case]) -> tuple[Breach, ...]:
    """Every limit broken in N-0 and N-1, each outage by AC load flow, sorted.

    Loadings are held to 100 % (transformers too, no short-time overload); voltages to the bus's own band without an
    outage and to the wider of that and the post-fault band after one. An outage may cut off plants, never load.
    """
    found: list[Breach] = []
    for case in cases:
        engine = Engine(network, case)
        base = engine.solve()
        found += _breaches(engine.model, base, case.id, "")
        if base.status is Status.DIVERGED:
            continue
        for outage in engine.model.element_ids:
            found += _breaches(engine.model, engine.solve(outage=outage, start=base.voltage), case.id, outage)
    return tuple(sorted(found))


def _breaches(model: GridModel, state: Solution, case: str, outage: str) -> list[Breach]:
    if state.status is Status.DIVERGED:
        return [Breach(case, outage, "diverged", "", float("nan"))]
    found = []
    if state.lost_load_mw > 0:
        found.append(Breach(case, outage, "lost_load", "", state.lost_load_mw))
    loading = np.nan_to_num(state.loading_percent)
    for k in np.flatnonzero(loading > AC_LIMIT_PERCENT):
        found.append(Breach(case, outage, "loading", model.element_ids[k], float(loading[k])))
    low, high = model.vm_min_pu, model.vm_max_pu
    if outage:
        bands = np.array([_post_fault_band(vn) for vn in model.vn_kv.tolist()])
        low, high = np.minimum(low, bands[:, 0]), np.maximum(high, bands[:, 1])
    for k in np.flatnonzero(state.vm_pu < low - _VOLTAGE_TOLERANCE_PU):
        found.append(Breach(case, outage, "low_voltage", model.bus_ids[k], float(state.vm_pu[k])))
    for k in np.flatnonzero(state.vm_pu > high + _VOLTAGE_TOLERANCE_PU):
        found.append(Breach(case, outage, "high_voltage", model.bus_ids[k], float(state.vm_pu[k])))
    return found


@cache
def _post_fault_band(vn_kv: float) -> tuple[float, float]:
    try:
        return voltage_band(vn_kv, "post_fault")
    except KeyError:
        return np.inf, -np.inf


# --- fast sieve -------------------------------------------------------------------------------------------------


def _strengthen_by_screen(design: Design, cases: Sequence[Case], measures: list[str]) -> Design:
    for _ in range(SCREEN_ROUNDS):
        network = tables_of(design)
        loading: dict[str, float] = {}
        for case in cases:
            engine = Engine(network, case)
            base = engine.solve()
            if base.status is Status.DIVERGED:
                continue
            worst = screened_loading(engine, base)
            for k in np.flatnonzero(worst > SCREEN_LIMIT_PERCENT):
                element = engine.model.element_ids[k]
                loading[element] = max(loading.get(element, 0.0), float(worst[k]))
        changed = _strengthen_elements(design, sorted(loading), measures)
        if changed == design:
            return design
        design = changed
    return design


def screened_loading(engine: Engine, base: Solution) -> Floats:
    """Estimated highest loading of every branch over N-0 and all outages [%], shape (branches,).

    Active flows after an outage are ``f_l + LODF_lk f_k`` on the AC base state; reactive flows shift by the same
    factors. Bridges are left out (their loss splits the network).
    """
    model = engine.model
    factors = outage_factors(model, engine.point.reference)
    factors[:, list(find_bridges(model))] = 0.0
    np.fill_diagonal(factors, 0.0)
    p, q = np.nan_to_num(base.p_from_mw), np.nan_to_num(base.q_from_mvar)
    after = np.hypot(p[:, None] + factors * p[None, :], q[:, None] + factors * q[None, :])
    worst = after.max(axis=1)
    own = np.nan_to_num(base.loading_percent)
    per_mva = own / np.maximum(np.hypot(p, q), 1e-6)
    exact = np.isfinite(per_mva) & (np.hypot(p, q) > 1.0)
    percent = np.where(exact, worst * per_mva, worst * 100 / model.rating_mva)
    base_breach = own > BASE_LIMIT_PERCENT
    screened: Floats = np.where(
        base_breach, np.maximum(percent, own * SCREEN_LIMIT_PERCENT / BASE_LIMIT_PERCENT), percent
    )
    return screened


def outage_factors(model: GridModel, reference: int) -> Floats:
    """DC line outage distribution factors, shape (branches, branches): flow on row per flow on the lost column.

    Columns of bridges are undefined and set to 0.
    """
    susceptance = np.abs(model.ytf)
    incidence = np.zeros((model.n_branch, model.n_bus))
    rows = np.arange(model.n_branch)
    incidence[rows, model.f] = 1.0
    incidence[rows, model.t] -= 1.0
    laplacian = incidence.T @ (susceptance[:, None] * incidence)
    keep = np.setdiff1d(np.arange(model.n_bus), [reference])
    inverse = np.zeros((model.n_bus, model.n_bus))
    inverse[np.ix_(keep, keep)] = np.linalg.inv(laplacian[np.ix_(keep, keep)])
    transfer = susceptance[:, None] * (incidence @ inverse @ incidence.T)
    own = 1.0 - np.diag(transfer)
    factors: Floats = np.where(np.abs(own) > 1e-8, transfer / np.where(np.abs(own) > 1e-8, own, 1.0), 0.0)
    return factors


# --- measures ---------------------------------------------------------------------------------------------------


def _strengthen(design: Design, breaches: tuple[Breach, ...], measures: list[str]) -> Design:
    elements = {b.element for b in breaches if b.kind == "loading"}
    for breach in breaches:
        if breach.kind == "low_voltage":
            elements |= _weak_elements(design, breach)
    return _strengthen_elements(design, sorted(elements), measures)


def _weak_elements(design: Design, breach: Breach) -> set[str]:
    """The longest line into the station whose voltage is low, or its transformers."""
    station, level = breach.element.rsplit("/", 1)
    ends = [c for c in design.corridors if station in (c.from_station, c.to_station)]
    ends = [c for c in ends if c.vn_kv == float(level)] or ends
    if ends:
        return {max(ends, key=lambda c: (c.length_km, c.corridor_id)).corridor_id}
    return {b.bank_id for b in design.banks if b.station_id == station and b.lv_kv == float(level)}


def _strengthen_elements(design: Design, elements: Sequence[str], measures: list[str]) -> Design:
    """One step for every corridor or bank that holds one of the elements (or has its id)."""
    ids = sorted({element.split("#")[0] for element in elements})
    corridors = {c.corridor_id: c for c in design.corridors}
    banks = {b.bank_id: b for b in design.banks}
    for name in ids:
        if name in corridors:
            corridor = stronger_corridor(corridors[name])
            if corridor is not None:
                design = design.with_corridor(corridor)
                measures.append(f"{name}: {corridor.circuits} x {corridor.line_type}")
        elif name in banks:
            bank = stronger_bank(banks[name])
            if bank is not None:
                design = design.with_bank(bank)
                measures.append(f"{name}: {bank.units} x {bank.transformer_type}")
    return design

"""Strengthen a drawn network until no single outage breaks a limit in any design case.

Two sieves. A fast one: the AC state without outage plus DC shift factors (LODF) of all outages at once. An exact
one: an AC load flow of every outage. Overloaded elements get the next larger conductor or transformer, then one
more circuit or unit. Voltages out of band get capacitor banks at the loads of the station (which narrow the swing
between peak and minimum), then a stronger line or transformer; too high ones above 110 kV get shunt reactors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid.contracts import Case, Status
from grid.engine import Engine
from grid.reference.design import Design, tables_of
from grid.reference.security import Breach, screened_loading, security_breaches
from grid.reference.sizing import stronger_bank, stronger_corridor
from grid.reference.taps import set_taps

SCREEN_LIMIT_PERCENT = 95.0
SCREEN_ROUNDS = 40
AC_SWEEPS = 6
ROUNDS_PER_SWEEP = 8
CAPACITOR_STEP = 0.05
"""Mvar of capacitors per MW of load that one step adds; never beyond unity power factor."""
REACTOR_STEP = 0.1
REACTOR_MOST = 0.79
"""Most of a line's charging that reactors take up; what is left stays within the checks' factor of five."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Strengthened:
    """A design and what it still breaks (empty: secure in N-0 and N-1 in every case)."""

    design: Design
    breaches: tuple[Breach, ...]
    measures: tuple[str, ...]
    """What was strengthened, in order."""


def strengthen(design: Design, cases: Sequence[Case], progress: Progress | None = None) -> Strengthened:
    """The design made secure, or as secure as the menus of sizes allow (the remaining breaches say where not).

    The intact network comes first, then every outage; between two full sweeps only the states that broke a limit
    are looked at again.
    """
    measures: list[str] = []
    design = _settled(design, cases, measures)
    only: frozenset[tuple[str, str]] | None = frozenset((case.id, "") for case in cases)
    breaches: tuple[Breach, ...] = ()
    for sweep in range(AC_SWEEPS + 1):
        if progress:
            progress("reference network: N-1 by AC load flow", sweep / (AC_SWEEPS + 1))
        breaches = security_breaches(tables_of(design), cases, only)
        if only is None and not breaches:
            break
        watched = frozenset((b.case, b.outage) for b in breaches) | frozenset((case.id, "") for case in cases)
        stuck = False
        for _ in range(ROUNDS_PER_SWEEP):
            if not breaches:
                break
            changed = _measured(design, breaches, measures)
            stuck = changed == design
            if stuck:
                break
            design = _settled(changed, cases, measures)
            breaches = security_breaches(tables_of(design), cases, watched)
        if stuck and only is None:
            break
        only = None
    return Strengthened(design, security_breaches(tables_of(design), cases) if breaches else (), tuple(measures))


def _settled(design: Design, cases: Sequence[Case], measures: list[str]) -> Design:
    return set_taps(_strengthen_by_screen(design, cases, measures), cases)


def _strengthen_by_screen(design: Design, cases: Sequence[Case], measures: list[str]) -> Design:
    for _ in range(SCREEN_ROUNDS):
        network = tables_of(design)
        overloaded: set[str] = set()
        for case in cases:
            engine = Engine(network, case)
            base = engine.solve()
            if base.status is not Status.DIVERGED:
                worst = screened_loading(engine, base)
                overloaded |= {engine.model.element_ids[k] for k in np.flatnonzero(worst > SCREEN_LIMIT_PERCENT)}
        changed = _strengthen_elements(design, overloaded, measures)
        if changed == design:
            return design
        design = changed
    return design


def _measured(design: Design, breaches: tuple[Breach, ...], measures: list[str]) -> Design:
    """One step for everything that breaks a limit."""
    elements = {b.element for b in breaches if b.kind == "loading"}
    if any(b.kind == "diverged" and not b.outage for b in breaches):
        top = max(c.vn_kv for c in design.corridors)
        elements |= {c.corridor_id for c in design.corridors if c.vn_kv == top}
    low = {b.element for b in breaches if b.kind == "low_voltage"}
    high = {b.element for b in breaches if b.kind == "high_voltage"}
    for bus in sorted(low | high):
        station, level = bus.rsplit("/", 1)
        if float(level) <= 110:
            changed = _with_capacitors(design, station, measures)
        else:
            changed = _with_reactors(design, station, measures) if bus in high else design
        if changed == design:
            elements |= _weak_elements(design, station, float(level), bus in low)
        design = changed
    return _strengthen_elements(design, elements, measures)


def _with_capacitors(design: Design, station: str, measures: list[str]) -> Design:
    """Less reactive load at the station, down to unity power factor."""
    loads = []
    for load in design.loads:
        if load.station_id == station and load.q_mvar > 0:
            load = replace(load, q_mvar=max(0.0, load.q_mvar - CAPACITOR_STEP * load.p_mw))
            measures.append(f"{station}: load compensated to {load.q_mvar:.1f} Mvar")
        loads.append(load)
    return replace(design, loads=tuple(loads))


def _with_reactors(design: Design, station: str, measures: list[str]) -> Design:
    """More shunt reactors at the 220 and 500 kV lines of the station, up to :data:`REACTOR_MOST`."""
    for corridor in design.corridors:
        at_station = station in (corridor.from_station, corridor.to_station)
        if at_station and corridor.vn_kv >= 220 and corridor.compensated_share < REACTOR_MOST:
            share = min(REACTOR_MOST, round(corridor.compensated_share + REACTOR_STEP, 6))
            design = design.with_corridor(replace(corridor, compensated_share=share))
            measures.append(f"{corridor.corridor_id}: reactors for {100 * share:g} % of the charging")
    return design


def _weak_elements(design: Design, station: str, vn_kv: float, with_line: bool) -> set[str]:
    """The transformers that feed the bus, else the station's longest line of that level (or of any, if none)."""
    feeding = {b.bank_id for b in design.banks if b.station_id == station and b.lv_kv == vn_kv}
    if any(stronger_bank(b) for b in design.banks if b.bank_id in feeding) or not with_line:
        return feeding
    ends = [c for c in design.corridors if station in (c.from_station, c.to_station)]
    ends = [c for c in ends if c.vn_kv == vn_kv] or ends
    return {c.corridor_id for c in sorted(ends, key=lambda c: (c.length_km, c.corridor_id))[-1:]}


def _strengthen_elements(design: Design, elements: set[str], measures: list[str]) -> Design:
    """One step for every corridor or bank that holds one of the elements (or has its id)."""
    names = sorted({element.split("#")[0] for element in elements})
    corridors = {c.corridor_id: c for c in design.corridors}
    banks = {b.bank_id: b for b in design.banks}
    for name in names:
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

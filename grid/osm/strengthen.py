"""Circuits and units that the load of now needs beyond what is mapped, each one counted as assumed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from grid.contracts import Case, FuelShare, Network, Status
from grid.engine import Engine, Solution
from grid.osm.rules import Ledger, rule_number
from grid.reference.design import Bank, Corridor, Design, tables_of
from grid.reference.security import screened_loading
from grid.reference.sizing import bank_mva, stronger_bank
from grid.reference.taps import set_taps
from layers.contracts import Origin

DESIGN_CASES = (
    Case("peak", "高峰", "Peak", 1.0, 0.0, 0.1,
         (FuelShare("coal", 0.9), FuelShare("gas", 0.8), FuelShare("hydro", 0.8)), "summer"),
    Case("noon_minimum", "午间低谷", "Noon minimum", 0.4, 0.9, 0.3,
         (FuelShare("coal", 0.35), FuelShare("hydro", 0.2)), "transition"),
    Case("windy_night", "大风夜间", "Windy night", 0.45, 0.0, 0.9,
         (FuelShare("coal", 0.45), FuelShare("gas", 0.1), FuelShare("hydro", 0.2)), "winter"),
)  # fmt: skip
OUTAGE_LIMIT_PERCENT = 92.0
MOST_CIRCUITS = 10
ROUNDS = 24
LOAD_STEPS = (1.0, 0.7, 0.45, 0.25)


def strengthened(design: Design, ledger: Ledger, cases: Sequence[Case] = DESIGN_CASES) -> Design:
    """The design with circuits and units added until the peak case is below the rule's loading in the base state,
    the estimated loading after every single outage is below :data:`OUTAGE_LIMIT_PERCENT`, and taps set.
    """
    before = design
    for k in range(ROUNDS):
        if k in (0, 4, 12):
            design = set_taps(design, cases)
        changed = _stronger(design, _worst_loading(design, cases[0]))
        if changed == design:
            break
        design = changed
    design = set_taps(design, cases)
    _count(before, design, ledger)
    return design


def _peak_state(network: Network, case: Case) -> tuple[Engine, Solution, float]:
    """State at the peak, or at the largest of the listed shares of it that has a solution."""
    for share in LOAD_STEPS:
        engine = Engine(network, replace(case, load_share=case.load_share * share))
        state = engine.solve()
        if state.status is not Status.DIVERGED:
            return engine, state, share
    return engine, state, LOAD_STEPS[-1]


def _worst_loading(design: Design, case: Case) -> dict[str, float]:
    """Factor by which each corridor or bank lacks capacity, above 1 where a limit is passed."""
    engine, state, share = _peak_state(tables_of(design), case)
    if state.status is Status.DIVERGED:
        return {c.corridor_id: 1.01 for c in design.corridors if c.vn_kv > 110}
    base = np.nan_to_num(state.loading_percent) / share / rule_number("osm.added_220")
    outage = np.nan_to_num(screened_loading(engine, state)) / share / OUTAGE_LIMIT_PERCENT
    worst: dict[str, float] = {}
    for element, factor in zip(engine.model.element_ids, np.maximum(base, outage), strict=True):
        key = element.split("#")[0]
        worst[key] = max(worst.get(key, 0.0), float(factor))
    return worst


def _stronger(design: Design, worst: dict[str, float]) -> Design:
    for corridor in design.corridors:
        factor = worst.get(corridor.corridor_id, 0.0)
        if factor > 1 and corridor.circuits < MOST_CIRCUITS:
            more = max(1, math.floor(corridor.circuits * (min(factor, 2.0) - 1)))
            design = design.with_corridor(replace(corridor, circuits=min(MOST_CIRCUITS, corridor.circuits + more)))
    for bank in design.banks:
        if worst.get(bank.bank_id, 0.0) > 1:
            larger = _one_more(bank) if bank.hv_kv > 220 and bank.units < 4 else stronger_bank(bank)
            design = design.with_bank(larger or bank)
    return design


def _one_more(bank: Bank) -> Bank:
    return replace(bank, units=bank.units + 1)


def _count(before: Design, after: Design, ledger: Ledger) -> None:
    drawn = {c.corridor_id: c for c in before.corridors}
    for level in (500.0, 220.0, 110.0):
        grown = [(c, c.circuits - drawn[c.corridor_id].circuits) for c in after.corridors if c.vn_kv == level]
        added = sum(n for _, n in grown)
        corridors = sum(n > 0 for _, n in grown)
        ledger.count(f"osm.added_{level:g}", added, f"{added} / {corridors}" if added else "")
    mva = sum(map(bank_mva, after.banks)) - sum(map(bank_mva, before.banks))
    ledger.count("osm.added_units", round(mva), f"{mva:g} MVA" if mva else "")
    ledger.count("osm.taps", sum(bank.tap_pos != 0 for bank in after.banks))


def mark_added(lines: pd.DataFrame, drawn: Sequence[Corridor]) -> pd.DataFrame:
    """Lines with the circuits beyond the drawn ones marked as assumed."""
    count = {c.corridor_id: c.circuits for c in drawn}
    number = lines["line_id"].str.rsplit("#", n=1).str[1].astype(int)
    added = number > lines["corridor_id"].map(count)
    return lines.assign(
        origin=lines["origin"].mask(added, str(Origin.ASSUMED)),
        note=lines["note"].mask(added, "circuit added for the load of now, not mapped"),
    )

"""Tap positions that keep the low side in its band from the highest to the lowest load of the design cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from grid.contracts import Case, Network, Status
from grid.engine import Engine, Solution
from grid.reference.design import Bank, Design, bus_band, bus_id, tables_of
from grid.standards_tables import transformer_types

TARGET_PU = {220.0: 1.045, 110.0: 1.02, 35.0: 1.02, 10.0: 1.0}
"""Middle between the highest and the lowest voltage over the cases that the low side should have."""
BAND_MARGIN_PU = 0.003
"""Room that a tap keeps to both ends of the band where it can."""
ROUNDS = 3


def base_states(network: Network, cases: Sequence[Case]) -> list[Solution]:
    """Load flow of every case without outage."""
    return [Engine(network, case).solve() for case in cases]


def set_taps(design: Design, cases: Sequence[Case], rounds: int = ROUNDS) -> Design:
    """The design with the taps of every bank moved towards :data:`TARGET_PU`, upper levels first.

    A tap is one position for all cases: it is set so that the middle between the highest and the lowest voltage
    of the low side over the cases comes as near to the target as a step allows, if that keeps both in the band.
    A design that has no solution in some case is returned as it is: the other cases would pull its voltages the
    wrong way.
    """
    for _ in range(rounds):
        before = design
        for hv_kv in sorted({bank.hv_kv for bank in design.banks}, reverse=True):
            design = _set_level(design, cases, hv_kv)
        if design == before:
            break
    return design


def _set_level(design: Design, cases: Sequence[Case], hv_kv: float) -> Design:
    network = tables_of(design)
    states = base_states(network, cases)
    if any(s.status is Status.DIVERGED for s in states):
        return design
    voltages = np.array([s.vm_pu for s in states])
    position = {bus: k for k, bus in enumerate(network.buses["bus_id"])}
    kinds = transformer_types()
    banks = []
    for bank in design.banks:
        if bank.hv_kv == hv_kv:
            at_low = voltages[:, position[bus_id(bank.station_id, bank.lv_kv)]]
            kind = kinds.loc[bank.transformer_type]
            bank = _moved(bank, at_low, float(kind["tap_step_percent"]), float(kind["tap_min"]), float(kind["tap_max"]))
        banks.append(bank)
    return replace(design, banks=tuple(banks))


def _moved(bank: Bank, low_side_pu: np.ndarray, step_percent: float, lowest: float, highest: float) -> Bank:
    """The position that leaves the band least, then comes nearest to the target.

    A higher position on the high side lowers the low side by about one step.
    """
    known = low_side_pu[np.isfinite(low_side_pu)]
    if not len(known):
        return bank
    bottom, top = bus_band(bank.lv_kv)

    def misfit(position: float) -> tuple[float, float, float]:
        expected = known / (1 + (position - bank.tap_pos) * step_percent / 100)
        low, high = float(expected.min()), float(expected.max())
        outside = max(0.0, bottom + BAND_MARGIN_PU - low) + max(0.0, high - top + BAND_MARGIN_PU)
        return round(outside, 6), abs((low + high) / 2 - TARGET_PU[bank.lv_kv]), abs(position - bank.tap_pos)

    return replace(bank, tap_pos=float(min(np.arange(lowest, highest + 0.5), key=misfit)))

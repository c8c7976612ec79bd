"""Sizes from the standard tables: transformers by capacity-load ratio, lines by ampacity."""

from __future__ import annotations

import math
from dataclasses import replace

from grid.line_parameters import line_type_parameters
from grid.reference.design import Bank, Corridor
from grid.standards_tables import cached_by_standards, capacity_load_ratio, transformer_types, transformer_types_between

UNITS_ULTIMATE = {500.0: 4, 220.0: 4, 110.0: 4}
"""Most units of a station: planning practice is 3 to 4 (110 kV: 3, a fourth only as a reinforcement)."""
CIRCUITS_MOST = 6
LINE_MENU = {
    110.0: ("110 kV 300/40", "110 kV 2x240/30"),
    220.0: ("220 kV 2x300/40", "220 kV 2x400/35", "220 kV 2x630/45"),
    500.0: ("500 kV 4x400/35", "500 kV 4x630/45", "500 kV 4x720/50"),
}
"""Types a new line may have, by rising ampacity."""


def middle_ratio(vn_kv: float, growth_percent: float, rule: str) -> float:
    """Middle of the band of the capacity-load ratio; a rule without that level falls back to Q/GDW 156."""
    try:
        low, high = capacity_load_ratio(vn_kv, growth_percent, rule)
    except KeyError:
        low, high = capacity_load_ratio(vn_kv, growth_percent)
    return (low + high) / 2


def station_count(load_mw: float, ratio: float, units: int, hv_kv: float, lv_kv: float, at_least: int) -> int:
    """Stations needed so that ``units`` of the largest common size each give the ratio."""
    menu = transformer_types_between(hv_kv, lv_kv)["sn_mva"]
    common = {500.0: 1000.0, 220.0: 240.0, 110.0: 63.0}[hv_kv]
    largest = max(float(s) for s in menu if s <= common)
    return max(at_least, math.ceil(float(load_mw * ratio / (units * largest)) - 1e-9))


def choose_units(load_mva: float, ratio: float, hv_kv: float, lv_kv: float, preferred_units: int) -> tuple[str, int]:
    """Type and number of equal units: installed at least ``ratio * load_mva``, and the load carried with one out.

    Two units at least; the least installed MVA wins, then the fewer units; more than ``preferred_units`` only if
    nothing smaller does. The largest bank there is, where nothing suffices.
    """
    menu = transformer_types_between(hv_kv, lv_kv)
    most = UNITS_ULTIMATE[hv_kv]
    for allowed in range(max(2, preferred_units), most + 1):
        fitting = [
            (units * sn, units, name)
            for name, sn in zip(menu.index, menu["sn_mva"], strict=True)
            for units in range(2, allowed + 1)
            if units * sn >= ratio * load_mva and (units - 1) * sn >= load_mva
        ]
        if fitting:
            _, units, name = min(fitting)
            return str(name), units
    return str(menu.index[-1]), most


def choose_line(vn_kv: float, load_mva: float) -> tuple[str, int]:
    """Smallest type that carries ``load_mva`` on one circuit, else the largest type and the circuits it takes."""
    capacity = _capacity_mva()
    menu = LINE_MENU[vn_kv]
    for name in menu:
        if capacity[name] >= load_mva:
            return name, 1
    return menu[-1], math.ceil(load_mva / capacity[menu[-1]])


@cached_by_standards
def _capacity_mva() -> dict[str, float]:
    return {str(name): float(s) for name, s in line_type_parameters()["s_max_mva"].items()}


@cached_by_standards
def _rating_mva() -> dict[str, float]:
    return {str(name): float(s) for name, s in transformer_types()["sn_mva"].items()}


def stronger_corridor(corridor: Corridor) -> Corridor | None:
    """The next larger type, then one more circuit; None when :data:`CIRCUITS_MOST` of the largest stand."""
    menu = LINE_MENU[corridor.vn_kv]
    larger = [name for name in menu if _capacity_mva()[name] > _capacity_mva()[corridor.line_type] * 1.001]
    if larger:
        return replace(corridor, line_type=larger[0])
    if corridor.circuits < CIRCUITS_MOST:
        return replace(corridor, circuits=corridor.circuits + 1)
    return None


def stronger_bank(bank: Bank) -> Bank | None:
    """The next larger rating, then one more unit; None at the ultimate size."""
    menu = transformer_types_between(bank.hv_kv, bank.lv_kv)
    rating = _rating_mva()[bank.transformer_type]
    larger = [str(name) for name, sn in zip(menu.index, menu["sn_mva"], strict=True) if sn > rating]
    if larger:
        return replace(bank, transformer_type=larger[0])
    if bank.units < UNITS_ULTIMATE[bank.hv_kv]:
        return replace(bank, units=bank.units + 1)
    return None


def bank_mva(bank: Bank) -> float:
    """Installed MVA of a bank."""
    return bank.units * _rating_mva()[bank.transformer_type]

"""What the menu offers for units in parallel, and the record of an offer before money."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from grid.contracts import Network
from grid.measures.apply import high_impedance_type, next_unit_type
from grid.measures.places import parallel_units, station_name, unit_levels


@dataclass(frozen=True)
class Offer:
    """A measure with its sizes, before money. ``quantity`` by the unit that the cost row may count in."""

    element: str
    station_id: str
    vn_kv: float
    zh: str
    en: str
    quantity: dict[str, float]
    cost_item: str = ""
    group: str = ""
    sizes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Bank:
    """Units in parallel: the first one's id, station, levels [kV], their rows, the station's names."""

    first: str
    station_id: str
    hv: float
    lv: float
    units: pd.DataFrame
    zh: str
    en: str


def _bank(network: Network, element: str) -> _Bank:
    units = network.transformers[parallel_units(network, element)]
    first, station = str(units["transformer_id"].iloc[0]), str(units["station_id"].iloc[0])
    zh, en = (station_name(network, station, language) for language in ("zh", "en"))
    return _Bank(first, station, *unit_levels(network, element), units, zh, en)


def _unit_offer(bank: _Bank, zh: str, en: str, mva: float, sizes: dict[str, Any]) -> Offer:
    return Offer(bank.first, bank.station_id, bank.hv, zh, en, {"MVA": mva}, group=bank.first, sizes=sizes)


def add_unit(network: Network, element: str, row: dict[str, Any]) -> Offer:
    """One more unit like the first of those in parallel with the named one."""
    bank = _bank(network, element)
    sn = float(bank.units["sn_mva"].iloc[0])
    zh = f"{bank.zh}增加1台{bank.hv:g}/{bank.lv:g} kV {sn:g} MVA主变"
    en = f"one more {bank.hv:g}/{bank.lv:g} kV transformer of {sn:g} MVA at {bank.en}"
    sizes = {"s_mva": sn, "type_name": str(bank.units["transformer_type"].iloc[0])}
    return _unit_offer(bank, zh, en, sn, sizes)


def replace_units(network: Network, element: str, row: dict[str, Any]) -> Offer | None:
    """All units in parallel replaced by the next larger type; None where there is none."""
    larger = next_unit_type(network, element)
    if larger is None:
        return None
    bank = _bank(network, element)
    sn, count = float(larger["sn_mva"]), len(bank.units)
    zh = f"{bank.zh}{count}台主变更换为{bank.hv:g}/{bank.lv:g} kV {sn:g} MVA"
    en = f"{count} transformer(s) at {bank.en} replaced by {bank.hv:g}/{bank.lv:g} kV {sn:g} MVA"
    added = sn * count - float(bank.units["sn_mva"].sum())
    return _unit_offer(bank, zh, en, sn * count, {"s_mva": added, "type_name": str(larger.name), "count": count})


def high_impedance(network: Network, element: str, row: dict[str, Any]) -> Offer | None:
    """All units in parallel replaced by high-impedance ones; None where :func:`high_impedance_type` has none."""
    kind = high_impedance_type(network, element)
    if kind is None:
        return None
    bank = _bank(network, element)
    sn, vk, count = float(kind["sn_mva"]), float(kind["vk_percent"]), len(bank.units)
    levels = f"{bank.hv:g}/{bank.lv:g} kV {sn:g} MVA"
    zh = f"{bank.zh}{count}台主变更换为{levels}高阻抗变压器（短路阻抗{vk:g}%）"
    en = f"{count} transformer(s) at {bank.en} replaced by {levels} of high impedance ({vk:g} %)"
    return _unit_offer(bank, zh, en, sn * count, {"s_mva": 0.0, "type_name": str(kind.name), "count": count})

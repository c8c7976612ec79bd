"""How many MW a bus takes until a breaker within reach is at its limit, for plants behind full converters.

A full converter is a current source in a fault (IEC 60909-0:2016), so currents follow from the impedance matrix by
superposition and the largest plant is a root, not a search::

    |I"k_i + (Z_ij / Z_ii) k S / (sqrt3 U_n)| = share x breaker rating      S = P / power factor

Sources that the case says nothing of are never counted as room: the answer is then *unknown*, with what is missing,
beside an indicative figure on the standard assumptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grid.model.contracts import BusBranch
from grid.standards_tables import standard_table
from grid.studies.short_circuit import rows_of_buses
from grid.studies.short_circuit_assumptions import ShortCircuitOptions, fault_rules, nearest_level
from grid.studies.short_circuit_data import FaultData, fault_data
from grid.studies.short_circuit_room import FAULTS, FirstBreakers, first_breakers
from layers.contracts import Finding, InputError
from layers.tables import Table, column

STATUS = ("limited", "exceeded", "unknown")

FAULT_HEADROOM = Table(
    "fault_headroom",
    "Largest new plant behind a full converter until some breaker is at its limit, one row a bus asked for.",
    {
        "bus": column(int, "", "bus of the new plant", unique=True),
        "name": column(str, "", "the source's name"),
        "vn_kv": column(float, "kV", "base voltage"),
        "status": column(str, "", "limited; exceeded (at its limit with nothing added); unknown (see missing)",
                         isin=STATUS),
        "headroom_mw": column(float, "MW", "largest plant; NaN where unknown", nullable=True, ge=0),
        "indicative_mw": column(float, "MW", "the same on the standard assumptions; NaN where not even these tell",
                                nullable=True, ge=0),
        "binding_bus": column(int, "", "bus whose breaker is the first at its limit; -1 none"),
        "binding_vn_kv": column(float, "kV", "its voltage level", nullable=True),
        "binding_fault": column(str, "", "3ph or 1ph; empty none"),
        "present_ka": column(float, "kA", "current there before", nullable=True),
        "limit_ka": column(float, "kA", "limit there", nullable=True),
        "breaker_ka": column(float, "kA", "breaker rating there", nullable=True),
        "margin_ka": column(float, "kA", "limit less present current; negative where exceeded", nullable=True),
        "rule": column(str, "", "limit in words, with its source"),
        "unrated_in_reach": column(int, "", "buses within reach whose breakers have no rating", ge=0),
        "missing": column(str, "", "what the answer lacks; empty where nothing"),
        "confidence": column(str, "", "lowest of k, breaker rating and sources", isin=("A", "B", "C")),
    },
)  # fmt: skip


@dataclass(frozen=True)
class NewConverter:
    """The plant to come. ``k`` None takes the technology's row of ``standards/short_circuit_sources.csv``."""

    technology: str = "pv"
    k: float | None = None
    power_factor: float = 0.95
    """Active power at full output over the converter's rating (GB/T 19964-2024: 0.95 either way; B)."""


@dataclass(frozen=True)
class ConverterFigures:
    """k in force and its confidence; A where the user gave it."""

    k: float
    confidence: str


def converter_figures(plant: NewConverter) -> ConverterFigures:
    """Short-circuit over rated current of a plant.

    Raises
    ------
    InputError
        If the technology has no converter in the standard table, or a number is out of its range.
    """
    table = standard_table("short_circuit_sources")
    known = table[table["kind"] == "converter"].set_index("fuel")
    found = []
    if plant.k is None and plant.technology not in known.index:
        found.append(_fault("technology", plant.technology, f"Use one of {', '.join(known.index)}, or give k."))
    if plant.k is not None and not (np.isfinite(plant.k) and plant.k > 0):
        found.append(_fault("k", f"{plant.k:g}", "Give a number above 0."))
    if not 0 < plant.power_factor <= 1:
        found.append(_fault("power_factor", f"{plant.power_factor:g}", "Give a number above 0, at most 1."))
    if found:
        raise InputError(found)
    if plant.k is not None:
        return ConverterFigures(plant.k, "A")
    row = known.loc[plant.technology]
    return ConverterFigures(float(row["k"]), str(row["confidence"]))


def fault_headroom(
    case: BusBranch,
    buses: Sequence[int] | None = None,
    plant: NewConverter | None = None,
    limit_share: float | None = None,
    reach_share: float = 0.05,
    accept_assumed: bool = False,
    worsen_share: float = 0.0,
    options: ShortCircuitOptions | None = None,
) -> pd.DataFrame:
    """Short-circuit headroom of buses, one plant at a time.

    Parameters
    ----------
    case
        Any case as it stands; its load flow is not needed.
    buses
        Bus ids; all by default.
    plant
        What is to be connected; photovoltaics by default.
    limit_share
        Share of a breaker's rating that a current may reach, by default where red begins (0.95; the rule is 0.9 to
        0.95).
    reach_share
        A bus is within reach if a fault there draws at least this share of the plant's own current.
    accept_assumed
        Count outside equivalents of unknown short-circuit power as the standard tables assume them, and leave out
        plants of unknown rating. Otherwise such a case is *unknown*.
    worsen_share
        By how much of its rating a breaker that is beyond its limit with nothing added may get worse (0.01 is what
        capacity studies tolerate); with 0 it leaves no room to any plant within reach.
    options
        What is known beyond the case: breaker ratings, short-circuit power of equivalents, machine data.

    Returns
    -------
    DataFrame
        Table :data:`FAULT_HEADROOM`.

    Raises
    ------
    InputError
        If the case or an option is broken, or a bus is not in the case.
    """
    chosen, new = options or ShortCircuitOptions(), plant or NewConverter()
    figures = converter_figures(new)
    data = fault_data(case, chosen)
    rows = rows_of_buses(data, buses)
    share = fault_rules()["red_from"] if limit_share is None else limit_share
    found = first_breakers(data, rows, figures.k, share, reach_share, worsen_share)
    some, at = found.at >= 0, np.maximum(found.at, 0)
    present = np.stack([found.present_ka(n) for n in range(len(FAULTS))])[found.fault, at]
    missing = _missing(data, found, accept_assumed)
    unknown = np.array([bool(text) for text in missing])
    indicative = found.rating_mva * new.power_factor
    told = data.arrays.case.buses
    vn, limit = told["vn_kv"].to_numpy(float), found.limit_ka[at]
    status = np.where(unknown, "unknown", np.where(indicative > 0, "limited", "exceeded"))
    rated, pairs = _breaker_confidence(data, chosen), list(zip(at, some, strict=True))
    table = pd.DataFrame({
        "bus": data.arrays.bus_ids[rows],
        "name": told["name"].to_numpy()[rows],
        "vn_kv": vn[rows],
        "status": status.astype(object),
        "headroom_mw": np.where(unknown, np.nan, indicative),
        "indicative_mw": indicative,
        "binding_bus": np.where(some, data.arrays.bus_ids[at], -1),
        "binding_vn_kv": np.where(some, vn[at], np.nan),
        "binding_fault": np.where(some, np.array(FAULTS, dtype=object)[found.fault], ""),
        "present_ka": np.where(some, present, np.nan),
        "limit_ka": np.where(some, limit, np.nan),
        "breaker_ka": np.where(some, data.breaker_ka[at], np.nan),
        "margin_ka": np.where(some, limit - present, np.nan),
        "rule": [_rule(vn[b], data.breaker_ka[b], found.limit_ka[b], share, rated[b]) if s else "" for b, s in pairs],
        "unrated_in_reach": found.unrated,
        "missing": missing,
        "confidence": [_confidence(data, figures, rated[b] if s else "B") for b, s in pairs],
    })  # fmt: skip
    return FAULT_HEADROOM.validate(table)


def _missing(data: FaultData, found: FirstBreakers, accept_assumed: bool) -> list[str]:
    """What keeps each bus from an answer."""
    sources = "" if accept_assumed or not data.unknown_sources else (
        "short-circuit power (infeed_s_sc_mva) or rating (sn_mva) of "
        + _some(data.unknown_sources)
    )  # fmt: skip
    texts = []
    for fed, at in zip(found.fed, found.at, strict=True):
        parts = [] if fed else ["a source that feeds the bus"]
        if fed and at < 0:
            parts.append("a breaker rating (breaker_ka) of any bus within reach")
        texts.append("; ".join([*parts, *([sources] if sources else [])]))
    return texts


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _breaker_confidence(data: FaultData, options: ShortCircuitOptions) -> list[str]:
    """A where the user gave the rating of a bus row, else the confidence of its planning level."""
    table = standard_table("short_circuit")
    level = nearest_level(data.arrays.case.buses["vn_kv"].to_numpy(float), table["vn_kv"].to_numpy(float))
    listed = table["confidence"].astype(str).to_numpy()[np.maximum(level, 0)]
    given = np.isin(data.arrays.bus_ids, list(options.breaker_ka))
    return ["A" if own else str(c) for own, c in zip(given, listed, strict=True)]


def _rule(vn_kv: float, breaker_ka: float, limit_ka: float, share: float, confidence: str) -> str:
    source = "as given" if confidence == "A" else f"planning level, confidence {confidence}"
    if limit_ka > share * breaker_ka * (1 + 1e-12):
        return f'I"k <= {limit_ka:.4g} kA at {vn_kv:g} kV (beyond {share:g} x {breaker_ka:g} kA already; {source})'
    return f'I"k <= {share:g} x {breaker_ka:g} kA at {vn_kv:g} kV ({source})'


def _confidence(data: FaultData, figures: ConverterFigures, rated: str) -> str:
    """C as soon as any source is an assumption of this confidence."""
    assumed = any(f.rule in _ASSUMED_SOURCES for f in data.findings)
    return max(figures.confidence, rated, "C" if assumed else "A")


_ASSUMED_SOURCES = tuple(
    f"short_circuit.{name}"
    for name in ("no_rating", "rating_by_power", "rating_below_power", "rating_by_reactive_power", "infeed", "k",
                 "xdss", "step_up", "transformer_rating")
)  # fmt: skip


def _fault(item: str, value: str, remedy: str) -> Finding:
    return Finding("error", f"fault_headroom.{item}", "", "plant", item, value, "The value is not possible.", remedy)

"""One bus-branch model for every transmission case, whatever format it came in.

::

      generator  load      hvdc                 f o--o (ratio, shift) --+--[ r + jx ]--+--o t
          |       ^         |                     |                     |              |   |
          v       |         v                 g,b_from            (g + jb)/2     (g + jb)/2  g,b_to
    ------+-------+---------+------ bus           |                     |              |   |
                  |  shunt                       ===                   ===            ===  ===

Signs
-----
* A generator's ``p_mw`` and ``q_mvar`` are produced, a load's are consumed. What is called an *injection* (HVDC ends,
  and everything :mod:`grid.model.arrays` computes) is positive into the network. ``injections`` there is the only
  place where the two meet.
* A shunt's ``g_mw`` is consumed and its ``b_mvar`` produced at 1 pu (capacitor positive), as in MATPOWER and PSS/E.
* Branch flows are into the branch at the named end. The ideal transformer stands at the from end with the turns
  ``ratio`` : 1 and delays the to end by ``shift_degree`` (from leads); the impedance stands on the to side.
* All per-unit values are on ``base_mva`` and the bus voltages. Every circuit and every unit is a row of its own.

Numbers are floats everywhere but in ids and counts (an integer column would silently cut a solved power). NaN
means that the source does not say; a rating that is NaN is no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from layers.contracts import Finding
from layers.tables import Table, column

FUELS = ("coal", "gas", "hydro", "pumped", "nuclear", "wind", "pv", "biomass", "storage", "infeed", "other")
BUS_KINDS = ("pq", "pv", "ref", "isolated")

CASE_BUSES = Table(
    "case_buses",
    "Electrical nodes.",
    {
        "bus_id": column(int, "", "the source's own bus number, or one given by the reader", unique=True),
        "name": column(str, "", "the source's name"),
        "vn_kv": column(float, "kV", "base voltage", gt=0),
        "kind": column(str, "", "pq, pv (a generator holds the voltage), ref (angle reference), isolated (out)",
                       isin=BUS_KINDS),
        "area": column(int, "", "area number; 0 unknown"),
        "zone": column(int, "", "zone number; 0 unknown"),
        "vm_min_pu": column(float, "pu", "lower operating limit", nullable=True),
        "vm_max_pu": column(float, "pu", "upper operating limit", nullable=True),
        "gs_mw": column(float, "MW", "shunt conductance: consumed at 1 pu"),
        "bs_mvar": column(float, "Mvar", "shunt susceptance: produced at 1 pu"),
        "vm_pu": column(float, "pu", "stored state, the warm start", nullable=True),
        "va_degree": column(float, "degree", "stored state; at a reference the angle that is held", nullable=True),
        "lon": column(float, "degree", "WGS-84", nullable=True),
        "lat": column(float, "degree", "WGS-84", nullable=True),
        "station": column(str, "", "substation; empty unknown"),
        "is_star": column(bool, "", "fictitious: star point of a three-winding unit or open end of a line"),
    },
)  # fmt: skip

CASE_LOADS = Table(
    "case_loads",
    "Loads; the parts of constant power, current and admittance add up (the latter two at 1 pu).",
    {
        "load_id": column(str, "", "stable id", unique=True),
        "bus_id": column(int, "", "bus"),
        "p_mw": column(float, "MW", "constant power, consumed"),
        "q_mvar": column(float, "Mvar", "constant power, consumed"),
        "p_i_mw": column(float, "MW", "constant current part, consumed at 1 pu"),
        "q_i_mvar": column(float, "Mvar", "constant current part, consumed at 1 pu"),
        "p_z_mw": column(float, "MW", "constant admittance part, consumed at 1 pu"),
        "q_z_mvar": column(float, "Mvar", "constant admittance part, consumed at 1 pu"),
        "in_service": column(bool, "", "connected"),
        "name": column(str, "", "the source's name"),
    },
)

CASE_GENERATORS = Table(
    "case_generators",
    "Generators, static generators, storage that feeds, and equivalents of outside networks.",
    {
        "generator_id": column(str, "", "stable id", unique=True),
        "bus_id": column(int, "", "bus"),
        "p_mw": column(float, "MW", "produced (storage that charges: negative)"),
        "q_mvar": column(float, "Mvar", "produced; the start where the voltage is held"),
        "q_min_mvar": column(float, "Mvar", "lower limit; -inf none"),
        "q_max_mvar": column(float, "Mvar", "upper limit; inf none"),
        "control": column(str, "", "voltage (holds vm_pu at the regulated bus) or power", isin=("voltage", "power")),
        "vm_pu": column(float, "pu", "set point", nullable=True),
        "regulated_bus_id": column(int, "", "bus whose voltage is held, mostly its own"),
        "p_min_mw": column(float, "MW", "lower limit; -inf or NaN none", nullable=True),
        "p_max_mw": column(float, "MW", "upper limit; inf or NaN none", nullable=True),
        "sn_mva": column(float, "MVA", "machine base", nullable=True),
        "slack_weight": column(float, "", "share of the slack power; 0 none", ge=0),
        "fuel": column(str, "", "class of the plant", isin=FUELS),
        "in_service": column(bool, "", "running"),
        "name": column(str, "", "the source's name"),
    },
)

CASE_BRANCHES = Table(
    "case_branches",
    "Lines and two-winding transformers, one row a circuit or unit; r = x = 0 is a closed tie that joins its buses.",
    {
        "branch_id": column(str, "", "stable id", unique=True),
        "name": column(str, "", "the source's name"),
        "circuit": column(str, "", "the source's circuit number"),
        "kind": column(str, "", "line or transformer", isin=("line", "transformer")),
        "from_bus": column(int, "", "bus; a transformer's tapped side"),
        "to_bus": column(int, "", "bus"),
        "r_pu": column(float, "pu", "series resistance"),
        "x_pu": column(float, "pu", "series reactance"),
        "g_pu": column(float, "pu", "total shunt conductance, half at each end inside the ratio"),
        "b_pu": column(float, "pu", "total charging susceptance, half at each end inside the ratio"),
        "g_from_pu": column(float, "pu", "further shunt at the from bus, outside the ratio (PSS/E magnetising)"),
        "b_from_pu": column(float, "pu", "further shunt at the from bus, outside the ratio"),
        "g_to_pu": column(float, "pu", "further shunt at the to bus"),
        "b_to_pu": column(float, "pu", "further shunt at the to bus"),
        "ratio": column(float, "", "turns ratio at the from end; 1 is nominal", gt=0),
        "shift_degree": column(float, "degree", "the to end lags by this"),
        "rating_a_mva": column(float, "MVA", "continuous rating; NaN unlimited or unknown", nullable=True),
        "rating_b_mva": column(float, "MVA", "long-term emergency rating", nullable=True),
        "rating_c_mva": column(float, "MVA", "short-term emergency rating", nullable=True),
        "in_service": column(bool, "", "closed at both ends"),
        "length_km": column(float, "km", "length; NaN unknown", nullable=True),
        "tap_control": column(str, "", "none, or voltage: an outer loop moves the tap", isin=("none", "voltage")),
        "controlled_bus_id": column(int, "", "bus whose voltage the tap holds; meaningless without tap control"),
        "ratio_min": column(float, "", "lowest ratio of the tap changer; NaN none", nullable=True),
        "ratio_max": column(float, "", "highest ratio of the tap changer; NaN none", nullable=True),
        "tap_positions": column(int, "", "positions from ratio_min to ratio_max in equal steps; 0 none", ge=0),
        "vm_target_pu": column(float, "pu", "middle of the voltage band the tap keeps", nullable=True),
        "vm_band_pu": column(float, "pu", "half width of that band", nullable=True),
        "transformer_id": column(str, "", "three-winding unit this is a winding of; empty otherwise"),
    },
)

CASE_THREE_WINDING = Table(
    "case_three_winding",
    "Three-winding transformers as read; impedances of pairs on base_mva and the windings' rated voltages.",
    {
        "transformer_id": column(str, "", "stable id", unique=True),
        "name": column(str, "", "the source's name"),
        **{f"bus_{k}": column(int, "", f"bus of winding {k}") for k in (1, 2, 3)},
        **{f"{q}_{pair}_pu": column(float, "pu", f"{word} between windings {pair[0]} and {pair[1]}")
           for pair in ("12", "23", "31") for q, word in (("r", "resistance"), ("x", "reactance"))},
        "g_mag_pu": column(float, "pu", "magnetising conductance on base_mva"),
        "b_mag_pu": column(float, "pu", "magnetising susceptance on base_mva (negative: inductive)"),
        "magnetising": column(str, "", "bus: at the bus of winding 1 (PSS/E); t: in the middle of winding 1's leakage",
                              isin=("bus", "t")),
        **{f"ratio_{k}": column(float, "", f"turns ratio of winding {k} with its tap; 1 is nominal", gt=0)
           for k in (1, 2, 3)},
        **{f"shift_{k}_degree": column(float, "degree", f"the star point lags bus {k} by this") for k in (1, 2, 3)},
        **{f"rating_{k}_mva": column(float, "MVA", f"continuous rating of winding {k}", nullable=True)
           for k in (1, 2, 3)},
        **{f"in_service_{k}": column(bool, "", f"winding {k} is closed") for k in (1, 2, 3)},
        "vm_star_pu": column(float, "pu", "stored state of the star point", nullable=True),
        "va_star_degree": column(float, "degree", "stored state of the star point", nullable=True),
    },
)  # fmt: skip

CASE_SHUNTS = Table(
    "case_shunts",
    "Shunts beyond those of the bus table, fixed or switched.",
    {
        "shunt_id": column(str, "", "stable id", unique=True),
        "bus_id": column(int, "", "bus"),
        "g_mw": column(float, "MW", "consumed at 1 pu"),
        "b_mvar": column(float, "Mvar", "produced at 1 pu, as switched now"),
        "control": column(str, "", "fixed; discrete (steps); continuous (between the steps' extremes)",
                          isin=("fixed", "discrete", "continuous")),
        "regulated_bus_id": column(int, "", "bus whose voltage band is kept"),
        "vm_min_pu": column(float, "pu", "lower end of the band", nullable=True),
        "vm_max_pu": column(float, "pu", "upper end of the band", nullable=True),
        "in_service": column(bool, "", "connected"),
        "name": column(str, "", "the source's name"),
    },
)  # fmt: skip

CASE_SHUNT_STEPS = Table(
    "case_shunt_steps",
    "Blocks of the switched shunts, switched in this order from zero: capacitors upward, reactors downward.",
    {
        "shunt_id": column(str, "", "shunt"),
        "block": column(int, "", "order", ge=1),
        "count": column(int, "", "equal steps of the block", ge=0),
        "b_mvar": column(float, "Mvar", "of one step at 1 pu"),
    },
)

CASE_HVDC = Table(
    "case_hvdc",
    "Direct-current links as what they inject at both ends; an end outside the model is bus -1 and counts nothing.",
    {
        "hvdc_id": column(str, "", "stable id", unique=True),
        "name": column(str, "", "the source's name"),
        "from_bus": column(int, "", "rectifier's bus; -1 outside"),
        "to_bus": column(int, "", "inverter's bus; -1 outside"),
        "p_from_mw": column(float, "MW", "injected into the network at from_bus (a sending end: negative)"),
        "q_from_mvar": column(float, "Mvar", "injected at from_bus"),
        "p_to_mw": column(float, "MW", "injected at to_bus (a receiving end: positive)"),
        "q_to_mvar": column(float, "Mvar", "injected at to_bus"),
        "in_service": column(bool, "", "running"),
    },
)

LOSSES = Table(
    "losses",
    "What a reader or writer defaulted, converted or dropped.",
    {
        "element": column(str, "", "table and id in the source, e.g. branch 17"),
        "field": column(str, "", "field of the source"),
        "action": column(str, "", "what happened", isin=("defaulted", "converted", "dropped")),
        "value": column(str, "", "the value concerned"),
        "remedy": column(str, "", "what to do if it matters"),
    },
)

CASE_TABLES: Mapping[str, Table] = {
    "buses": CASE_BUSES,
    "loads": CASE_LOADS,
    "generators": CASE_GENERATORS,
    "branches": CASE_BRANCHES,
    "three_winding": CASE_THREE_WINDING,
    "shunts": CASE_SHUNTS,
    "shunt_steps": CASE_SHUNT_STEPS,
    "hvdc": CASE_HVDC,
}
"""Attribute of :class:`BusBranch` -> its promise."""

_NAN = float("nan")
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "case_buses": {
        "name": "", "kind": "pq", "area": 0, "zone": 0, "vm_min_pu": _NAN, "vm_max_pu": _NAN, "gs_mw": 0.0,
        "bs_mvar": 0.0, "vm_pu": _NAN, "va_degree": _NAN, "lon": _NAN, "lat": _NAN, "station": "", "is_star": False,
    },
    "case_loads": {
        "p_i_mw": 0.0, "q_i_mvar": 0.0, "p_z_mw": 0.0, "q_z_mvar": 0.0, "in_service": True, "name": "",
    },
    "case_generators": {
        "q_mvar": 0.0, "q_min_mvar": -np.inf, "q_max_mvar": np.inf, "control": "voltage", "vm_pu": _NAN,
        "regulated_bus_id": "=bus_id", "p_min_mw": _NAN, "p_max_mw": _NAN, "sn_mva": _NAN, "slack_weight": 0.0,
        "fuel": "other", "in_service": True, "name": "",
    },
    "case_branches": {
        "name": "", "circuit": "1", "g_pu": 0.0, "b_pu": 0.0, "g_from_pu": 0.0, "b_from_pu": 0.0, "g_to_pu": 0.0,
        "b_to_pu": 0.0, "ratio": 1.0, "shift_degree": 0.0, "rating_a_mva": _NAN, "rating_b_mva": _NAN,
        "rating_c_mva": _NAN, "in_service": True, "length_km": _NAN, "tap_control": "none",
        "controlled_bus_id": "=to_bus", "ratio_min": _NAN, "ratio_max": _NAN, "tap_positions": 0,
        "vm_target_pu": _NAN, "vm_band_pu": _NAN, "transformer_id": "",
    },
    "case_three_winding": {
        "name": "", "g_mag_pu": 0.0, "b_mag_pu": 0.0, "magnetising": "bus", "ratio_1": 1.0, "ratio_2": 1.0,
        "ratio_3": 1.0, "shift_1_degree": 0.0, "shift_2_degree": 0.0, "shift_3_degree": 0.0, "rating_1_mva": _NAN,
        "rating_2_mva": _NAN, "rating_3_mva": _NAN, "in_service_1": True, "in_service_2": True, "in_service_3": True,
        "vm_star_pu": _NAN, "va_star_degree": _NAN,
    },
    "case_shunts": {
        "g_mw": 0.0, "control": "fixed", "regulated_bus_id": "=bus_id", "vm_min_pu": _NAN, "vm_max_pu": _NAN,
        "in_service": True, "name": "",
    },
    "case_shunt_steps": {},
    "case_hvdc": {"name": "", "in_service": True},
}  # fmt: skip
"""What :func:`fill` takes for a column that is not given; ``=other`` copies another column."""


def fill(table: Table, values: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of ``table`` in its column order and types; absent columns take :data:`DEFAULTS`.

    Parameters
    ----------
    values
        Arrays of one length by column name. Scalars are repeated only beside at least one array.

    Raises
    ------
    KeyError
        If a column without default is absent, or a name is not promised.
    """
    unknown = sorted(set(values) - set(table.columns))
    if unknown:
        raise KeyError(f"{table.name} has no column {', '.join(unknown)}")
    lengths = {len(v) for v in values.values() if not np.isscalar(v)}
    if len(lengths) != 1:
        raise ValueError(f"{table.name}: columns of different or unknown length {sorted(lengths)}")
    n = lengths.pop()
    defaults = DEFAULTS[table.name]
    columns: dict[str, Any] = {}
    for name, promise in table.columns.items():
        value = values[name] if name in values else defaults[name]
        if isinstance(value, str) and value.startswith("=") and name not in values:
            value = values[value[1:]]
        dtype: Any = object if promise.dtype in (str, None) else promise.dtype
        if np.isscalar(value):
            columns[name] = pd.Series(np.full(n, value, dtype=dtype), dtype=dtype)
        else:
            columns[name] = pd.Series(list(value) if dtype is object else np.asarray(value), dtype=dtype)
    return pd.DataFrame(columns)


@dataclass(frozen=True, order=True)
class LossItem:
    """One field of one element that a reader or writer defaulted, converted or dropped."""

    element: str
    field: str
    action: Literal["defaulted", "converted", "dropped"]
    value: str
    remedy: str


@dataclass(frozen=True)
class Source:
    """Where a case is from. ``shown_path`` is what people see; ``sha256`` is of the file, empty if there is none."""

    format: str
    version: str = ""
    shown_path: str = ""
    sha256: str = ""
    title: str = ""


@dataclass(frozen=True)
class BusBranch:
    """A transmission case as tables; see the module's head for signs. ``losses`` says what the reading cost."""

    name: str
    base_mva: float
    buses: pd.DataFrame
    loads: pd.DataFrame
    generators: pd.DataFrame
    branches: pd.DataFrame
    three_winding: pd.DataFrame
    shunts: pd.DataFrame
    shunt_steps: pd.DataFrame
    hvdc: pd.DataFrame
    source: Source
    frequency_hz: float = 50.0
    losses: tuple[LossItem, ...] = ()

    def validate(self) -> BusBranch:
        """Return the case unchanged, or raise ``ContractError`` naming every broken promise of one table."""
        for attribute, table in CASE_TABLES.items():
            table.validate(getattr(self, attribute))
        return self

    def with_losses(self, losses: Iterable[LossItem]) -> BusBranch:
        return replace(self, losses=(*self.losses, *losses))


def make_case(
    name: str,
    base_mva: float,
    source: Source,
    tables: Mapping[str, Mapping[str, Any] | pd.DataFrame],
    frequency_hz: float = 50.0,
    losses: Iterable[LossItem] = (),
) -> BusBranch:
    """A case out of columns by table; absent tables are empty, absent columns take their defaults."""
    frames: dict[str, pd.DataFrame] = {}
    for attribute, table in CASE_TABLES.items():
        given = tables.get(attribute)
        if isinstance(given, pd.DataFrame):
            frames[attribute] = given.reset_index(drop=True)
        else:
            frames[attribute] = fill(table, given) if given else table.empty()
    return BusBranch(
        name=name,
        base_mva=float(base_mva),
        source=source,
        frequency_hz=float(frequency_hz),
        losses=tuple(losses),
        **frames,
    )


def loss_table(case: BusBranch) -> pd.DataFrame:
    """The losses as table :data:`LOSSES`, in the order they were noted."""
    rows = [(x.element, x.field, x.action, x.value, x.remedy) for x in case.losses]
    return pd.DataFrame(rows, columns=list(LOSSES.columns)) if rows else LOSSES.empty()


def loss_findings(case: BusBranch) -> list[Finding]:
    """The losses as findings (severity note), for one list of everything worth knowing about a file."""
    return [
        Finding(
            "note",
            f"{case.source.format}.{loss.action}",
            case.source.shown_path,
            loss.element,
            loss.field,
            loss.value,
            f"The field was {loss.action} in reading.",
            loss.remedy,
        )
        for loss in case.losses
    ]

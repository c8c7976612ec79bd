"""Standard data of the network as tables: conductors, line types, transformers, limits, costs.

The data are CSV files in ``grid/standards``; every row has a ``source``, an ``edition`` (empty where the source
has none) and a ``confidence``: A read in the source, B recalled content of the source, C engineering range.
Adding a conductor or a type is a row, not code.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

STANDARDS_FOLDER = Path(__file__).with_name("standards")
TABLE_NAMES = (
    "conductors",
    "line_types",
    "transformers",
    "voltage_limits",
    "capacity_load_ratio",
    "connection_voltage",
    "unit_costs",
    "short_circuit",
    "seasons",
    "terrain_factors",
)


_TEXT_COLUMNS = ("source", "edition", "confidence", "item", "note")


@cache
def _read(name: str) -> pd.DataFrame:
    path = STANDARDS_FOLDER / f"{name}.csv"
    return pd.read_csv(path, dtype=dict.fromkeys(_TEXT_COLUMNS, "str"), keep_default_na=False, encoding="utf-8")


def standard_table(name: str) -> pd.DataFrame:
    """A fresh copy of one standard table, in file order with a range index.

    Parameters
    ----------
    name : str
        One of :data:`TABLE_NAMES`.

    Raises
    ------
    KeyError
        If there is no such table.
    """
    if name not in TABLE_NAMES:
        raise KeyError(f"no standard table {name!r}; there are {', '.join(TABLE_NAMES)}")
    return _read(name).copy()


def conductors() -> pd.DataFrame:
    """Conductors by name: ``diameter_mm``, ``r20_ohm_per_km`` (DC)."""
    return standard_table("conductors").set_index("conductor")


def line_types() -> pd.DataFrame:
    """Line types by name, as the file has them: conductor, bundle and geometry. See ``grid.line_parameters``
    for the electrical parameters, which follow from the geometry."""
    return standard_table("line_types").set_index("line_type")


def transformer_types() -> pd.DataFrame:
    """Two-winding transformer types by name; ``vk_percent`` on the unit's own ``sn_mva``."""
    return standard_table("transformers").set_index("transformer_type")


def transformer_types_between(hv_kv: float, lv_kv: float) -> pd.DataFrame:
    """Types that join two levels, smallest rating first.

    Raises
    ------
    KeyError
        If no type joins the two levels.
    """
    types = transformer_types()
    found = types[(types["hv_kv"] == hv_kv) & (types["lv_kv"] == lv_kv)].sort_values("sn_mva")
    if found.empty:
        raise KeyError(f"no transformer type joins {hv_kv:g} and {lv_kv:g} kV")
    return found


@cache
def voltage_band(vn_kv: float, condition: str = "normal") -> tuple[float, float]:
    """Lower and upper voltage limit [pu] of a level; ``condition`` is normal, post_fault or fixed_tap.

    A level between the listed ones takes the limits of the next listed level below; above 500 kV those of
    500 kV, below 10 kV those of 10 kV.

    Raises
    ------
    KeyError
        If the condition is not listed for that level.
    """
    table = standard_table("voltage_limits")
    levels = sorted(table["vn_kv"].unique())
    level = max((v for v in levels if v <= vn_kv), default=levels[0])
    row = table[(table["vn_kv"] == level) & (table["condition"] == condition)]
    if row.empty:
        raise KeyError(f"no {condition} voltage band for {level:g} kV")
    return float(row["vm_min_pu"].iloc[0]), float(row["vm_max_pu"].iloc[0])


def capacity_load_ratio(vn_kv: float, growth_percent: float, source: str = "Q/GDW 156") -> tuple[float, float]:
    """Band of installed transformer MVA per coincident peak MW of a level (rong zai bi).

    Parameters
    ----------
    vn_kv : float
        High-side level of the transformers: 500, 220 or 110.
    growth_percent : float
        Yearly growth of the load [%]; a value on the border belongs to the lower band.
    source : str
        Beginning of the rule's name in ``capacity_load_ratio.csv``.
    """
    table = standard_table("capacity_load_ratio")
    chosen = table[
        (table["vn_kv"] == vn_kv)
        & table["source"].str.startswith(source)
        & (table["growth_max_percent"] >= growth_percent)
    ].sort_values("growth_max_percent")
    if chosen.empty:
        raise KeyError(f"no capacity-load ratio for {vn_kv:g} kV in {source}")
    return float(chosen["ratio_min"].iloc[0]), float(chosen["ratio_max"].iloc[0])

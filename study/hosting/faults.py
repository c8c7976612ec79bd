"""Short circuit of ``fengguang hosting``: the largest plant that some breaker within reach still allows, by bus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.capacity.fault_headroom import NewConverter, fault_headroom
from grid.model.contracts import BusBranch

Floats = npt.NDArray[np.float64]


def short_circuit_table(cases: Iterable[BusBranch], buses: Sequence[int], plant: NewConverter) -> pd.DataFrame:
    """Worst of the cases, one row a bus: what binds, or what an answer lacks.

    Returns
    -------
    DataFrame
        By bus id: ``short_circuit_mw`` (NaN unless known in every case), ``short_circuit_bus`` (-1: none),
        ``short_circuit_status``, ``short_circuit_missing`` and ``short_circuit_rule``.
    """
    long = pd.concat([fault_headroom(case, buses, plant) for case in cases], ignore_index=True)
    unknown = long["status"] == "unknown"
    long = long.assign(place=np.where(unknown, -1.0, long["headroom_mw"].fillna(0.0)))  # unknown anywhere is unknown
    worst = long.sort_values("place", kind="stable").drop_duplicates("bus").set_index("bus").reindex(list(buses))
    return pd.DataFrame({
        "short_circuit_mw": worst["headroom_mw"],
        "short_circuit_bus": worst["binding_bus"].where(worst["status"] != "unknown", -1).astype(int),
        "short_circuit_status": worst["status"],
        "short_circuit_missing": worst["missing"],
        "short_circuit_rule": worst["rule"].where(worst["status"] != "unknown", ""),
    })  # fmt: skip


def with_short_circuit(buses: pd.DataFrame, faults: pd.DataFrame) -> pd.DataFrame:
    """The table of buses with these columns; firm figures are lowered where the status is known.

    Parameters
    ----------
    buses : DataFrame
        Table :data:`grid.capacity.contracts.CAPACITY_BUSES`.
    faults : DataFrame
        Of :func:`short_circuit_table`.
    """
    table = buses.copy()
    rows = faults.reindex(table["bus_id"]).reset_index(drop=True)
    most = most_by_faults(rows)
    firm = table["firm_n1_mw"].fillna(table["firm_n0_mw"]).to_numpy(float)
    before = [told_binding(row, mw) for row, mw in zip(table.to_dict("records"), firm, strict=True)]
    lower = most < firm
    place = rows["short_circuit_bus"].astype(str).to_numpy(object)
    new = {"next_binding": before, "binding_limit": "short_circuit", "binding_outage": "", "binding_element": place}
    for name, values in new.items():
        table[name] = np.where(lower, np.asarray(values, dtype=object), table[name])
    for name in ("firm_n0_mw", "firm_n1_mw"):
        table[name] = np.minimum(table[name], np.floor(most * 100 + 1e-6) / 100)  # NaN stays NaN
    return pd.concat([table, rows.set_axis(table.index)], axis=1)


def most_by_faults(faults: pd.DataFrame) -> Floats:
    """Largest plant [MW]; inf where the status is unknown, which is no promise of room, but no limit either."""
    known = faults["short_circuit_status"] != "unknown"
    return np.asarray(faults["short_circuit_mw"].where(known, np.inf), dtype=np.float64)


def told_binding(row: dict[Any, Any], capacity_mw: float) -> str:
    """What bound so far, in the words of ``next_binding``."""
    where = f" after {row['binding_outage']}" if row["binding_outage"] else ""
    return f"{row['binding_limit']} {row['binding_element']}{where} at {capacity_mw:.1f} MW"

"""Rows by table while a pandapower net is read, and what every element's reading needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grid.model.contracts import FUELS, LossItem

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

Record = dict[str, Any]


class Draft:
    """Rows by table while a net is read; auxiliary buses are numbered above the net's own."""

    def __init__(self, net: pandapowerNet) -> None:
        self.net = net
        self.base = float(net.sn_mva)
        own = "bus_id" in net.bus and net.bus["bus_id"].notna().all() and net.bus["bus_id"].is_unique
        numbers = net.bus["bus_id"] if own else pd.Series(net.bus.index, index=net.bus.index)
        self.number: dict[int, int] = {int(i): int(n) for i, n in zip(net.bus.index, numbers, strict=True)}
        self.vn = {int(i): float(v) for i, v in zip(net.bus.index, net.bus["vn_kv"], strict=True)}
        self.off = {int(i) for i, on in zip(net.bus.index, net.bus["in_service"], strict=True) if not on}
        self.next_bus = max(self.number.values(), default=0) + 1
        self.rows: dict[str, list[Record]] = {
            name: [] for name in ("buses", "loads", "generators", "branches", "three_winding", "shunts")
        }
        self.losses: list[LossItem] = []
        self.reference_angle: dict[int, float] = {}

    def note(self, element: str, field: str, action: Any, value: Any, remedy: str = "") -> None:
        self.losses.append(LossItem(element, field, action, str(value), remedy))

    def auxiliary_bus(self, name: str, vn_kv: float, kind: str = "pq") -> int:
        number, self.next_bus = self.next_bus, self.next_bus + 1
        self.rows["buses"].append({"bus_id": number, "name": name, "vn_kv": vn_kv, "kind": kind, "is_star": True})
        return number


def records(net: pandapowerNet, table: str) -> Iterator[tuple[int, Record]]:
    """Index and row of a table of the net, in order; nothing where the table is absent."""
    if table in net and len(net[table]):
        for index, row in zip(net[table].index, net[table].to_dict("records"), strict=True):
            yield int(index), row


def known(value: Any) -> bool:
    """Whether a cell holds something."""
    return value is not None and not (isinstance(value, float) and np.isnan(value)) and value is not pd.NA


def number_of(row: Record, name: str, default: float = np.nan) -> float:
    """A cell as float; the default where it is empty or absent."""
    value = row.get(name)
    return float(value) if known(value) else default  # type: ignore[arg-type]


def text_of(row: Record, name: str = "name") -> str:
    """A cell as text; empty where it is empty or absent."""
    value = row.get(name)
    return str(value) if known(value) else ""


def whole_of(row: Record, name: str) -> int:
    """A cell as whole number; 0 where it is none (areas and zones may be words)."""
    text = text_of(row, name)
    return int(float(text)) if text.replace(".", "", 1).lstrip("-").isdigit() else 0


def _fuel(row: Record) -> str:
    word = text_of(row, "fuel") or text_of(row, "type")
    return word.lower() if word.lower() in FUELS else {"wp": "wind", "solar": "pv"}.get(word.lower(), "other")


def add_generator(draft: Draft, identity: str, row: Record, bus: int, control: str, **values: Any) -> None:
    """A generator row that regulates its own bus; ``values`` override what is read from ``row``."""
    number = draft.number.get(bus, bus)
    draft.rows["generators"].append(
        {
            "generator_id": identity,
            "bus_id": number,
            "regulated_bus_id": number,
            "control": control,
            "q_mvar": 0.0,
            "q_min_mvar": number_of(row, "min_q_mvar", -np.inf),
            "q_max_mvar": number_of(row, "max_q_mvar", np.inf),
            "p_min_mw": number_of(row, "min_p_mw"),
            "p_max_mw": number_of(row, "max_p_mw"),
            "sn_mva": number_of(row, "sn_mva"),
            "vm_pu": np.nan,
            "slack_weight": 0.0,
            "fuel": _fuel(row),
            "in_service": bool(row.get("in_service", True)),
            "name": text_of(row),
            **values,
        }
    )


def add_branch(draft: Draft, name: str, row: Record, f: int, t: int, r: float, x: float, **values: Any) -> None:
    """A branch row between two bus numbers, a line unless ``values`` say otherwise."""
    draft.rows["branches"].append(
        {
            "branch_id": name,
            "name": text_of(row),
            "circuit": "1",
            "kind": "line",
            "from_bus": f,
            "to_bus": t,
            "controlled_bus_id": t,
            "r_pu": r,
            "x_pu": x,
            "in_service": bool(row.get("in_service", True)),
            **values,
        }
    )

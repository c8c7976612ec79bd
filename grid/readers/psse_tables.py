"""The tables of the bus-branch model while a PSS/E file is read."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from grid.readers.psse_records import Line, PsseReading

TABLES = ("buses", "loads", "generators", "branches", "three_winding", "shunts", "shunt_steps", "hvdc")
_BRANCH_DEFAULTS = {
    "b_pu": 0.0, "g_from_pu": 0.0, "b_from_pu": 0.0, "g_to_pu": 0.0, "b_to_pu": 0.0, "ratio": 1.0,
    "shift_degree": 0.0, "rating_a_mva": math.nan, "rating_b_mva": math.nan, "rating_c_mva": math.nan,
    "length_km": math.nan, "tap_control": "none", "ratio_min": math.nan, "ratio_max": math.nan, "tap_positions": 0,
    "vm_target_pu": math.nan, "vm_band_pu": math.nan,
}  # fmt: skip
_SHUNT_DEFAULTS = {"g_mw": 0.0, "control": "fixed", "vm_min_pu": math.nan, "vm_max_pu": math.nan, "in_service": True}


class Tables:
    """Columns by table, bus base voltages, and the faults and losses so far."""

    def __init__(self, reading: PsseReading, base_mva: float) -> None:
        self.reading, self.base_mva = reading, base_mva
        self.columns: dict[str, dict[str, list[Any]]] = {name: defaultdict(list) for name in TABLES}
        self.bus_kv: dict[int, float] = {}
        self.kind: dict[int, str] = {}
        self._used: dict[str, int] = {}

    def add(self, table: str, **values: Any) -> None:
        columns = self.columns[table]
        for name, value in values.items():
            columns[name].append(value)

    def unique(self, name: str) -> str:
        """``name``, with #2, #3 ... where it has been used."""
        name = name.replace(" ", "")
        self._used[name] = count = self._used.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"

    def bus(self, line: Line, field: str) -> int:
        """Bus number in a field (a minus sign marks the metered end); a fault where there is no such bus."""
        bus = abs(line.whole(field))
        if bus not in self.bus_kv:
            line.wrong(
                field, line.text(field), "names a bus that does not exist.", "Add the bus or correct the number."
            )
        return bus

    def add_branch(self, line: Line, one: int, two: int, circuit: str, kind: str, **values: Any) -> None:
        self.add(
            "branches", branch_id=self.unique(f"{one}-{two}-{circuit}"), name=line.text("name"), circuit=circuit,
            kind=kind, from_bus=one, to_bus=two, **{"controlled_bus_id": two, **_BRANCH_DEFAULTS, **values},
        )  # fmt: skip

    def add_shunt(self, shunt: str, bus: int, b_mvar: float, **values: Any) -> None:
        given = {"regulated_bus_id": bus, **_SHUNT_DEFAULTS, **values}
        self.add("shunts", shunt_id=shunt, bus_id=bus, b_mvar=b_mvar, **given)

"""The bus-branch model as a PSD-BPA data file in GBK, and what that format cannot hold.

Names have eight columns, a Chinese character takes two: longer names are cut and made unique, and every change is a
loss item. Numbers keep four digits or more (``7400-3`` where a plain decimal would lose one); set points have three
decimals, taps two.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd

from grid.model.contracts import BusBranch, LossItem
from grid.readers.bpa_cards import ENCODING, card_fields, format_number
from grid.writers.bpa_names import bus_names

_CIRCUITS = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def write_bpa(case: BusBranch, path: Path) -> tuple[LossItem, ...]:
    """Write a case as PSD-BPA data.

    Parameters
    ----------
    case : BusBranch
        Three-winding units must be expanded before (:func:`grid.model.star.expand_three_winding`).
    path : Path
        Written whole or not at all.

    Returns
    -------
    tuple of LossItem
        Fields that the format cannot hold, and how they were changed.

    Raises
    ------
    ValueError
        If the case still holds three-winding units.
    """
    if len(case.three_winding):
        raise ValueError("expand the three-winding units into stars before writing PSD-BPA")
    writer = _Writer(case)
    text = writer.text()
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_bytes(text.encode(ENCODING, "replace"))
    temporary.replace(path)
    return tuple(writer.losses)


class _Writer:
    def __init__(self, case: BusBranch) -> None:
        self.case = case
        self.losses: list[LossItem] = []
        self.bus = {int(row["bus_id"]): row for row in _rows(case.buses)}
        self.name = bus_names(case, self.losses)

    def text(self) -> str:
        title = "".join(c for c in self.case.name.upper() if c.isascii() and c.isalnum())[:10] or "CASE"
        buses, continued = self._buses()
        lines = [
            f"(POWERFLOW,CASEID={title},PROJECT=FENGGUANG)",
            f"/MVA_BASE={self.case.base_mva:g}\\",
            "/NETWORK_DATA\\",
            *buses,
            *continued,
            *self._branches(),
            *self._hvdc(),
            "(END)",
        ]
        return "\r\n".join(lines) + "\r\n"

    # cards

    def card(self, record: str, code: str, where: str, values: dict[str, Any]) -> str:
        """One card; numbers that are NaN stay blank."""
        width = max(f.last for f in card_fields()[record].values())
        data = bytearray(b" " * width)
        data[: len(code)] = code.encode()
        for name, value in values.items():
            field = card_fields()[record][name]
            if value is None or (isinstance(value, float) and math.isnan(value)):
                continue
            if field.decimals is None:
                cell = str(value).encode(ENCODING, "replace").ljust(field.width)[: field.width]
            elif isinstance(value, str):
                cell = value.rjust(field.width).encode()
            else:
                cell = self._number(float(value), field.width, field.decimals, where, name).encode()
            data[field.first - 1 : field.last] = cell
        return bytes(data).decode(ENCODING).rstrip()

    def _number(self, value: float, width: int, decimals: int, where: str, name: str) -> str:
        try:
            return format_number(value, width, decimals)
        except ValueError:
            self.lose(where, name, "dropped", value, "the number does not fit its columns")
            return " " * width

    def lose(self, element: str, name: str, action: Any, value: object, remedy: str) -> None:
        self.losses.append(LossItem(element, name, action, str(value), remedy))

    # buses

    def _buses(self) -> tuple[list[str], list[str]]:
        loads = _by_bus(self.case.loads)
        plants = _by_bus(self.case.generators)
        shunts = _by_bus(self.case.shunts)
        cards, continued = [], []
        for bus, row in self.bus.items():
            if row["kind"] == "isolated":
                self.lose(f"bus {self.name[bus]}", "kind", "dropped", "isolated", "isolated buses are left out")
                continue
            first, rest = self._bus(bus, row, loads[bus], plants[bus], shunts[bus])
            cards.append(first)
            continued += rest
        return cards, continued

    def _bus(
        self, bus: int, row: dict[str, Any], loads: list[dict[str, Any]], plants: list[dict[str, Any]],
        shunts: list[dict[str, Any]],
    ) -> tuple[str, list[str]]:  # fmt: skip
        where, kv = f"bus {self.name[bus]}", float(row["vn_kv"])
        holding = [g for g in plants if g["control"] == "voltage"]
        fixed = [g for g in plants if g["control"] == "power"]
        values: dict[str, Any] = {"name": self.name[bus], "vn_kv": kv, "zone": row["zone"] or None}
        values["p_load_mw"] = sum(x["p_mw"] for x in loads) or math.nan
        values["q_load_mvar"] = sum(x["q_mvar"] for x in loads) or math.nan
        values["g_mw"] = row["gs_mw"] + sum(x["g_mw"] for x in [*shunts]) or math.nan
        values["b_mvar"] = row["bs_mvar"] + sum(x["b_mvar"] for x in [*shunts]) or math.nan
        for shunt in shunts:
            if shunt["control"] != "fixed":
                self.lose(f"shunt {shunt['shunt_id']}", "control", "converted", shunt["control"], "written as fixed")
        rest = [self._constant_current(bus, kv, x) for x in loads if x["p_i_mw"] or x["q_i_mvar"]]
        admittance = [x for x in loads if x["p_z_mw"] or x["q_z_mvar"]]
        if admittance:
            values["g_mw"] = _sum(values["g_mw"], *(x["p_z_mw"] for x in admittance))
            values["b_mvar"] = _sum(values["b_mvar"], *(-x["q_z_mvar"] for x in admittance))
            self.lose(where, "p_z_mw", "converted", len(admittance), "constant admittance is written as a shunt")
        code = "B"
        if row["kind"] == "ref" or holding:
            code, held = self._holding(where, row, holding)
            values |= held
            rest += [self._power(bus, kv, g) for g in fixed]
        elif fixed:
            values["p_mw"] = sum(g["p_mw"] for g in fixed)
            values["q_mvar"] = sum(g["q_mvar"] for g in fixed) or math.nan
            values["p_max_mw"] = _finite(sum(g["p_max_mw"] for g in fixed))
        if code == "B":
            values |= {"v_high": row["vm_max_pu"], "v_low": row["vm_min_pu"]}
        return self.card("B", code, where, values), rest

    def _holding(self, where: str, row: dict[str, Any], plants: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        """Subtype and fields of a bus whose voltage is held."""
        set_point = plants[0]["vm_pu"] if plants else row["vm_pu"]
        remote = sorted({int(g["regulated_bus_id"]) for g in plants} - {int(row["bus_id"])})
        high = sum(g["q_max_mvar"] for g in plants) if plants else math.inf
        low = sum(g["q_min_mvar"] for g in plants) if plants else -math.inf
        limited = math.isfinite(high) and math.isfinite(low)
        held: dict[str, Any] = {
            "p_mw": sum(g["p_mw"] for g in plants),
            "p_max_mw": _finite(sum(g["p_max_mw"] for g in plants)),
            "v_high": set_point,
        }
        if limited:
            held |= {"q_mvar": high, "q_min_mvar": low}
        if row["kind"] == "ref":
            angle = row["va_degree"]
            held["v_low"] = (
                math.nan if math.isnan(angle) else angle / 100
            )  # the field's angle has one decimal, not three
            return "BS", held
        if remote:
            self.lose(where, "regulated_bus_id", "converted", remote[0], "the bus holds its own voltage instead")
        return ("BQ" if limited else "BE"), held

    def _constant_current(self, bus: int, kv: float, load: dict[str, Any]) -> str:
        values = {"name": self.name[bus], "vn_kv": kv, "year": "*I",
                  "p_load_mw": load["p_i_mw"], "q_load_mvar": load["q_i_mvar"]}  # fmt: skip
        return self.card("+", "+", f"load {load['load_id']}", values)

    def _power(self, bus: int, kv: float, plant: dict[str, Any]) -> str:
        """A plant of fixed power beside one that holds the voltage: a negative load, so that its Q stays fixed."""
        self.lose(f"generator {plant['generator_id']}", "p_mw", "converted", plant["p_mw"], "written as negative load")
        values = {"name": self.name[bus], "vn_kv": kv, "year": "*P",
                  "p_load_mw": -plant["p_mw"], "q_load_mvar": -plant["q_mvar"] or math.nan}  # fmt: skip
        return self.card("+", "+", f"generator {plant['generator_id']}", values)

    # branches

    def _branches(self) -> list[str]:
        cards = []
        used: dict[frozenset[int], int] = defaultdict(int)
        for row in _rows(self.case.branches):
            if not row["in_service"]:
                self.lose(f"branch {row['branch_id']}", "in_service", "dropped", "False", "open branches are left out")
                continue
            ends = frozenset((int(row["from_bus"]), int(row["to_bus"])))
            circuit = _CIRCUITS[used[ends] % len(_CIRCUITS)]
            used[ends] += 1
            cards += self._branch(row, circuit)
        return cards

    def _branch(self, row: dict[str, Any], circuit: str) -> list[str]:
        where, one, two = f"branch {row['branch_id']}", int(row["from_bus"]), int(row["to_bus"])
        kv_1, kv_2 = float(self.bus[one]["vn_kv"]), float(self.bus[two]["vn_kv"])
        ends = {"name_1": self.name[one], "kv_1": kv_1, "name_2": self.name[two], "kv_2": kv_2, "circuit": circuit}
        values: dict[str, Any] = {**ends, "r_pu": row["r_pu"] or math.nan, "x_pu": row["x_pu"] or math.nan}
        plain = row["ratio"] == 1 and row["shift_degree"] == 0 and kv_1 == kv_2
        unit = 1.0 if not plain else 1000 / (math.sqrt(3) * kv_1)
        for letter in "abc":
            rating = row[f"rating_{letter}_mva"] * unit
            values[f"rating_{letter}"] = round(rating) if 0 < rating < 1e5 else math.nan
        outer = [row[f"{q}_{end}_pu"] for q in "gb" for end in ("from", "to")]
        if plain and not any(outer):
            values |= {"g_pu": row["g_pu"] / 2 or math.nan, "b_pu": row["b_pu"] / 2 or math.nan}
            values["length"] = row["length_km"] if 0 < row["length_km"] < 1000 else math.nan
            return [self.card("L", "L", where, values)]
        if plain:
            for k, end in ((1, "from"), (2, "to")):
                for q in "gb":
                    values[f"{q}_{k}_pu"] = row[f"{q}_pu"] / 2 + row[f"{q}_{end}_pu"] or math.nan
            return [self.card("E", "E", where, values)]
        return [self._transformer(row, where, values, (kv_1, kv_2)), *self._regulator(row, ends, (kv_1, kv_2))]

    def _transformer(self, row: dict[str, Any], where: str, values: dict[str, Any], kv: tuple[float, float]) -> str:
        """Both shunt halves outside the ratio, weighted by it; what the format cannot place goes to the losses."""
        ratio, shift = row["ratio"], row["shift_degree"]
        weight = ratio if shift == 0 else 1.0
        g, b = (
            (row[f"{q}_from_pu"] + row[f"{q}_to_pu"] + row[f"{q}_pu"] / 2 * (1 / ratio**2 + 1)) * weight for q in "gb"
        )
        if abs(row["g_from_pu"] - row["g_to_pu"]) + abs(row["b_from_pu"] - row["b_to_pu"]) > 1e-12:
            self.lose(where, "b_from_pu", "converted", f"{b:.6g}", "half of the magnetising admittance at each end")
        if b > 0:
            self.lose(where, "b_pu", "dropped", f"{b:.6g}", "a transformer's susceptance is inductive in this format")
        values |= {"g_pu": g or math.nan, "b_pu": abs(b) if b < 0 else math.nan}
        if shift == 0:
            return self.card("T", "T", where, {**values, "tap_1": ratio * kv[0], "tap_2": kv[1]})
        # a phase shifter has its tap at bus 2: ratio = 1 / tm, and the impedance is on bus 1's side of it
        values |= {"r_pu": row["r_pu"] * ratio**2 or math.nan, "x_pu": row["x_pu"] * ratio**2 or math.nan}
        angle = (shift + 180) % 360 - 180
        return self.card("T", "TP", where, {**values, "tap_1": angle, "tap_2": kv[1] / ratio})

    def _regulator(self, row: dict[str, Any], ends: dict[str, Any], kv: tuple[float, float]) -> list[str]:
        if row["tap_control"] != "voltage":
            return []
        where, controlled = f"branch {row['branch_id']}", int(row["controlled_bus_id"])
        held = self.bus[controlled]
        if row["shift_degree"] or math.isnan(row["ratio_min"]) or held["kind"] != "pq":
            self.lose(where, "tap_control", "dropped", "voltage", "written with its tap fixed")
            return []
        self.lose(where, "tap_control", "converted", "voltage", "the tap changer is written; its bus keeps its limits")
        values = {n: v for n, v in ends.items() if n != "circuit"}
        values |= {"side": "1", "controlled_name": self.name[controlled], "controlled_kv": held["vn_kv"],
                   "tap_max": row["ratio_max"] * kv[0], "tap_min": row["ratio_min"] * kv[0],
                   "positions": float(row["tap_positions"])}  # fmt: skip
        return [self.card("R", "R", where, values)]

    def _hvdc(self) -> list[str]:
        """A direct-current link as the loads that it is at both ends."""
        cards = []
        for row in _rows(self.case.hvdc):
            self.lose(f"hvdc {row['hvdc_id']}", "record", "converted", row["name"], "written as loads at both ends")
            for end in ("from", "to"):
                bus = int(row[f"{end}_bus"])
                if bus in self.bus and row["in_service"]:
                    values = {"name": self.name[bus], "vn_kv": self.bus[bus]["vn_kv"], "year": "*P",
                              "p_load_mw": -row[f"p_{end}_mw"], "q_load_mvar": -row[f"q_{end}_mvar"]}  # fmt: skip
                    cards.append(self.card("+", "+", f"hvdc {row['hvdc_id']}", values))
        return cards


def _by_bus(table: pd.DataFrame) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(table):
        if row["in_service"]:
            found[int(row["bus_id"])].append(row)
    return found


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _angle(degree: float) -> str:
    """An angle in four columns."""
    turned = (degree + 180) % 360 - 180
    return f"{turned:.1f}" if abs(turned) < 9.95 else f"{turned:.0f}."[:4]


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _sum(*values: float) -> float:
    return sum(v for v in values if not math.isnan(v)) or math.nan

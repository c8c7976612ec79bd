"""Small tables of the rule book, and a pocket calculator for worked formulas."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

EQUIPMENT: dict[str, Any] = {
    "equipment_id": "T",
    "vn_kv": 110.0,
    "superior_id": "",
    "arrangement": "single",
    "load_mw": 20.0,
    "other_generation_mw": 5.0,
    "power_factor": 0.95,
    "storage_charge_mw": 2.0,
    "tau_max": 0.8,
    "connected_mw": 10.0,
    "registered_mw": 5.0,
}
OLD: dict[str, Any] = {
    "equipment_id": "T",
    "vn_kv": 110.0,
    "superior_id": "",
    "limit_mva": 50.0,
    "dg_output_mw": 10.0,
    "load_mw": 20.0,
    "other_generation_mw": 5.0,
}


def equipment(*changes: dict[str, Any]) -> pd.DataFrame:
    """One row of the 2025 equipment table for each set of changes to the sample."""
    return pd.DataFrame([EQUIPMENT | change for change in (changes or ({},))])


def old_equipment(*changes: dict[str, Any]) -> pd.DataFrame:
    """The same for the 2019 edition."""
    return pd.DataFrame([OLD | change for change in (changes or ({},))])


def units(*ratings: tuple[str, float] | tuple[str, float, float]) -> pd.DataFrame:
    """Units as (equipment, rating) or (equipment, rating, short-circuit voltage), numbered in order."""
    rows = [
        {"unit_id": f"{r[0]}-{k}", "equipment_id": r[0], "sn_mva": r[1], "vk_percent": r[2] if len(r) > 2 else None}
        for k, r in enumerate(ratings)
    ]
    return pd.DataFrame(rows).astype({"vk_percent": float})


def worked_sums(text: str) -> list[tuple[str, float, float]]:
    """(sum, what it gives on a pocket calculator, what the text says) of each worked formula, bound by bound."""
    found = []
    for part in re.split(r"[;；] ?(?=[^\]]*=)", text):
        pieces = part.split(" = ")
        if len(pieces) < 2 or not re.fullmatch(r"[\d\s.+−×/()\[\],minax|]+", pieces[-2]):
            continue
        for bound in (0, 1):
            total = _calculated(_bound(pieces[-2], bound))
            found.append((part, total, float(_bound(pieces[-1], bound).split()[0].replace("−", "-"))))
    return found


def _bound(text: str, which: int) -> str:
    """``text`` with the lower or upper bound in place of each interval; commas inside min( ) are no bounds."""

    def chosen(match: re.Match[str]) -> str:
        depth, parts, here = 0, [""], match[1]
        for sign in here:
            depth += (sign == "(") - (sign == ")")
            if sign == "," and depth == 0:
                parts.append("")
            else:
                parts[-1] += sign
        return parts[which].strip()

    return re.sub(r"\[([^\]]*)\]", chosen, text)


def _calculated(text: str) -> float:
    plain = re.sub(r"\|([^|]*)\|", r"abs(\1)", text.replace("−", "-").replace("×", "*"))
    assert re.fullmatch(r"[\d\s.+\-*/(),minaxbs]+", plain), plain
    return float(eval(plain, {"__builtins__": {}}, {"min": min, "max": max, "abs": abs}))

"""Bus names of eight GBK columns, unique with their base voltage, as close to the model's names as they can be."""

from __future__ import annotations

from grid.model.contracts import BusBranch, LossItem
from grid.readers.bpa_cards import ENCODING

WIDTH = 8


def bus_names(case: BusBranch, losses: list[LossItem]) -> dict[int, str]:
    """Name by bus number; every name that had to change is appended to ``losses``."""
    names: dict[int, str] = {}
    taken: set[tuple[str, str]] = set()
    for bus, name, kv in zip(case.buses["bus_id"], case.buses["name"], case.buses["vn_kv"], strict=True):
        wanted = str(name).strip() or f"BUS{bus}"
        given, level, k = cut(wanted, WIDTH), f"{kv:g}", 1
        while (given, level) in taken:
            k += 1
            given = cut(wanted, WIDTH - len(str(k))) + str(k)
        taken.add((given, level))
        names[int(bus)] = given
        if given != wanted:
            losses.append(LossItem(f"bus {bus}", "name", "converted", f"{wanted} -> {given}", "names have 8 columns"))
    return names


def cut(name: str, width: int) -> str:
    """The first characters of a name that fit ``width`` GBK columns; what GBK lacks becomes a question mark."""
    kept = b""
    for letter in name:
        code = letter.encode(ENCODING, "replace")
        if len(kept) + len(code) > width:
            break
        kept += code
    return kept.decode(ENCODING).strip()

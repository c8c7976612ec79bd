"""What cases, lines, transformers and buses are called, in sentences that name them by their ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import pandas as pd

from grid.contracts import Case, Network
from maps.added import added

Names = Mapping[str, tuple[str, str]]
"""Chinese and English name by id."""


def element_names(
    lines: pd.DataFrame, transformers: pd.DataFrame, stations: pd.DataFrame, buses: pd.DataFrame
) -> dict[str, tuple[str, str]]:
    """Names of lines, transformers and buses by their ids; the tables follow :mod:`grid.contracts` and may be empty."""
    names: dict[str, tuple[str, str]] = {}
    at = dict(zip(stations["station_id"], _pairs(stations), strict=True)) if len(stations) else {}
    if len(buses):
        for bus, station, kv in buses[["bus_id", "station_id", "vn_kv"]].itertuples(index=False):
            zh, en = at.get(str(station), (str(station),) * 2)
            names[str(bus)] = (f"{zh} {float(kv):g} kV", f"{en} {float(kv):g} kV")
    if len(lines):
        for line, (zh, en) in zip(lines["line_id"].astype(str), _pairs(lines), strict=True):
            after = added(line)[1]  # a further circuit has the name of the one beside it
            names[line] = (zh + after[0], en + after[1])
    if len(transformers):
        # the level of its bus, as people say it; its own rating is some per cent higher
        levels = dict(zip(buses["bus_id"], buses["vn_kv"], strict=True)) if len(buses) else {}
        columns = ["transformer_id", "station_id", "hv_bus", "vn_hv_kv"]
        for unit, station, bus, rated_kv in transformers.reindex(columns=columns).itertuples(index=False):
            zh, en = at.get(str(station), (str(station),) * 2)
            kv = levels.get(bus, rated_kv)
            beside, after = added(str(unit))
            number = beside.rpartition("#")[2]
            names[str(unit)] = (
                f"{zh} {float(kv):g} kV {number}号主变{after[0]}",
                f"{en} {float(kv):g} kV transformer {number}{after[1]}",
            )
    return names


def names_of(network: Network, cases: Iterable[Case] = ()) -> dict[str, tuple[str, str]]:
    """Names of a network's elements and of cases."""
    own = {case.id: (case.label_zh or case.id, case.label_en or case.id) for case in cases}
    return own | element_names(network.lines, network.transformers, network.stations, network.buses)


def named(sentence: str, names: Names, language: Literal["zh", "en"]) -> str:
    """``sentence`` with the ids in it replaced by what they are called; an id counts as a whole only."""
    found = sorted((key for key in names if key in sentence), key=len, reverse=True)
    if not found:
        return sentence
    ids = "|".join(re.escape(key) for key in found)
    which = 1 if language == "en" else 0
    return re.sub(rf"(?<![\w/:#-])(?:{ids})(?![\w/#-]|:\w)", lambda hit: names[hit[0]][which], sentence, flags=re.ASCII)


def _pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["name_zh"].astype(str), table["name_en"].astype(str), strict=True))

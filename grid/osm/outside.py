"""Plants of the window and the equivalents of the outside network."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from grid.osm.draft import Draft
from grid.osm.read import Sources
from grid.osm.rules import Ledger, rule_number
from grid.reference.design import Infeed, Plant
from layers.contracts import Origin

FUELS = {
    "coal": "coal",
    "natural gas": "gas",
    "coal mine methane": "gas",
    "hydro": "hydro",
    "landfill gas": "biomass",
    "biomass": "biomass",
    "wind": "wind",
    "solar": "pv",
    "nuclear": "nuclear",
}
SYNCHRONOUS = ("coal", "gas", "hydro", "pumped", "nuclear")
HELD_VM_PU = 1.05
REACTIVE_SHARE = 0.33
SMALL_MW = 30.0
LARGE_MW = 1500.0
WHOLE_SHARE, END_SHARE = 1000.0, 500.0
"""Shares of the outside network [MVA] before they are scaled: end stations hang on one line, half of the others."""


def fuel_of(fuel: str, technology: str) -> str:
    """Class of a plant's fuel; pumped storage is told from the technology."""
    if "pumped" in technology.lower():
        return "pumped"
    return FUELS.get(fuel.lower(), "other")


def usable_plants(plants: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Plants with a place and a capacity, each once, largest first: columns name, fuel, p_mw, lon, lat."""
    table = pd.DataFrame(
        {
            "name": plants["Name"],
            "fuel": [fuel_of(f, t) for f, t in zip(plants["Fuel"], plants["Generator Technology"], strict=True)],
            "source_fuel": plants["Fuel"].str.lower(),
            "p_mw": plants["Capacity (MW)"].astype(float),
            "lon": plants["Longitude"].astype(float),
            "lat": plants["Latitude"].astype(float),
        }
    )
    complete = table[["p_mw", "lon", "lat"]].notna().all(axis=1) & (table["p_mw"] > 0)
    ledger.count("osm.plant_dropped", int((~complete).sum()))
    return table[complete].sort_values(["p_mw", "name"], ascending=[False, True], ignore_index=True)


def without_duplicates(plants: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """The first of plants of one fuel and capacity that stand within the rule's distance."""
    reach = rule_number("osm.plant_duplicate")
    keep: list[int] = []
    lon, lat = plants["lon"].to_numpy(), plants["lat"].to_numpy()
    fuel, power = plants["source_fuel"].to_numpy(), plants["p_mw"].to_numpy()
    for k in range(len(plants)):
        east = (lon[keep] - lon[k]) * 111.195 * math.cos(math.radians(lat[k]))
        near = np.hypot(east, (lat[keep] - lat[k]) * 111.195) <= reach
        if not (near & (fuel[keep] == fuel[k]) & (power[keep] == power[k])).any():
            keep.append(k)
    ledger.count("osm.plant_duplicate", len(plants) - len(keep))
    return plants.iloc[keep].reset_index(drop=True)


def plants_of(sources: Sources, draft: Draft) -> list[Plant]:
    """Plants of the window at the nearest bus of a suitable level."""
    table = usable_plants(sources.plants, draft.ledger)
    table = without_duplicates(table[sources.in_window(table)].reset_index(drop=True), draft.ledger)
    found: list[Plant] = []
    for name, fuel, p_mw, lon, lat in zip(*(table[c] for c in ("name", "fuel", "p_mw", "lon", "lat")), strict=True):
        xy = draft.districts.plane.to_km(np.array([lon]), np.array([lat]))[0]
        place = _nearest_bus(draft, xy, _levels_for(float(p_mw)))
        if place is None:
            draft.ledger.count("osm.plant_far")
            continue
        held = fuel in SYNCHRONOUS and p_mw >= rule_number("osm.plant_control")
        draft.ledger.count("osm.plant_bus")
        draft.ledger.count("osm.plant_control", int(held))
        found.append(
            Plant(
                plant_id=f"G{len(found) + 1:03d}:{place[0]}",
                station_id=place[0],
                vn_kv=place[1],
                name_zh=str(name),
                name_en=str(name),
                fuel=str(fuel),
                p_max_mw=float(p_mw),
                control="voltage" if held else "power",
                vm_pu=HELD_VM_PU,
                q_share=REACTIVE_SHARE,
                origin=Origin.MAPPED,
                note="capacity and place from the list of plants, bus assumed: nearest of its level",
            )
        )  # fmt: skip
    return found


def _levels_for(p_mw: float) -> tuple[float, ...]:
    if p_mw >= LARGE_MW:
        return (500.0,)
    if p_mw >= rule_number("osm.plant_bus"):
        return (500.0, 220.0)
    return (110.0,) if p_mw < SMALL_MW else (220.0,)


def _nearest_bus(draft: Draft, xy: np.ndarray, levels: tuple[float, ...]) -> tuple[str, float] | None:
    options = [
        (round(float(np.hypot(*(draft.xy(key) - xy))), 6), -level, key)
        for key in sorted(draft.stations)
        for level in levels
        if level in draft.stations[key].levels_kv and key not in draft.joints
    ]
    if not options or min(options)[0] > rule_number("osm.plant_far"):
        return None
    _, level, key = min(options)
    return key, -level


def infeeds_of(draft: Draft, cut: tuple[str, ...]) -> list[Infeed]:
    """Equivalents where 500 kV lines were cut, at 500 kV ends outside the region, UHV and converter stations.

    A network without any of them is fed at its first station of the highest level. Their short-circuit powers are
    shares of one outside; :func:`grid.studies.short_circuit_boundary.with_boundary_level` sets them.
    """
    share = {key: WHOLE_SHARE for key in (*cut, *sorted(draft.sources)) if key in draft.stations}
    for key in sorted(draft.stations):
        station = draft.stations[key]
        outside = not station.in_region and key not in draft.joints
        if outside and 500.0 in station.levels_kv and draft.degree(key, 500.0) == 1:
            share.setdefault(key, END_SHARE)
    if not share:
        top = max(s.vn_kv for s in draft.stations.values())
        share = {min(key for key, s in draft.stations.items() if s.vn_kv == top): WHOLE_SHARE}
    total = sum(share.values())
    draft.ledger.count("osm.infeed", len(share))
    return [
        Infeed(key, draft.stations[key].vn_kv, HELD_VM_PU, part / total, part,
               "share of one outside network; its short-circuit power is assumed")
        for key, part in sorted(share.items(), key=lambda item: (-item[1], item[0]))
    ]  # fmt: skip

"""Measures that change the network: each is built into the tables of a :class:`grid.contracts.Network`.

No function changes its input. What is built carries the note ``planned``; ids of new rows begin with the id of the
element they stand beside (``L7+circuit1``), so that a second measure of the same kind finds a free one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from grid.admittance import compile_model
from grid.contracts import Network
from grid.engine import find_bridges, parts
from grid.line_parameters import line_type_parameters
from grid.measures.contracts import EFFECTS, Measure
from grid.measures.new_station import build_station
from grid.measures.places import branch_ends, parallel_units, unit_levels
from grid.measures.rows import appended, new_id, row_of
from grid.standards_tables import transformer_types, transformer_types_between

LEAST_ENDS = 4
"""Branches at a bus from which on it may be split: two for each section."""


def apply_measure(network: Network, measure: Measure) -> Network:
    """A new network with one measure built.

    Raises
    ------
    KeyError
        If the element or the type does not exist.
    ValueError
        If the measure does not change the network: ask :mod:`grid.measures.effects` for what it does.
    """
    if measure.effect != "network":
        raise ValueError(f"{measure.measure_id} changes {measure.effect}, not the network")
    return _BUILDERS[measure.kind](network, measure)


def apply_measures(network: Network, measures: pd.DataFrame) -> Network:
    """All network measures of a table MEASURES, what others require first; limits and injections are passed over."""
    for measure_id in _ordered(measures):
        measure = Measure.at(measures, measure_id)
        if measure.effect == "network":
            network = apply_measure(network, measure)
    return network


def _ordered(measures: pd.DataFrame) -> list[str]:
    """Ids in table order, each after those it requires; what is required but not in the table is not awaited."""
    needs = {
        str(row.measure_id): [n for n in str(row.requires).split() if n in set(measures["measure_id"])]
        for row in measures.itertuples()
    }
    done: list[str] = []
    while len(done) < len(needs):
        ready = [m for m, wanted in needs.items() if m not in done and set(wanted) <= set(done)]
        if not ready:
            raise ValueError(f"measures require each other: {', '.join(sorted(set(needs) - set(done)))}")
        done.append(ready[0])
    return done


def add_transformer(network: Network, element: str) -> Network:
    """One more unit like the named one, between the same buses."""
    row = row_of(network.transformers, "transformer_id", element)
    ids = set(network.transformers["transformer_id"])
    new = {**row, "transformer_id": new_id(element, "unit", ids), "note": "planned"}
    return replace(network, transformers=appended(network.transformers, [new]))


def next_unit_type(network: Network, element: str) -> pd.Series | None:
    """Next larger listed type than the largest unit in parallel with the named one; None where there is none."""
    try:
        types = transformer_types_between(*unit_levels(network, element))
    except KeyError:
        return None
    largest = float(network.transformers.loc[parallel_units(network, element), "sn_mva"].max())
    larger = types[types["sn_mva"] > largest + 1e-6]
    return None if larger.empty else larger.iloc[0]


def high_impedance_type(network: Network, element: str) -> pd.Series | None:
    """Listed high-impedance type of the rating that all units in parallel with the named one share.

    None where their ratings differ (each would need a type of its own), where no such type is listed, or where one of
    them has as high a short-circuit voltage already.
    """
    try:
        types = transformer_types_between(*unit_levels(network, element), "high_impedance")
    except KeyError:
        return None
    units = network.transformers[parallel_units(network, element)]
    ratings = units["sn_mva"].to_numpy(float)
    found: pd.DataFrame = types[(types["sn_mva"] - ratings[0]).abs() < 1e-6]
    if found.empty or np.ptp(ratings) > 1e-6 or units["vk_percent"].max() >= found["vk_percent"].iloc[0]:
        return None
    return found.iloc[0]


def replace_transformer(network: Network, element: str, type_name: str) -> Network:
    """Every unit between the buses of the named one becomes a unit of ``type_name``."""
    types = transformer_types()
    if type_name not in types.index:
        raise KeyError(f"no transformer type {type_name!r}")
    larger, same = types.loc[type_name], parallel_units(network, element)
    units = network.transformers.copy()
    for name in ("sn_mva", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent"):
        units.loc[same, name] = float(larger[name])
    units.loc[same, ["transformer_type", "note"]] = [type_name, "planned"]
    return replace(network, transformers=units)


def second_circuit(network: Network, element: str) -> Network:
    """One more circuit of the same type on the line's route."""
    row = row_of(network.lines, "line_id", element)
    new = {**row, "line_id": new_id(element, "circuit", set(network.lines["line_id"])), "note": "planned"}
    return replace(network, lines=appended(network.lines, [new]))


def reconductor(network: Network, element: str, type_name: str) -> Network:
    """Wires of another type on the towers that stand: r, x, c and rating are the type's, the length stays."""
    types = line_type_parameters()
    if type_name not in types.index:
        raise KeyError(f"no line type {type_name!r}")
    row_of(network.lines, "line_id", element)
    lines, at = network.lines.copy(), network.lines["line_id"] == element
    for name in ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka"):
        lines.loc[at, name] = float(types[name][type_name])
    lines.loc[at, ["line_type", "note"]] = [type_name, "planned"]
    return replace(network, lines=lines)


def split_bus(network: Network, element: str) -> Network:
    """Split operation: every second branch, load and plant of a bus moves to a section of its own.

    Branches are dealt out by the far bus, so that each section keeps a circuit of every pair; infeeds stay. The
    sections are joined through the network only: the short-circuit impedance seen from each rises.

    Raises
    ------
    ValueError
        If the bus has fewer than two branches that could be dealt out.
    """
    bus = row_of(network.buses, "bus_id", element)
    section = new_id(element, "section", set(network.buses["bus_id"]))
    lines, units = network.lines.copy(), network.transformers.copy()
    ends = [
        (table, column, index, str(table.at[index, far]))
        for table, pairs in (
            (lines, (("from_bus", "to_bus"), ("to_bus", "from_bus"))),
            (units, (("hv_bus", "lv_bus"), ("lv_bus", "hv_bus"))),
        )
        for column, far in pairs
        for index in table.index[table[column] == element]
    ]
    if len(ends) < 2:
        raise ValueError(f"bus {element!r} has {len(ends)} branch(es): nothing to deal out")
    for position, (table, column, index, _) in enumerate(sorted(ends, key=lambda end: end[3])):
        if position % 2:
            table.at[index, column] = section
    buses = appended(network.buses, [{**bus, "bus_id": section}])
    loads, plants = (_second_moved(t, element, section) for t in (network.loads, network.generators))
    return replace(network, buses=buses, lines=lines, transformers=units, loads=loads, generators=plants)


def may_be_split(network: Network, element: str) -> bool:
    """Whether split operation of a bus leaves the supply as secure as it was.

    Each section needs two branches, and no branch may become one whose loss cuts something off that it did not cut off
    before: an outage that drops a section would otherwise count as one that loads nothing.
    """
    ends = branch_ends(network)
    if sum((f == element) + (t == element) for f, t in ends.values()) < LEAST_ENDS:
        return False
    before, after = (_weak_points(one) for one in (network, split_bus(network, element)))
    return after[0] == before[0] and after[1] <= before[1]


def _weak_points(network: Network) -> tuple[int, frozenset[str]]:
    """How many parts a network has, and the branches whose loss would make it one more."""
    model = compile_model(network)
    whole = parts(model, np.ones(model.n_branch, dtype=bool))
    return int(whole.max()) + 1, frozenset(model.element_ids[k] for k in find_bridges(model))


def _second_moved(table: pd.DataFrame, bus: str, section: str) -> pd.DataFrame:
    moved = table.copy()
    moved.loc[table.index[table["bus_id"] == bus][1::2], "bus_id"] = section
    return moved


def shunt(network: Network, measure: Measure) -> Network:
    """A reactor or capacitor bank at a bus, in where the case's load share lies in the measure's range."""
    row_of(network.buses, "bus_id", measure.element)
    new = {
        "shunt_id": new_id(measure.element, measure.kind, set(network.shunts["shunt_id"])),
        "bus_id": measure.element,
        "q_mvar": measure.q_mvar,
        "load_share_min": measure.load_share_min,
        "load_share_max": measure.load_share_max,
        "note": "planned",
    }
    return replace(network, shunts=appended(network.shunts, [new]))


_BUILDERS: dict[str, Callable[[Network, Measure], Network]] = {
    "add_transformer": lambda network, m: add_transformer(network, m.element),
    "replace_transformer": lambda network, m: replace_transformer(network, m.element, m.type_name),
    "high_impedance": lambda network, m: replace_transformer(network, m.element, m.type_name),
    "second_circuit": lambda network, m: second_circuit(network, m.element),
    "reconductor": lambda network, m: reconductor(network, m.element, m.type_name),
    "new_station": build_station,
    "split_bus": lambda network, m: split_bus(network, m.element),
    "reactor": shunt,
    "capacitor": shunt,
}
assert set(_BUILDERS) == {kind for kind, effect in EFFECTS.items() if effect == "network"}

"""Does a case fit together, and are its numbers those of a network? Quick, before any load flow.

A load flow converges on many wrong networks: it drops islands without a word and drives circulating currents through
units of different vector groups. What would make a result wrong is an error here, what is odd but possible a warning,
what is only worth knowing a note. Limits are rows of ``standards/network_checks.csv``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.model.contracts import BusBranch
from grid.model.star import expand_three_winding
from grid.standards_tables import standard_table
from layers.contracts import Finding, Severity

Floats = npt.NDArray[np.float64]
_MOST_OF_A_KIND = 40
_RANK = {"error": 0, "warning": 1, "note": 2}
_OHM_PER_KM = (0.05, 0.8)
"""Series reactance of overhead lines and cables from 10 to 1000 kV; beyond ten times this is an error in units."""


def check_case(case: BusBranch) -> list[Finding]:
    """Everything wrong or odd about a case, all at once, errors first.

    Returns
    -------
    list of Finding
        Rules ``check.*``; ``layer`` is the table, ``item`` the element. At most 40 of a kind are told one by one.
    """
    expanded = expand_three_winding(case)
    look = _Look(expanded)
    found = [f for check in _CHECKS for f in _limited(list(check(look)))]
    return sorted(found, key=lambda f: (_RANK[f.severity], f.layer, f.rule))


class _Look:
    """A case with what several checks need."""

    def __init__(self, case: BusBranch) -> None:
        self.case = case
        on = case.branches["in_service"].to_numpy(bool)
        self.branches = case.branches[on]
        self.buses = case.buses.set_index("bus_id")
        self.kv = self.buses["vn_kv"]
        self.off = set(self.buses.index[self.buses["kind"] == "isolated"])
        self.limit = {
            str(k): float(v)
            for k, v in standard_table("network_checks").set_index("check")["value"].items()
        }  # fmt: skip
        self.star = set(self.buses.index[self.buses["is_star"]])

    def finding(
        self, severity: Severity, rule: str, layer: str, item: object, value: object, message: str, remedy: str
    ) -> Finding:
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        return Finding(severity, f"check.{rule}", self.case.source.shown_path, layer, str(item), shown, message, remedy)

    def ends(self, branches: pd.DataFrame) -> tuple[Floats, Floats]:
        """Base voltages at both ends [kV]."""
        return branches["from_bus"].map(self.kv).to_numpy(float), branches["to_bus"].map(self.kv).to_numpy(float)


def _limited(found: list[Finding]) -> list[Finding]:
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in found:
        by_rule[finding.rule].append(finding)
    kept = []
    for findings in by_rule.values():
        kept += findings[:_MOST_OF_A_KIND]
        if len(findings) > _MOST_OF_A_KIND:
            last = findings[0]
            more = f"and {len(findings) - _MOST_OF_A_KIND} more"
            kept.append(Finding(last.severity, last.rule, last.file, last.layer, more, "", last.message, last.remedy))
    return kept


def _references_and_islands(look: _Look) -> Iterator[Finding]:
    graph = nx.Graph()
    graph.add_nodes_from(b for b in look.buses.index if b not in look.off)
    graph.add_edges_from(zip(look.branches["from_bus"], look.branches["to_bus"], strict=True))
    graph.remove_nodes_from(look.off)
    references = set(look.buses.index[look.buses["kind"] == "ref"])
    if not references:
        yield look.finding("error", "no_reference", "buses", "kind", "", "No bus is the reference.",
                           "Make the bus of the strongest infeed the reference.")  # fmt: skip
    load = look.case.loads[look.case.loads["in_service"]].groupby("bus_id")["p_mw"].sum()
    for part in sorted(nx.connected_components(graph), key=lambda p: (-len(p), min(p))):
        if part & references or not references:
            continue
        lost = float(load.reindex(list(part)).fillna(0).sum())
        first = sorted(part)[:5]
        if part <= look.star:
            continue
        yield look.finding(
            "warning", "island", "buses", ", ".join(map(str, first)), f"{len(part)} buses, {lost:g} MW",
            "These buses have no way to a reference; a load flow leaves them dead and their load unserved.",
            "Close the branch that joins them, or mark them as out of service.",
        )  # fmt: skip


def _voltage_levels(look: _Look) -> Iterator[Finding]:
    lines = look.branches[look.branches["kind"] == "line"]
    one, two = look.ends(lines)
    apart = np.abs(one / two - 1) > max(look.limit["level_tolerance"], 0.03)
    for k in np.flatnonzero(apart):
        yield look.finding("error", "levels_joined_by_line", "branches", lines["branch_id"].iloc[k],
                           f"{one[k]:g} - {two[k]:g} kV", "A line joins two voltage levels.",
                           "Make it a transformer, or correct the base voltage of a bus.")  # fmt: skip


def _reactances(look: _Look) -> Iterator[Finding]:
    rows = look.branches[look.branches["transformer_id"] == ""]
    r, x = rows["r_pu"].to_numpy(float), rows["x_pu"].to_numpy(float)
    for k in np.flatnonzero((x == 0) & (r != 0)):
        yield look.finding("warning", "zero_reactance", "branches", rows["branch_id"].iloc[k], r[k],
                           "The reactance is 0 but the resistance is not.", "Check r and x.")  # fmt: skip
    for k in np.flatnonzero(x < 0):
        yield look.finding("warning", "negative_reactance", "branches", rows["branch_id"].iloc[k], x[k],
                           "The reactance is negative: right for series capacitors and reduced networks only.",
                           "Check the sign.")  # fmt: skip
    for k in np.flatnonzero(r < 0):
        yield look.finding("warning", "negative_resistance", "branches", rows["branch_id"].iloc[k], r[k],
                           "The resistance is negative.", "Check the sign.")  # fmt: skip


def _ratios_r_over_x(look: _Look) -> Iterator[Finding]:
    lines = look.branches[(look.branches["kind"] == "line") & (look.branches["x_pu"] > 0)]
    kv, _ = look.ends(lines)
    r, x = lines["r_pu"].to_numpy(float), lines["x_pu"].to_numpy(float)
    most = np.select(
        [kv > 150, kv >= 66], [look.limit["rx_max_high"], look.limit["rx_max_110"]], look.limit["rx_max_low"]
    )
    for k in np.flatnonzero(r / x > most):
        yield look.finding("warning", "r_over_x", "branches", lines["branch_id"].iloc[k], float(r[k] / x[k]),
                           f"R/X of a {kv[k]:g} kV line is usually below {most[k]:g}.",
                           "Check that r and x are not exchanged.")  # fmt: skip


def _per_length(look: _Look) -> Iterator[Finding]:
    lines = look.branches[(look.branches["kind"] == "line") & (look.branches["length_km"] > 0.2)]
    kv, _ = look.ends(lines)
    ohm_per_km = lines["x_pu"].to_numpy(float) * kv**2 / look.case.base_mva / lines["length_km"].to_numpy(float)
    low, high = _OHM_PER_KM
    wrong = (ohm_per_km > 0) & ((ohm_per_km < low / 10) | (ohm_per_km > 10 * high))
    for k in np.flatnonzero(wrong):
        yield look.finding("warning", "impedance_off_by_ten", "branches", lines["branch_id"].iloc[k],
                           float(ohm_per_km[k]), f"x per km [ohm/km] is ten times outside {low:g} to {high:g}.",
                           "Check length, base voltage and unit of the impedance.")  # fmt: skip


def _ratings(look: _Look) -> Iterator[Finding]:
    rows = look.branches[(look.branches["rating_a_mva"] > 0) & (look.branches["transformer_id"] == "")]
    kv = np.maximum(*look.ends(rows)) if len(rows) else np.empty(0)
    rating = rows["rating_a_mva"].to_numpy(float)
    for level in np.unique(kv):
        at = np.flatnonzero(kv == level)
        if len(at) < 5:
            continue
        usual = float(np.median(rating[at]))
        factor = look.limit["factor_of_ten_max"]
        for k in at[(rating[at] > factor * usual) | (rating[at] < usual / factor)]:
            yield look.finding("warning", "rating_off_by_ten", "branches", rows["branch_id"].iloc[k], float(rating[k]),
                               f"The rating is far from the {usual:g} MVA that {level:g} kV branches have here.",
                               "Check its unit.")  # fmt: skip
    for letter, lower in (("b", "a"), ("c", "b")):
        small = rows[rows[f"rating_{letter}_mva"] < rows[f"rating_{lower}_mva"]]
        for name in small["branch_id"].iloc[:3]:
            yield look.finding("note", "rating_order", "branches", name, f"{letter} < {lower}",
                               f"Rating {letter.upper()} is below rating {lower.upper()}.",
                               "Check that short-time ratings are not in another order.")  # fmt: skip
    missing = int((~(look.branches["rating_a_mva"] > 0)).sum())
    if missing:
        yield look.finding("note", "no_rating", "branches", "rating_a_mva", f"{missing} of {len(look.branches)}",
                           "Branches without rating are never overloaded.",
                           "Add ratings where they matter.")  # fmt: skip


def _taps(look: _Look) -> Iterator[Finding]:
    units = look.branches[look.branches["kind"] == "transformer"]
    ratio = units["ratio"].to_numpy(float)
    for k in np.flatnonzero(np.abs(ratio - 1) > 0.2):
        yield look.finding("warning", "ratio", "branches", units["branch_id"].iloc[k], float(ratio[k]),
                           "The turns ratio is more than 20 % off nominal.",
                           "Check tap, rated voltages and base voltages.")  # fmt: skip
    controlled = units[units["tap_control"] == "voltage"]
    for row in controlled.to_dict("records"):
        if not row["ratio_min"] - 1e-9 <= row["ratio"] <= row["ratio_max"] + 1e-9:
            yield look.finding("warning", "tap_outside_range", "branches", row["branch_id"], float(row["ratio"]),
                               f"The tap stands outside {row['ratio_min']:g} to {row['ratio_max']:g}.",
                               "Correct the tap or its range.")  # fmt: skip
    between = units[np.abs(look.ends(units)[0] / look.ends(units)[1] - 1) > 0.03] if len(units) else units
    if len(between) > 5 and bool((between["ratio"] == 1).all()):
        yield look.finding("warning", "taps_missing", "branches", "ratio", f"{len(between)} units",
                           "Every transformer has the nominal ratio: the taps were probably lost on the way.",
                           "Export the case with its taps.")  # fmt: skip


def _parallel_units(look: _Look) -> Iterator[Finding]:
    units = look.branches[look.branches["kind"] == "transformer"]
    pairs = [frozenset(p) for p in zip(units["from_bus"], units["to_bus"], strict=True)]
    for _, group in units.groupby(pd.Series(pairs, index=units.index).map(lambda p: tuple(sorted(p))), sort=True):
        if len(group) < 2:
            continue
        low = group[["from_bus", "to_bus"]].min(axis=1)
        turned = (group["from_bus"] == low).to_numpy()
        ratio = np.where(turned, group["ratio"], 1 / group["ratio"])
        shift = np.where(turned, group["shift_degree"], -group["shift_degree"])
        off = np.abs((shift - shift[0] + 180) % 360 - 180)
        names = ", ".join(group["branch_id"])
        if off.max() > 0.5:
            yield look.finding("error", "parallel_shift", "branches", names, float(off.max()),
                               "Parallel units turn the voltage by different angles.",
                               "Correct a vector group.")  # fmt: skip
        spread = float(ratio.max() / ratio.min() - 1)
        if spread > look.limit["parallel_ratio_error"]:
            yield look.finding("warning", "parallel_ratio", "branches", names, spread,
                               "Parallel units have different ratios: a current circulates.",
                               "Correct a tap.")  # fmt: skip


def _vector_groups(look: _Look) -> Iterator[Finding]:
    """Around every loop the shifts must add up to zero (phase shifters of small angles aside)."""
    graph = nx.Graph()
    for f, t, shift in zip(
        look.branches["from_bus"], look.branches["to_bus"], look.branches["shift_degree"], strict=True
    ):
        clock = round(float(shift) / 30) % 12 if abs(float(shift) / 30 - round(float(shift) / 30)) < 0.02 else 0
        if f != t and not graph.has_edge(f, t):
            graph.add_edge(f, t, clock=clock, start=f)
    hour: dict[int, int] = {}
    for root in graph.nodes:
        if root in hour:
            continue
        hour[root] = 0
        for u, v in nx.bfs_edges(graph, root):
            edge = graph.edges[u, v]
            hour[v] = (hour[u] + (edge["clock"] if edge["start"] == u else -edge["clock"])) % 12
    for u, v, edge in graph.edges(data=True):
        start, end = (u, v) if edge["start"] == u else (v, u)
        off = (hour[start] + edge["clock"] - hour[end]) % 12
        if off:
            yield look.finding("error", "vector_group", "branches", f"{start} - {end}", f"{30 * off} degree",
                               "Around a loop through this branch the phase shifts do not add up to zero.",
                               "Correct the vector group of a unit of the loop.")  # fmt: skip


def _duplicates(look: _Look) -> Iterator[Finding]:
    keys = ["from_bus", "to_bus", "circuit", "kind"]
    rows = look.branches[look.branches["transformer_id"] == ""]
    for _, group in rows[rows.duplicated(keys, keep=False)].groupby(keys, sort=True):
        yield look.finding("warning", "duplicate_circuit", "branches", ", ".join(group["branch_id"]), len(group),
                           "Several branches have the same ends and circuit number.",
                           "Drop the copy, or number the circuits.")  # fmt: skip
    loops = rows[rows["from_bus"] == rows["to_bus"]]
    for name in loops["branch_id"]:
        yield look.finding(
            "error", "same_bus", "branches", name, "", "Both ends are at the same bus.", "Correct an end."
        )


def _generators(look: _Look) -> Iterator[Finding]:
    rows = look.case.generators[look.case.generators["in_service"]]
    p, low, high = (rows[name].to_numpy(float) for name in ("p_mw", "p_min_mw", "p_max_mw"))
    with np.errstate(invalid="ignore"):
        outside = (p > high + 1e-6) | (p < low - 1e-6)
    outside &= ~rows["bus_id"].map(look.buses["kind"]).eq("ref").to_numpy()
    for k in np.flatnonzero(outside):
        name, message = rows["generator_id"].iloc[k], f"The output is outside {low[k]:g} to {high[k]:g} MW."
        yield look.finding("warning", "generator_outside_limits", "generators", name, float(p[k]), message,
                           "Correct output or limits.")  # fmt: skip
    crossed = rows[rows["q_min_mvar"] > rows["q_max_mvar"]]
    for name in crossed["generator_id"]:
        yield look.finding("error", "reactive_limits_crossed", "generators", name, "",
                           "q_min_mvar is above q_max_mvar.", "Exchange them.")  # fmt: skip
    holding = rows[rows["control"] == "voltage"]
    odd = holding[(holding["vm_pu"] < look.limit["voltage_min_pu"]) | (holding["vm_pu"] > look.limit["voltage_max_pu"])]
    for row in odd.to_dict("records"):
        yield look.finding("warning", "set_point", "generators", row["generator_id"], float(row["vm_pu"]),
                           "An unusual voltage set point.", "Check that it is in per unit.")  # fmt: skip
    for bus, group in holding.groupby("regulated_bus_id", sort=True):
        if group["vm_pu"].max() - group["vm_pu"].min() > 1e-4:
            yield look.finding("warning", "set_points_differ", "generators", ", ".join(group["generator_id"]),
                               float(group["vm_pu"].max() - group["vm_pu"].min()),
                               f"Plants hold bus {bus} at different voltages.", "Give them one set point.")  # fmt: skip


def _places(look: _Look) -> Iterator[Finding]:
    buses = look.case.buses
    placed = np.isfinite(buses["lon"].to_numpy(float)) & np.isfinite(buses["lat"].to_numpy(float))
    if not placed.any():
        return
    known = set(buses["bus_id"][placed])
    for row in look.case.loads.to_dict("records"):
        if row["bus_id"] not in known and row["in_service"]:
            yield look.finding("note", "load_without_place", "loads", row["load_id"], row["bus_id"],
                               "The load's bus has no coordinates.", "Give its bus lon and lat.")  # fmt: skip


_CHECKS = (
    _references_and_islands, _voltage_levels, _reactances, _ratios_r_over_x, _per_length, _ratings, _taps,
    _parallel_units, _vector_groups, _duplicates, _generators, _places,
)  # fmt: skip

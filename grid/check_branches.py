"""Are the numbers of lines and transformers those of lines and transformers, and do vector groups agree?"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from statistics import median_low
from typing import cast

import networkx as nx
import pandas as pd
import pyproj

from grid.check_look import Look, Row, limits, times
from grid.line_parameters import line_type_parameters
from grid.standards_tables import transformer_types
from layers.contracts import Severity

_GEOD = pyproj.Geod(ellps="WGS84")
_ANGLE_TOLERANCE_DEGREE = 0.01


# ---------------------------------------------------------------- lines


def check_lines(look: Look) -> None:
    kinds = line_type_parameters()
    listed = cast("dict[str, Row]", kinds.to_dict("index"))
    for item, row, (start, end) in look.sound("lines"):
        low, high = sorted((start["vn_kv"], end["vn_kv"]))
        if high > low * (1 + limits()["level_tolerance"]):
            look.error(
                "lines", item, "line_joins_levels", f"{start['vn_kv']:g} and {end['vn_kv']:g} kV",
                "The line joins buses of different nominal voltage.",
                "Correct its buses, or put a transformer between.",
            )  # fmt: skip
        elif row["line_type"] in listed and not math.isclose(listed[row["line_type"]]["vn_kv"], low, rel_tol=0.1):
            look.warning(
                "lines", item, "line_type_level", f"{row['line_type']} at {low:g} kV",
                "The line's type is one of another voltage.", "Correct line_type.",
            )  # fmt: skip
    for item, row in look.items("lines"):
        bus = look.buses.get(row["from_bus"])
        _check_reactance(look, item, row)
        if row["line_type"] in listed:
            _compare_with_type(look, "lines", item, row, listed[row["line_type"]], _LINE_VALUES)
        elif bus is not None:
            _compare_with_level(look, item, row, kinds[(kinds["vn_kv"] / bus["vn_kv"] - 1).abs() < 0.1])
        if bus is not None and row["x_ohm_per_km"] > 0:
            _check_rx(look, item, row, bus["vn_kv"])


_LINE_VALUES = {"r_ohm_per_km": "error", "x_ohm_per_km": "error", "c_nf_per_km": "error", "max_i_ka": "error"}
_UNIT_VALUES = {"sn_mva": "error", "vk_percent": "error", "vkr_percent": "error", "pfe_kw": "warning",
                "i0_percent": "warning"}  # fmt: skip
_LOOSE = {"vkr_percent", "pfe_kw", "i0_percent"}
"""Losses differ between makers: named only when far off."""


def _check_reactance(look: Look, item: str, row: Row) -> None:
    if not row["x_ohm_per_km"] > 0:
        look.error(
            "lines", item, "reactance", float(row["x_ohm_per_km"]), "The reactance is not above zero.",
            "Give x_ohm_per_km of the line; a series capacitor is not part of the model, a bus coupler joins two "
            "buses into one.",
        )  # fmt: skip


def _compare_with_type(look: Look, table: str, item: str, row: Row, kind: Row, values: Mapping[str, str]) -> None:
    """Name values that are far from those of the element's listed type."""
    limit = limits()
    kind_name = row[f"{table[:-1]}_type"]
    for column, worst in values.items():
        own, listed = float(row[column]), float(kind[column])
        if not (own > 0 and listed > 0):
            continue  # zero has rules of its own
        factor = own / listed
        away = max(factor, 1 / factor)
        severity = cast("Severity", worst) if away >= limit["type_factor_error"] else "warning"
        if away >= limit["type_factor_error" if column in _LOOSE else "type_factor_warning"]:
            look.add(
                severity, table, item, f"{column}_of_type", own,
                f"{column} is {times(factor)} than the {listed:.4g} of its type {kind_name}.",
                f"Correct {column}, or name another type.",
            )  # fmt: skip


def _compare_with_level(look: Look, item: str, row: Row, kinds: pd.DataFrame) -> None:
    """Name values of a line of an unlisted type that are far outside those of the listed types of its voltage."""
    if kinds.empty:
        return
    factor = limits()["level_factor"]
    for column in ("r_ohm_per_km", "x_ohm_per_km", "max_i_ka"):
        own, low, high = float(row[column]), float(kinds[column].min()), float(kinds[column].max())
        if own > 0 and not low / factor <= own <= high * factor:
            ratio = own / (high if own > high else low)
            look.warning(
                "lines", item, f"{column}_of_level", own,
                f"{column} is {times(ratio)} than the {low:.3g} to {high:.3g} of the listed types of its voltage.",
                f"Correct {column}; a cable may differ.",
            )  # fmt: skip


def _check_rx(look: Look, item: str, row: Row, vn_kv: float) -> None:
    limit = limits()
    largest = limit["rx_max_low" if vn_kv < 66 else "rx_max_110" if vn_kv <= 150 else "rx_max_high"]
    ratio = row["r_ohm_per_km"] / row["x_ohm_per_km"]
    if not limit["rx_min"] <= ratio <= largest:
        look.warning(
            "lines", item, "r_over_x", float(ratio),
            f"R/X is outside the usual {limit['rx_min']:g} to {largest:g} of lines of {vn_kv:g} kV.",
            "Correct r_ohm_per_km or x_ohm_per_km; they may be swapped.",
        )  # fmt: skip


def check_lengths(look: Look) -> None:
    for item, row in look.items("lines"):
        if not row["length_km"] > 0:
            look.error(
                "lines", item, "line_length", float(row["length_km"]), "The length is not above zero.",
                "Give length_km of the route; buses without a line between them are one bus.",
            )  # fmt: skip
    limit = limits()
    tolerance = limit["length_tolerance_km"]
    for item, row, (start, end) in look.sound("lines"):
        a, b = look.position(start), look.position(end)
        length = float(row["length_km"])
        if a is None or b is None or start["station_id"] == end["station_id"] or not length > 0:
            continue
        straight = _GEOD.inv(*a, *b)[2] / 1000
        low, high = straight - tolerance, straight + tolerance
        if length < limit["length_short_warning"] * low:
            wrong = length < limit["length_short_error"] * low
        elif straight > tolerance and length > limit["length_long_warning"] * high:
            wrong = length > limit["length_long_error"] * high
        else:
            continue
        look.add(
            "error" if wrong else "warning", "lines", item, "line_length", length,
            f"The length is {times(length / straight)} than the straight distance of its stations, {straight:.1f} km.",
            "Correct length_km, or the coordinates of its stations.",
        )  # fmt: skip


# ---------------------------------------------------------------- transformers


def check_transformers(look: Look) -> None:
    kinds = cast("dict[str, Row]", transformer_types().to_dict("index"))
    for item, row, (high, low) in look.sound("transformers"):
        _check_sides(look, item, row, high, low)
        strange = ({high["station_id"], low["station_id"]} & look.stations.keys()) - {row["station_id"]}
        if strange and row["station_id"] in look.stations:
            look.warning(
                "transformers", item, "transformer_station", ", ".join(sorted(strange)),
                f"A bus of the unit is not in its station {row['station_id']}.",
                "Correct station_id, hv_bus or lv_bus.",
            )  # fmt: skip
    for item, row in look.items("transformers"):
        listed = row["transformer_type"] in kinds
        if listed:
            kind = kinds[row["transformer_type"]]
            _compare_with_type(look, "transformers", item, row, kind, _UNIT_VALUES)
        _check_impedance(look, item, row, listed)
        _check_tap(look, item, row)


def _check_sides(look: Look, item: str, row: Row, high: Row, low: Row) -> None:
    """Rated against nominal voltages; one finding a unit."""
    buses = f"{high['vn_kv']:g}/{low['vn_kv']:g} kV"
    rated = f"{row['vn_hv_kv']:g}/{row['vn_lv_kv']:g} kV"
    if high["vn_kv"] < low["vn_kv"]:
        look.error(
            "transformers", item, "transformer_sides", f"{row['hv_bus']} / {row['lv_bus']}",
            f"The high side is at the bus of the lower voltage ({buses}).", "Swap hv_bus and lv_bus.",
        )  # fmt: skip
        return
    if not (row["vn_hv_kv"] > 0 and row["vn_lv_kv"] > 0):
        look.error(
            "transformers", item, "transformer_voltage", rated, "A rated voltage is not above zero.",
            f"Give the rated voltages; the buses have {buses}.",
        )  # fmt: skip
        return
    of_sides = (row["vn_hv_kv"] / high["vn_kv"], row["vn_lv_kv"] / low["vn_kv"])
    of_ratio = of_sides[0] / of_sides[1]
    if _away(of_ratio):
        look.error(
            "transformers", item, "transformer_ratio", rated,
            f"The ratio is {times(of_ratio)} than that of its buses ({buses}).",
            "Correct vn_hv_kv or vn_lv_kv, or the buses.",
        )  # fmt: skip
    elif any(_away(factor) for factor in of_sides):
        look.error(
            "transformers", item, "transformer_voltage", rated,
            f"The rated voltages are {times(of_sides[0])} than those of its buses ({buses}).",
            "Correct vn_hv_kv and vn_lv_kv, or the buses.",
        )  # fmt: skip


def _away(factor: float) -> bool:
    return max(factor, 1 / factor) > 1 + limits()["ratio_deviation"]


def _check_impedance(look: Look, item: str, row: Row, listed: bool) -> None:
    limit = limits()
    vk, vkr = float(row["vk_percent"]), float(row["vkr_percent"])
    if not vk > abs(vkr):
        look.error(
            "transformers", item, "transformer_reactance", f"vk {vk:g} %, vkr {vkr:g} %",
            "The resistive part is not below the short-circuit voltage, so no reactance is left.",
            "Correct vk_percent or vkr_percent.",
        )  # fmt: skip
    elif not listed and vkr > limit["transformer_rx_max"] * vk:
        look.warning(
            "transformers", item, "transformer_r_share", vkr,
            f"The resistive part is {vkr / vk:.0%} of the short-circuit voltage of {vk:g} %.", "Correct vkr_percent.",
        )  # fmt: skip
    if not listed and vk > 0 and not limit["vk_min_percent"] <= vk <= limit["vk_max_percent"]:
        look.warning(
            "transformers", item, "short_circuit_voltage", vk,
            f"Outside the usual {limit['vk_min_percent']:g} to {limit['vk_max_percent']:g} %.",
            "Give vk_percent in percent on the unit's own rating.",
        )  # fmt: skip


def _check_tap(look: Look, item: str, row: Row) -> None:
    low, high, used = float(row["tap_min"]), float(row["tap_max"]), float(row["tap_pos"])
    span = f"{low:g} to {high:g}"
    if low > high:
        look.error("transformers", item, "tap_limits", span, "tap_min is above tap_max.", "Swap them.")
    elif not low <= used <= high:
        look.error(
            "transformers", item, "tap_position", used, f"The tap in use is outside its range {span}.",
            "Correct tap_pos, tap_min or tap_max.",
        )  # fmt: skip
    elif not low <= row["tap_neutral"] <= high:
        look.warning(
            "transformers", item, "tap_neutral", float(row["tap_neutral"]),
            f"The neutral position is outside the range {span}.", "Correct tap_neutral, tap_min or tap_max.",
        )  # fmt: skip
    if used != row["tap_neutral"] and row["tap_step_percent"] == 0:
        look.error(
            "transformers", item, "tap_without_step", used,
            f"The tap stands {abs(used - row['tap_neutral']):g} positions off neutral, but a step is 0 %: "
            "it does nothing.",
            "Give tap_step_percent, or put tap_pos at tap_neutral.",
        )  # fmt: skip
    if row["tap_step_percent"] > limits()["tap_step_max_percent"]:
        look.warning(
            "transformers", item, "tap_step", float(row["tap_step_percent"]),
            f"A step above {limits()['tap_step_max_percent']:g} % is unusual.", "Correct tap_step_percent.",
        )  # fmt: skip


def _ratio(row: Row) -> float:
    """Ratio high to low with the tap in use."""
    turns = 1 + (row["tap_pos"] - row["tap_neutral"]) * row["tap_step_percent"] / 100
    ratio = row["vn_hv_kv"] / row["vn_lv_kv"] if row["vn_lv_kv"] else math.nan
    return float(ratio * turns if row["tap_side"] == "hv" else ratio / turns if turns else math.nan)


def _off_degree(a: float, b: float) -> float:
    """Difference of two angles, within -180 (excluded) to 180."""
    return 180 - (180 - (a - b)) % 360


# ---------------------------------------------------------------- units in parallel and in loops


def _judged_units(look: Look) -> Iterator[tuple[str, Row, tuple[float, float]]]:
    """Units whose sides and ratio are not named wrong already, with the voltages they join."""
    for item, row, (high, low) in look.sound("transformers"):
        if high["vn_kv"] < low["vn_kv"] or not (row["vn_hv_kv"] > 0 and row["vn_lv_kv"] > 0):
            continue
        if not _away(row["vn_hv_kv"] / row["vn_lv_kv"] * low["vn_kv"] / high["vn_kv"]):
            yield item, row, (high["vn_kv"], low["vn_kv"])


def _usual_shifts(look: Look) -> dict[tuple[float, float], float]:
    """The most frequent shift [degree, 0 to 360) between two voltages; the first row decides a tie."""
    counts: dict[tuple[float, float], Counter[float]] = defaultdict(Counter)
    for _, row, levels in _judged_units(look):
        counts[levels][row["shift_degree"] % 360] += 1
    return {levels: counter.most_common(1)[0][0] for levels, counter in counts.items()}


def _banks(look: Look) -> dict[tuple[str, str], list[tuple[str, Row, bool]]]:
    """Units in parallel: id, row, whether the shift is the usual one; units of the usual shift come first."""
    usual = _usual_shifts(look)
    banks: dict[tuple[str, str], list[tuple[str, Row, bool]]] = defaultdict(list)
    for item, row, levels in _judged_units(look):
        same = abs(_off_degree(row["shift_degree"], usual[levels])) <= _ANGLE_TOLERANCE_DEGREE
        banks[row["hv_bus"], row["lv_bus"]].append((item, row, same))
    return {buses: sorted(units, key=lambda unit: not unit[2]) for buses, units in banks.items()}


def check_parallel_units(look: Look) -> None:
    """Units between the same buses must have one shift and one ratio, or a current circulates."""
    limit = limits()
    for units in _banks(look).values():
        first, first_row, _ = units[0]
        middle = median_low(_ratio(row) for _, row, _ in units)
        for item, row, _ in units:
            off = _off_degree(row["shift_degree"], first_row["shift_degree"])
            if abs(off) > _ANGLE_TOLERANCE_DEGREE:
                look.error(
                    "transformers", item, "parallel_shift", float(row["shift_degree"]),
                    f"Its shift is {off:+g} degree off that of {first}, which is parallel to it: "
                    f"{_circulating(row, off)}. A load flow may converge all the same.",
                    "Correct shift_degree; such units must never be paralleled.",
                )  # fmt: skip
            deviation = abs(_ratio(row) / middle - 1)
            if deviation > limit["parallel_ratio_warning"]:
                look.add(
                    "error" if deviation > limit["parallel_ratio_error"] else "warning",
                    "transformers", item, "parallel_ratio", _ratio(row),
                    f"With the tap in use its ratio is {deviation:.1%} off the {middle:.4g} of the units "
                    "parallel to it.",
                    "Give parallel units the same rated voltages and taps.",
                )  # fmt: skip


def _circulating(row: Row, off_degree: float) -> str:
    """``|1 - exp(j a)| / (2 vk)`` of the rated current flows between two equal units that are shifted by ``a``."""
    if not row["vk_percent"] > 0:
        return "a current circulates"
    share = 2 * abs(math.sin(math.radians(off_degree) / 2)) / (2 * row["vk_percent"] / 100)
    return f"about {share:.0%} of the rated current circulates"


def check_vector_groups(look: Look) -> None:
    """The shifts around every loop must sum to a multiple of 360 degrees.

    Angles are laid along lines first, then along units of the usual shift; a unit that closes a loop with another
    angle is named. So the unit out of the ordinary is named, and each fault once.
    """
    graph = nx.Graph()
    graph.add_nodes_from(look.buses)
    for item, row, _ in look.sound("lines"):
        graph.add_edge(row["from_bus"], row["to_bus"], item=item)
    angle: dict[str, tuple[str, float]] = {}
    for part in nx.connected_components(graph):
        root = min(part)
        angle.update((bus, (root, 0.0)) for bus in part)
    members = defaultdict(list)
    for bus, (root, _) in angle.items():
        members[root].append(bus)
    banks = sorted(((*buses, *units[0]) for buses, units in _banks(look).items()), key=lambda bank: not bank[4])
    for high, low, item, row, _ in banks:
        (root_high, at_high), (root_low, at_low) = angle[high], angle[low]
        off = _off_degree(at_high - row["shift_degree"], at_low)
        if root_high != root_low:
            for bus in members.pop(root_low):
                angle[bus] = (root_high, angle[bus][1] + off)
                members[root_high].append(bus)
        elif abs(off) > _ANGLE_TOLERANCE_DEGREE:
            way = nx.shortest_path(graph, low, high)
            loop = [item, *(graph.edges[a, b]["item"] for a, b in pairwise(way))]
            look.error(
                "transformers", item, "vector_group", float(row["shift_degree"]),
                f"The shifts around the loop {', '.join(loop)} sum to {off:+g} degree, not to 0.",
                "Correct shift_degree of a unit of the loop.",
            )  # fmt: skip
            continue
        if not graph.has_edge(high, low):
            graph.add_edge(high, low, item=item)

"""Zero sequence of lines and transformers of a case: vector groups by levels, impedances by standard tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from grid.model.arrays import Bools, CaseArrays, Complexes, Floats, Ints
from grid.standards_tables import standard_table
from grid.studies.short_circuit_assumptions import Notes, is_transformer, nearest_level

Texts = npt.NDArray[np.object_]
LINE, THROUGH, DELTA, EARTHED_FROM, EARTHED_TO, OPEN = "line", "through", "delta", "earthed_from", "earthed_to", "open"
"""How a branch carries zero sequence."""


def zero_sequence_of(
    arrays: CaseArrays,
    leakage: Complexes,
    z1: Complexes,
    leg: Bools,
    vn: Floats,
    earthed: Bools,
    rules: Mapping[str, float],
    notes: Notes,
) -> tuple[Complexes, Texts, Floats]:
    unit = is_transformer(arrays)
    kind = np.where(unit, OPEN, LINE).astype(object)
    z0 = np.where(unit, z1, _line_zero_sequence(arrays, vn, rules, notes))
    z0 = np.where(unit, z1.real + 1j * rules["transformer_x0_over_x1"] * z1.imag, z0)
    from_kv, to_kv = vn[arrays.f_bus], vn[arrays.t_bus]
    earthed_from, earthed_to = earthed[arrays.f_bus], earthed[arrays.t_bus]
    two = unit & ~leg
    kind[two & earthed_from & earthed_to] = THROUGH
    kind[two & earthed_from & ~earthed_to] = EARTHED_FROM
    kind[two & ~earthed_from & earthed_to] = EARTHED_TO
    ratio = np.maximum(from_kv, to_kv) / np.minimum(from_kv, to_kv)
    delta = (kind == THROUGH) & (ratio >= rules["auto_ratio"])
    kind[delta] = DELTA
    high = np.maximum(from_kv, to_kv) >= rules["delta_from_kv"]
    m = np.where(high, rules["delta_x_high"], rules["delta_x_low"])
    uncorrected = leakage.real + 1j * rules["transformer_x0_over_x1"] * leakage.imag
    delta_pu = np.where(delta, m * np.abs(uncorrected), 0.0)
    _star_legs(arrays, kind, leg, vn, earthed)
    isolated = _isolated_neutrals(arrays, kind, leg, vn, earthed, rules)
    kind[isolated] = OPEN
    spare = _neutrals_left_open(arrays, kind, leg, vn, rules)
    kind[spare] = OPEN
    ids = arrays.case.branches["branch_id"].to_numpy()
    for name, text in (
        (DELTA, "Units between earthed levels: YNyn with a delta winding."),
        (THROUGH, "Units between buses of one earthed level: zero sequence passes."),
        (OPEN, "Units between levels that are not earthed: no zero sequence."),
    ):
        chosen = two & arrays.live & (kind == name) & ~isolated & ~spare
        notes.add(f"vector_group_{name}", "branches", ids[chosen], text, "C", "")
    text = "Units that only feed load have an isolated neutral at this level: no earth."
    remedy = "Set neutral_earthed_from_kv in short_circuit_rules.csv of your own."
    notes.add("neutral_isolated", "branches", ids[isolated & arrays.live], text, "B", remedy)
    text = "Of units in parallel one runs with its neutrals earthed, those of the others are open."
    remedy = "Set earthed_units in short_circuit_rules.csv of your own."
    notes.add("neutral_one_unit", "branches", ids[spare], text, "B", remedy)
    one = two & arrays.live & np.isin(kind, (EARTHED_FROM, EARTHED_TO))
    odd = np.round(np.rad2deg(arrays.branch.shift_rad) / 30).astype(int) % 2 == 1
    text = "Units from an earthed to another level: YNd, as the shift says."
    notes.add("vector_group_ynd", "branches", ids[one & odd], text, "B", "")
    text = "Units from an earthed to another level without a shift in the source: YNd by their levels."
    notes.add("vector_group_assumed", "branches", ids[one & ~odd], text, "C", "")
    text = "Windings of three-winding units: earthed levels pass zero sequence, the lowest level is a delta."
    notes.add("vector_group_3w", "branches", ids[leg & arrays.live & ~isolated & ~spare], text, "C", "")
    return np.asarray(z0, dtype=np.complex128), kind, np.asarray(delta_pu, dtype=np.float64)


def _line_zero_sequence(arrays: CaseArrays, vn: Floats, rules: Mapping[str, float], notes: Notes) -> Complexes:
    """z0 of lines: r1 + added ohms of the earth's return by length, x1 times the level's factor."""
    branches = arrays.case.branches
    table = standard_table("zero_sequence")
    kv = vn[arrays.f_bus]
    level = nearest_level(kv, table["vn_kv"].to_numpy(float))
    z, ohm = arrays.branch.z_pu, kv**2 / arrays.base_mva
    length = branches["length_km"].to_numpy(float)
    typical = np.where(kv >= rules["delta_from_kv"], rules["line_x_high_ohm_per_km"], rules["line_x_low_ohm_per_km"])
    known = length > 0
    length = np.where(known, length, np.maximum(z.imag, 0.0) * ohm / typical)
    r0 = z.real + table["r0_add_ohm_per_km"].to_numpy(float)[level] * length / ohm
    x0 = z.imag * np.where(z.imag > 0, table["x0_over_x1"].to_numpy(float)[level], 1.0)
    line = ~is_transformer(arrays) & arrays.live
    ids = branches["branch_id"].to_numpy()
    text = "Zero sequence of lines by level: x0 and r0 of overhead lines with ground wires."
    notes.add("line_zero_sequence", "branches", ids[line], text, "C", "Give zero_sequence.csv of your own.")
    text = "Length of these lines told by their reactance, for r0."
    notes.add("line_length", "branches", ids[line & ~known], text, "C", "Give length_km.")
    return np.asarray(r0 + 1j * x0, dtype=np.complex128)


def _star_legs(arrays: CaseArrays, kind: Texts, leg: Bools, vn: Floats, earthed: Bools) -> None:
    """Windings of three-winding units: earthed ones pass, the lowest other one is the delta, further ones open."""
    owners = arrays.case.branches["transformer_id"].to_numpy()
    for unit in dict.fromkeys(owners[leg]):
        own = np.flatnonzero(owners == unit)
        kv = vn[arrays.f_bus[own]]
        kind[own] = np.where(earthed[arrays.f_bus[own]], THROUGH, OPEN)
        lowest = own[np.argmin(kv)]
        if kind[lowest] == OPEN:
            kind[lowest] = EARTHED_TO


def _isolated_neutrals(
    arrays: CaseArrays, kind: Texts, leg: Bools, vn: Floats, earthed: Bools, rules: Mapping[str, float]
) -> Bools:
    """Units (and legs) whose star point is not earthed: below a level, without a plant at the side that is not earthed.

    Practice at 110 kV: the neutrals of feeding and of plants' units are earthed, those of load stations are not.
    """
    plant = np.zeros(arrays.n_node, dtype=bool)
    plant[arrays.node[arrays.generator_bus[arrays.generator_on]]] = True
    below = earthed & (vn < rules["neutral_earthed_from_kv"])
    found = np.zeros(arrays.n_branch, dtype=bool)
    for name, high, low in ((EARTHED_FROM, arrays.f_bus, arrays.t), (EARTHED_TO, arrays.t_bus, arrays.f)):
        found |= ~leg & (kind == name) & below[high] & ~plant[low]
    owners = arrays.case.branches["transformer_id"].to_numpy()
    for unit in dict.fromkeys(owners[leg]):
        own = np.flatnonzero(owners == unit)
        bus = arrays.f_bus[own]
        others = bus[~earthed[bus]]
        if below[bus[np.argmax(vn[bus])]] and len(others) and not plant[arrays.node[others]].any():
            found[own] = True
    return found


def _neutrals_left_open(arrays: CaseArrays, kind: Texts, leg: Bools, vn: Floats, rules: Mapping[str, float]) -> Bools:
    """Units (and legs) beside others between the same buses, beyond those that are earthed: the largest.

    Autotransformers of the bulk network (high side from ``delta_from_kv``) must be earthed, all of them.
    """
    found = np.zeros(arrays.n_branch, dtype=bool)
    groups: dict[tuple[int, ...], list[Ints]] = {}
    carries = arrays.live & np.isin(kind, (DELTA, EARTHED_FROM, EARTHED_TO))
    for row in np.flatnonzero(carries & ~leg).tolist():
        if max(vn[arrays.f_bus[row]], vn[arrays.t_bus[row]]) < rules["delta_from_kv"]:
            nodes = sorted((int(arrays.f[row]), int(arrays.t[row])))
            groups.setdefault(tuple(nodes), []).append(np.array([row]))
    owners = arrays.case.branches["transformer_id"].to_numpy()
    for unit in dict.fromkeys(owners[leg & arrays.live]):
        own = np.flatnonzero((owners == unit) & arrays.live)
        if vn[arrays.f_bus[own]].max() < rules["delta_from_kv"] and (kind[own] == THROUGH).any():
            groups.setdefault(tuple(sorted(arrays.f[own].tolist())), []).append(own)
    rating = np.nan_to_num(arrays.case.branches["rating_a_mva"].to_numpy(float))
    for units in groups.values():
        units.sort(key=lambda own: -rating[own].max())
        for own in units[round(rules["earthed_units"]) :]:
            found[own] = True
    return found

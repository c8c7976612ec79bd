"""What IEC 60909 needs to know of a case: sources, corrected impedances, zero sequence, and what had to be assumed.

::

    machine or infeed       unit between earthed levels                 between an earthed and another level
      c U                   f o--[ s z0 ]--+--[ (1-s) z0 ]--o t         f o--[ z0 ]--+        o t
      (~)--[ z1, z0 ]--o                   |                                         |
                                      [ j m |z0| ] delta winding                     = earth

Loads, shunts, line capacitances, HVDC ends and tap positions do not count (IEC 60909-0, equivalent voltage source);
all impedances are on ``base_mva`` and the buses' base voltages, converters are current sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from grid.model.arrays import Bools, CaseArrays, Complexes, Floats, Ints, compile_case
from grid.model.contracts import BusBranch
from grid.model.nameplate import Pi, pi_to_t, star_impedances
from grid.standards_tables import standard_table
from grid.studies.short_circuit_assumptions import (
    Notes,
    ShortCircuitOptions,
    fault_rules,
    is_transformer,
    nearest_level,
    refuse_options,
)
from grid.studies.short_circuit_zero import Texts, zero_sequence_of
from layers.contracts import Finding


@dataclass(frozen=True)
class Sources:
    """Voltage sources behind an impedance, shape (sources,); ``y0_pu`` is 0 where the neutral is not earthed."""

    bus: Ints
    y1_pu: Complexes
    y0_pu: Complexes


@dataclass(frozen=True)
class Converters:
    """Current sources, shape (converters,): bus row, rating and factor on the rated current."""

    bus: Ints
    sn_mva: Floats
    k: Floats


@dataclass(frozen=True)
class FaultData:
    """A case ready for short circuits. ``z1_pu`` and ``z0_pu`` hold the correction factors already; ``zero_kind``
    names how each branch carries zero sequence and ``delta_pu`` the reactance to its delta winding (0 none)."""

    arrays: CaseArrays
    c: float
    leakage_pu: Complexes
    """Series impedances without factors; of transformers the leakage, without the magnetising branch."""
    z1_pu: Complexes
    z0_pu: Complexes
    zero_kind: Texts
    delta_pu: Floats
    rating_mva: Floats
    """Rating of each branch, ``base_mva`` where unknown: the base of its correction factor."""
    star_leg: Bools
    sources: Sources
    converters: Converters
    breaker_ka: Floats
    """Rating at each bus row; NaN where no level is near."""
    earthed: Bools
    """Bus rows whose level has earthed neutrals and that are not machine terminals."""
    unknown_sources: tuple[str, ...]
    """Running generators whose current had to be guessed whole (outside equivalents) or left out (no rating)."""
    findings: tuple[Finding, ...]

    @property
    def base_ka(self) -> Floats:
        """Current of 1 pu at each bus row."""
        return np.asarray(self.arrays.base_mva / (np.sqrt(3) * self.arrays.case.buses["vn_kv"].to_numpy(float)))


def fault_data(case: BusBranch, options: ShortCircuitOptions | None = None) -> FaultData:
    """Collect sources and impedances of a case and note every assumption.

    Raises
    ------
    InputError
        If the tables are broken, or an option names what the case does not have or is not positive.
    """
    options = options or ShortCircuitOptions()
    arrays = compile_case(case)
    refuse_options(case, options)
    rules = fault_rules()
    notes = Notes(case.source.shown_path)
    vn = arrays.case.buses["vn_kv"].to_numpy(float)
    breaker = _breaker_ratings(arrays, vn, options, rules, notes)
    leakage = _leakages(arrays)
    z1, rating, leg = _corrected(case, arrays, leakage, rules, notes)
    terminal = machine_terminals(arrays)
    text = "Machine buses that only a transformer joins to the network: terminals without earth or listed breaker."
    notes.add("terminals", "buses", arrays.bus_ids[terminal & (vn >= rules["earthed_from_kv"])], text, "C", "")
    earthed = (vn >= rules["earthed_from_kv"]) & ~terminal
    z0, kind, delta = zero_sequence_of(arrays, leakage, z1, leg, vn, earthed, rules, notes)
    hidden = terminal & (vn >= rules["step_up_from_kv"]) & ~np.isin(arrays.bus_ids, list(options.breaker_ka))
    unseen = (vn >= rules["step_up_from_kv"]) & ~terminal
    sources, converters, unknown = _sources(arrays, vn, unseen, options, rules, notes)
    _note_neglected(arrays, notes)
    sectioned = _sectioned(arrays, vn, rules) & ~np.isin(arrays.bus_ids, list(options.breaker_ka))
    text = "Several units feed this bus: in practice its sections run apart, so the common current meets no breaker."
    notes.add("sections", "buses", arrays.bus_ids[sectioned], text, "B", "Model the sections, or give breaker_ka.")
    return FaultData(
        arrays, rules["voltage_factor"], leakage, z1, z0, kind, delta, rating, leg, sources, converters,
        np.where(hidden | sectioned, np.nan, breaker),
        earthed, unknown, tuple(notes.found),
    )  # fmt: skip


def _note_neglected(arrays: CaseArrays, notes: Notes) -> None:
    if len(arrays.hvdc_bus):
        text = "HVDC ends give no short-circuit current here (line-commutated converters)."
        notes.add("hvdc", "hvdc", arrays.case.hvdc["hvdc_id"], text, "B", "Give voltage-source ends as generators.")


# ---------------------------------------------------------------- levels


def _breaker_ratings(
    arrays: CaseArrays, vn: Floats, options: ShortCircuitOptions, rules: Mapping[str, float], notes: Notes
) -> Floats:
    table = standard_table("short_circuit")
    level = nearest_level(vn, table["vn_kv"].to_numpy(float), rules["level_ratio"])
    limit = np.where(level >= 0, table["limit_ka"].to_numpy(float)[level], np.nan)
    for bus, value in options.breaker_ka.items():
        limit[arrays.bus_ids == bus] = value
    told = ~arrays.case.buses["is_star"].to_numpy(bool) & ~arrays.off
    assumed = told & np.isfinite(limit) & ~np.isin(arrays.bus_ids, list(options.breaker_ka))
    if assumed.any():
        kv = sorted(set(vn[assumed]), reverse=True)
        text = "Breaker ratings are the planning values of the level, not those of the bay."
        notes.add("breaker_rating", "buses", (f"{v:g} kV" for v in kv), text, "B", "Give breaker_ka by bus.")
    unknown = told & np.isnan(limit)
    text = "No breaker rating is listed near this voltage: no margin."
    notes.add("breaker_unknown", "buses", arrays.bus_ids[unknown], text, "", "Give breaker_ka by bus.")
    return np.asarray(limit, dtype=np.float64)


# ---------------------------------------------------------------- positive sequence


def _correction(x_pu: Floats, rules: Mapping[str, float]) -> Floats:
    """K_T = 0.95 c / (1 + 0.6 x_T), with x_T on the unit's own rating (IEC 60909-0, network transformers)."""
    factor = rules["transformer_correction"] * rules["voltage_factor"]
    return np.asarray(factor / (1 + 0.6 * np.abs(x_pu)), dtype=np.float64)


def _sectioned(arrays: CaseArrays, vn: Floats, rules: Mapping[str, float]) -> Bools:
    """Bus rows of the low levels that two or more units feed from above."""
    kv = np.zeros(arrays.n_node)
    kv[arrays.node] = vn
    units = arrays.live & is_transformer(arrays)
    count = np.zeros(arrays.n_node, dtype=int)
    for low, high in ((arrays.f, arrays.t), (arrays.t, arrays.f)):
        fed = units & (kv[low] < kv[high])
        count += np.bincount(low[fed], minlength=arrays.n_node)
    return np.asarray((vn < rules["sectioned_below_kv"]) & (count[arrays.node] >= 2))


def machine_terminals(arrays: CaseArrays) -> Bools:
    """Bus rows that are a machine's terminals whatever their base voltage: transformers to one other bus, no line.

    Cases with one base voltage for all buses hide their step-up transformers this way.
    """
    n, live = arrays.n_node, arrays.live
    unit = is_transformer(arrays)
    machine = np.zeros(n, dtype=bool)
    table = standard_table("short_circuit_sources")
    turning = arrays.case.generators["fuel"].isin(table.loc[table["kind"] == "machine", "fuel"]).to_numpy(bool)
    machine[arrays.node[arrays.generator_bus[arrays.generator_on & turning]]] = True
    lines = live & ~unit
    touched = np.bincount(arrays.f[lines], minlength=n) + np.bincount(arrays.t[lines], minlength=n)
    units = live & unit
    pairs = np.unique(
        np.concatenate(
            [np.stack([arrays.f[units], arrays.t[units]], 1), np.stack([arrays.t[units], arrays.f[units]], 1)]
        ),
        axis=0,
    )
    neighbours = np.bincount(pairs[:, 0], minlength=n)
    return np.asarray((machine & (touched == 0) & (neighbours == 1))[arrays.node])


def _leakages(arrays: CaseArrays) -> Complexes:
    pi = Pi(arrays.branch.z_pu, arrays.branch.y_pu)
    return np.asarray(np.where(is_transformer(arrays), pi_to_t(pi)[0], pi.z_pu), dtype=np.complex128)


def _corrected(
    case: BusBranch, arrays: CaseArrays, leakage: Complexes, rules: Mapping[str, float], notes: Notes
) -> tuple[Complexes, Floats, Bools]:
    """Series impedances with K_T, the ratings they refer to, and which branches are legs of three-winding units."""
    branches, base = arrays.case.branches, arrays.base_mva
    z = leakage.copy()
    given = branches["rating_a_mva"].to_numpy(float)
    rating = np.where(given > 0, given, base)
    unit = is_transformer(arrays) & ~arrays.tie
    leg = (branches["transformer_id"] != "").to_numpy(bool)
    two = unit & ~leg
    z[two] *= _correction(z[two].imag * rating[two] / base, rules)
    unrated = branches["branch_id"].to_numpy()[unit & arrays.live & ~(given > 0)]
    text = f"Transformers without rating: correction factor K_T for {base:g} MVA."
    notes.add("transformer_rating", "branches", unrated, text, "C", "Give the rating.")
    three = case.three_winding
    if len(three):
        sn = np.stack([three[f"rating_{k}_mva"].to_numpy(float) for k in (1, 2, 3)])
        sn = np.where(sn > 0, sn, base)
        pairs = []
        for k, name in enumerate(("12", "23", "31")):
            pair = three[f"r_{name}_pu"].to_numpy(float) + 1j * three[f"x_{name}_pu"].to_numpy(float)
            pairs.append(pair * _correction(pair.imag * np.minimum(sn[k], sn[(k + 1) % 3]) / base, rules))
        row = {name: i for i, name in enumerate(branches["branch_id"])}
        for k, legs in enumerate(star_impedances(*pairs), start=1):
            for name, value in zip(three["transformer_id"], legs, strict=True):
                z[row[f"{name}/{k}"]] = value
    turned = unit & arrays.live & (np.abs(arrays.branch.ratio - 1) > 1e-9)
    text = "Transformers count at nominal ratio (IEC 60909: main tap)."
    notes.add("taps", "branches", branches["branch_id"].to_numpy()[turned], text, "B", "")
    return z, np.asarray(rating, dtype=np.float64), leg


# ---------------------------------------------------------------- sources


def _sources(
    arrays: CaseArrays, vn: Floats, unseen_step_up: Bools, options: ShortCircuitOptions,
    rules: Mapping[str, float], notes: Notes,
) -> tuple[Sources, Converters, tuple[str, ...]]:  # fmt: skip
    table = standard_table("short_circuit_sources").set_index("fuel")
    running = arrays.case.generators[arrays.generator_on]
    rows = arrays.generator_bus[arrays.generator_on]
    reference = set(arrays.reference.tolist())
    voltage: list[tuple[int, complex, complex]] = []
    current: list[tuple[int, float, float]] = []
    assumed: dict[str, list[str]] = {name: [] for name in _ASSUMED}
    for row, g in zip(rows.tolist(), running.to_dict("records"), strict=True):
        name, fuel = str(g["generator_id"]), str(g["fuel"])
        entry = table.loc[fuel] if fuel in table.index else None
        sn, how = _rating(g, options.sn_mva.get(name), rules)
        infeed = name in options.infeed_s_sc_mva or entry is None or (not sn and row in reference)
        if not infeed and not sn:
            assumed["no_rating"].append(name)
            continue
        if how and not infeed:
            assumed[how].append(name)
        if infeed:
            given = options.infeed_s_sc_mva.get(name)
            if given is None:
                assumed["infeed"].append(name)
                given = _infeed_mva(float(vn[row]), rules)
            voltage.append((row, *infeed_admittances(given, arrays.base_mva, rules)))
        elif entry is not None and entry["kind"] == "converter":
            k = options.k.get(name)
            assumed["k"].extend([name] if k is None else [])
            current.append((row, sn, float(entry["k"]) if k is None else k))
        elif entry is not None:
            xdss = options.xdss_percent.get(name)
            assumed["xdss"].extend([name] if xdss is None else [])
            x = (float(entry["xdss_percent"]) if xdss is None else xdss) / 100
            unseen = bool(unseen_step_up[row])
            assumed["step_up"].extend([name] if unseen else [])
            voltage.append((row, *_machine_admittances(sn, x, float(entry["rx"]), unseen, arrays.base_mva, rules)))
    for name, ids in assumed.items():
        message, confidence, remedy, severity = _ASSUMED[name]
        notes.add(name, "generators", ids, message, confidence, remedy, severity)
    return (
        Sources(
            np.array([v[0] for v in voltage], dtype=np.int64),
            np.array([v[1] for v in voltage], dtype=complex),
            np.array([v[2] for v in voltage], dtype=complex),
        ),
        Converters(
            np.array([v[0] for v in current], dtype=np.int64),
            np.array([v[1] for v in current], dtype=float),
            np.array([v[2] for v in current], dtype=float),
        ),
        (*assumed["infeed"], *assumed["no_rating"]),
    )


_Severity = Literal["note", "warning"]
_ASSUMED: dict[str, tuple[str, str, str, _Severity]] = {
    "no_rating": ("Running plants of unknown rating and output give no current.", "", "Give sn_mva or p_max_mw.",
                  "warning"),
    "rating_by_power": ("Rating told by the largest active power and the rated power factor.", "C", "Give sn_mva.",
                        "note"),
    "rating_below_power": ("The stated rating is below the largest active power and was taken for a placeholder.", "C",
                           "Give sn_mva.", "note"),
    "rating_by_reactive_power": ("Rating told by the largest reactive power (synchronous condenser).", "C",
                                 "Give sn_mva.", "note"),
    "infeed": ("Short-circuit power of outside equivalents: half of the breaker rating of their level.", "C",
               "Give infeed_s_sc_mva.", "note"),
    "k": ("Converters are current sources of k times their rating, k by technology.", "C", "Give k by generator.",
          "note"),
    "xdss": ("Subtransient reactance of machines by fuel.", "C", "Give xdss_percent by generator.", "note"),
    "step_up": ("Machines on a transmission bus: an unseen step-up transformer stands in series, its high side is "
                "earthed.", "C", "Model machine terminals and step-up transformers.", "note"),
}  # fmt: skip


def _rating(g: Mapping[Any, Any], given: float | None, rules: Mapping[str, float]) -> tuple[float, str]:
    """(MVA, assumption made): the stated rating unless it is below the largest active power; 0 where nothing tells."""
    if given is not None:
        return given, ""
    stated, most = float(g["sn_mva"]), float(g["p_max_mw"])
    power = max(most if np.isfinite(most) else 0.0, abs(float(g["p_mw"])), 0.0)
    converter = g["fuel"] in ("pv", "wind", "storage")
    by_power = power if converter else power / rules["rated_power_factor"]
    if np.isfinite(stated) and stated > 0:
        return (stated, "") if stated >= 0.99 * power else (by_power, "rating_below_power")
    if power > 0:
        return by_power, "rating_by_power"
    reactive = float(g["q_max_mvar"])
    return (reactive, "rating_by_reactive_power") if np.isfinite(reactive) and reactive > 0 else (0.0, "")


def _infeed_mva(vn_kv: float, rules: Mapping[str, float]) -> float:
    """Short-circuit power of an equivalent that nothing is known of, by the planning rating of the nearest level."""
    table = standard_table("short_circuit")
    breaker_ka = float(table["limit_ka"].iloc[nearest_level(np.array([vn_kv]), table["vn_kv"].to_numpy(float))[0]])
    return float(rules["infeed_share"] * np.sqrt(3) * vn_kv * breaker_ka)


def infeed_admittances(s_sc_mva: float, base_mva: float, rules: Mapping[str, float]) -> tuple[complex, complex]:
    """Positive and zero sequence of an outside equivalent [pu]: Z_Q = c U^2 / S"k, split by R/X; zero sequence by the
    factor on X (IEC 60909-0, network feeders)."""
    z = rules["voltage_factor"] * base_mva / s_sc_mva
    rx = rules["infeed_rx"]
    x = z / np.sqrt(1 + rx**2)
    x0 = rules["infeed_x0_over_x1"] * x
    return 1 / complex(rx * x, x), 1 / complex(rx * x0, x0)


def _machine_admittances(
    sn_mva: float, xdss: float, rx: float, unseen_step_up: bool, base_mva: float, rules: Mapping[str, float]
) -> tuple[complex, complex]:
    """Machine with K_G = c / (1 + x" sin(phi)); with an unseen step-up unit, K (Z_G + Z_T) as IEC 60909's K_SO at
    nominal ratios. The star point of the step-up's high side is earthed, that of a machine is not."""
    k = rules["voltage_factor"] / (1 + xdss * np.sqrt(1 - rules["rated_power_factor"] ** 2))
    z1 = complex(rx * xdss, xdss)
    if not unseen_step_up:
        return 1 / (k * z1 * base_mva / sn_mva), 0j
    vk, ratio = rules["step_up_vk_percent"] / 100, rules["step_up_rx"]
    x = vk / np.sqrt(1 + ratio**2)
    z_t = complex(ratio * x, x)
    z0 = complex(z_t.real, rules["transformer_x0_over_x1"] * z_t.imag)
    scale = k * base_mva / sn_mva
    return 1 / (scale * (z1 + z_t)), 1 / (scale * z0)


def bus_names(arrays: CaseArrays) -> pd.DataFrame:
    """bus, name and vn_kv of the buses that are told about: not star points."""
    buses = arrays.case.buses
    told = ~buses["is_star"].to_numpy(bool)
    return pd.DataFrame({"bus": buses["bus_id"], "name": buses["name"], "vn_kv": buses["vn_kv"]})[told]

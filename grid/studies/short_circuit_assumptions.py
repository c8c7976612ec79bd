"""What is assumed about short circuits, said once a kind; what a user knows better; the rules that fill the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from grid.model.arrays import Bools, CaseArrays, Floats, Ints
from grid.model.contracts import BusBranch
from grid.standards_tables import standard_table
from layers.contracts import Finding, InputError


@dataclass(frozen=True)
class ShortCircuitOptions:
    """What the source of the network does not say, by id; everything else follows from the standard tables."""

    engine: Literal["auto", "pandapower", "matrix"] = "auto"
    """pandapower's ``calc_sc``, or the closed form on the bus impedance matrix; auto takes pandapower for up to
    ``most_pandapower_buses`` buses (it inverts a dense matrix)."""
    most_pandapower_buses: int = 3000
    infeed_s_sc_mva: Mapping[str, float] = field(default_factory=dict)
    """Short-circuit power [MVA] by generator id; the generator counts as outside equivalent."""
    xdss_percent: Mapping[str, float] = field(default_factory=dict)
    """Subtransient reactance [% of the machine's rating] by generator id."""
    sn_mva: Mapping[str, float] = field(default_factory=dict)
    """Rating [MVA] by generator id."""
    k: Mapping[str, float] = field(default_factory=dict)
    """Short-circuit over rated current of converters by generator id."""
    breaker_ka: Mapping[int, float] = field(default_factory=dict)
    """Breaker rating [kA] by bus id."""


def fault_rules() -> dict[str, float]:
    """Value of each row of ``standards/short_circuit_rules.csv``."""
    table = standard_table("short_circuit_rules")
    return dict(zip(table["rule"], table["value"].astype(float), strict=True))


@dataclass
class Notes:
    """Assumptions, one finding a kind."""

    file: str
    found: list[Finding] = field(default_factory=list)

    def add(
        self, rule: str, layer: str, ids: Iterable[Any], message: str, confidence: str, remedy: str,
        severity: Literal["note", "warning"] = "note",
    ) -> None:  # fmt: skip
        names = [str(x) for x in ids]
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            text = f"{message} Confidence {confidence}." if confidence else message
            self.found.append(
                Finding(severity, f"short_circuit.{rule}", self.file, layer, shown, str(len(names)), text, remedy)
            )


def refuse_options(case: BusBranch, options: ShortCircuitOptions) -> None:
    known: dict[str, set[Any]] = {
        name: set(case.generators["generator_id"]) for name in ("infeed_s_sc_mva", "xdss_percent", "sn_mva", "k")
    }
    known["breaker_ka"] = set(case.buses["bus_id"].astype(int))
    found = []
    for name, ids in known.items():
        for key, value in getattr(options, name).items():
            wrong = "There is no such id in the network." if key not in ids else ""
            wrong = wrong or ("" if np.isfinite(value) and value > 0 else "The value must be above 0.")
            if wrong:
                found.append(
                    Finding("error", "short_circuit.option", case.source.shown_path, name, str(key), f"{value:g}",
                            wrong, "Correct the id or the value.")
                )  # fmt: skip
    if options.engine not in ("auto", "pandapower", "matrix"):
        remedy = "Use auto, pandapower or matrix."
        found.append(Finding("error", "short_circuit.option", "", "engine", "", options.engine, "Unknown.", remedy))
    if found:
        raise InputError(found)


def nearest_level(vn_kv: Floats, levels_kv: Floats, most_ratio: float = np.inf) -> Ints:
    """Index of the level nearest in ratio to each voltage; -1 where even that is ``most_ratio`` away."""
    apart = np.abs(np.log(vn_kv[:, None] / levels_kv[None, :]))
    best = np.argmin(apart, axis=1)
    near = apart[np.arange(len(vn_kv)), best] < np.log(most_ratio)
    return np.asarray(np.where(near, best, -1), dtype=np.int64)


def is_transformer(arrays: CaseArrays) -> Bools:
    """Branches that count as transformers: so named, or with a ratio or shift."""
    named = (arrays.case.branches["kind"] == "transformer").to_numpy(bool)
    return np.asarray(named | (arrays.branch.ratio != 1) | (arrays.branch.shift_rad != 0))

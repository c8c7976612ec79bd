"""MATPOWER cases (``.m``, ``.mat``), format version 2, mapped here and not by a converter.

Field meanings: MATPOWER User's Manual, appendix B (https://matpower.org/docs/MATPOWER-manual.pdf).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grid.model.acceptance import accept
from grid.model.contracts import BusBranch, LossItem, Source, make_case
from grid.readers.mat_file import MatFileError, read_mat_file
from grid.readers.matpower_text import MatpowerText, read_text
from grid.readers.source import SourceFile, fault, open_source, unreadable
from layers.contracts import Finding, InputError

Floats = npt.NDArray[np.float64]

RULE = "matpower"
WIDTHS = {"bus": 13, "gen": 10, "branch": 11, "dcline": 17}
"""Fields that a row must have at least."""
BUS_KIND = {1: "pq", 2: "pv", 3: "ref", 4: "isolated"}
FUEL_OF = {
    "coal": "coal", "ng": "gas", "gas": "gas", "natural gas": "gas", "oil": "other", "dfo": "other", "rfo": "other",
    "hydro": "hydro", "ror": "hydro", "nuclear": "nuclear", "wind": "wind", "onwind": "wind", "offwind": "wind",
    "solar": "pv", "pv": "pv", "solarcsp": "other", "biomass": "biomass", "wood": "biomass", "waste": "biomass",
    "battery": "storage", "storage": "storage", "ess": "storage", "pumped": "pumped",
}  # fmt: skip
"""MATPOWER's genfuel words -> our classes; anything else is 'other' with a loss."""


def read_matpower(path: Path, shown: str | None = None) -> BusBranch:
    """Read a MATPOWER case.

    Parameters
    ----------
    path
        ``.m`` (arithmetic statements that convert units are executed) or ``.mat`` (a struct ``mpc``, or ``bus``,
        ``gen``, ``branch``, ``baseMVA`` as variables).
    shown
        What people see as the file's name; the file name itself if None.

    Returns
    -------
    BusBranch
        Loads are named ``L<bus>``, generators ``G<row>``, branches ``<from>-<to>-<circuit>`` with circuits counted
        per pair of buses. A generator at a pq bus does not hold the voltage. Tap ratio 0 means 1.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    source = open_source(path, shown, RULE)
    return _mapped(source, _read_mat(source) if path.suffix.lower() == ".mat" else read_text(source))


def _read_mat(source: SourceFile) -> MatpowerText:
    try:
        content = read_mat_file(source.content)
    except MatFileError as error:
        message = "The file is no MATLAB file of level 5 (save it with -v6 or -v7), or it is damaged."
        raise unreadable(RULE, source.shown, "not_a_mat_file", str(error), message) from error
    fields = content["mpc"] if isinstance(content.get("mpc"), dict) else content
    findings: list[Finding] = []
    matrices: dict[str, Floats] = {}
    for name in WIDTHS:
        if name in fields:
            try:
                matrices[name] = np.atleast_2d(np.asarray(fields[name], dtype=float))
            except (TypeError, ValueError):
                findings.append(_fault(source, "not_a_number", name, "", "The matrix does not hold numbers."))
        elif name != "dcline":
            findings.append(_fault(source, "table_missing", name, "", f"There is no {name}."))
    try:
        base = float(np.asarray(fields.get("baseMVA", np.nan), dtype=float).reshape(()))
    except (TypeError, ValueError):
        base = np.nan
    if not np.isfinite(base):
        findings.append(_fault(source, "base_missing", "baseMVA", "", "There is no baseMVA."))
    version = _version(fields.get("version", "2"))
    if version not in ("2", "2.0"):
        findings.append(_fault(source, "version", "version", version, "Only version 2 of the case format is read."))
    if findings:
        raise InputError(findings)
    used = {*WIDTHS, "baseMVA", "version", "bus_name", "genfuel"}
    names = {n: [str(x) for x in fields[n]] for n in ("bus_name", "genfuel") if isinstance(fields.get(n), list)}
    return MatpowerText(base, "2", matrices, names, left_out=sorted(set(fields) - used))


def _version(value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{np.asarray(value).ravel()[:1]}".strip("[]. ")


def _fault(source: SourceFile, what: str, layer: str, value: str, message: str) -> Finding:
    return fault(RULE, source.shown, what, value, message, "Give a whole, unchanged case file.", layer)


def _mapped(source: SourceFile, text: MatpowerText) -> BusBranch:
    """Tables out of the matrices."""
    findings = [
        _fault(source, "too_few_fields", name, str(text.matrices[name].shape[1]),
               f"A row of mpc.{name} has at least {width} fields.")
        for name, width in WIDTHS.items()
        if name in text.matrices and text.matrices[name].size and text.matrices[name].shape[1] < width
    ]  # fmt: skip
    whole = {"bus": (0, 1, 6, 10), "gen": (0,), "branch": (0, 1), "dcline": (0, 1)}
    for name, columns in whole.items():
        matrix = text.matrices.get(name)
        if matrix is None or not matrix.size or findings:
            continue
        numbers = matrix[:, columns]
        with np.errstate(invalid="ignore"):
            bad = ~np.isfinite(numbers) | (numbers != np.round(numbers)) | (np.abs(numbers) > 2**53)
        findings += [
            _fault(source, "not_whole", name, str(matrix[k, columns[j]]), f"Row {k + 1}: a whole number belongs here.")
            for k, j in np.argwhere(bad)[:20]
        ]
        if name == "bus" and not bad.any():
            wrong = ~np.isin(matrix[:, 1], list(BUS_KIND))
            findings += [
                _fault(source, "bus_type", name, str(matrix[k, 1]), f"Row {k + 1}: the bus type is 1, 2, 3 or 4.")
                for k in np.flatnonzero(wrong)[:20]
            ]
    if not findings and not text.matrices["bus"].size:
        findings.append(_fault(source, "table_empty", "bus", "", "There is no bus."))
    if findings:
        raise InputError(findings)
    losses = [
        *(LossItem("statements", "", "converted", s, "") for s in text.executed),
        *(LossItem(f"mpc.{x}", "", "dropped", "", "Not used by the load flow.") for x in text.left_out),
    ]
    bus = text.matrices["bus"]
    return accept(
        make_case(
            Path(source.shown).stem,
            text.base_mva,
            Source("matpower", text.version, source.shown, source.sha256),
            {
                "buses": _buses(text, losses),
                "loads": _loads(bus),
                "generators": _generators(text, losses),
                "branches": _branches(text, losses),
                "hvdc": _dclines(text, losses),
            },
            losses=losses,
        )
    )


def _table(text: MatpowerText, name: str) -> Floats:
    matrix = text.matrices.get(name, np.zeros((0, WIDTHS[name])))
    return matrix if matrix.size else np.zeros((0, WIDTHS[name]))


def _buses(text: MatpowerText, losses: list[LossItem]) -> dict[str, Any]:
    bus = _table(text, "bus")
    number, vn = bus[:, 0].astype(np.int64), bus[:, 9].copy()
    for k in np.flatnonzero(vn == 0):
        remedy = "Voltages in kV and currents in kA of this bus mean nothing; give BASE_KV."
        losses.append(LossItem(f"bus {number[k]}", "BASE_KV", "defaulted", "0 -> 1 kV", remedy))
    names = text.names.get("bus_name", [])
    if names and len(names) != len(bus):
        losses.append(LossItem("mpc.bus_name", "", "dropped", f"{len(names)} names", "Give one name a bus."))
        names = []
    if bus.shape[1] > 13 and bus[:, 13:].any():
        losses.append(LossItem("bus", "LAM_P to MU_VMIN", "dropped", "", "Results of an optimisation."))
    return {
        "bus_id": number,
        "name": [n.strip() for n in names] if names else "",
        "vn_kv": np.where(vn == 0, 1.0, vn),
        "kind": [BUS_KIND[int(k)] for k in bus[:, 1]],
        "area": bus[:, 6].astype(np.int64),
        "zone": bus[:, 10].astype(np.int64),
        "vm_min_pu": bus[:, 12],
        "vm_max_pu": bus[:, 11],
        "gs_mw": bus[:, 4],
        "bs_mvar": bus[:, 5],
        "vm_pu": bus[:, 7],
        "va_degree": bus[:, 8],
    }


def _loads(bus: Floats) -> dict[str, Any]:
    loaded = bus[(bus[:, 2] != 0) | (bus[:, 3] != 0)]
    number = loaded[:, 0].astype(np.int64)
    return {"load_id": [f"L{b}" for b in number], "bus_id": number, "p_mw": loaded[:, 2], "q_mvar": loaded[:, 3]}


def _generators(text: MatpowerText, losses: list[LossItem]) -> dict[str, Any]:
    gen, bus = _table(text, "gen"), _table(text, "bus")
    kind = dict(zip(bus[:, 0], bus[:, 1], strict=True))
    fuels = [word.strip().lower() for word in text.names.get("genfuel", [])]
    if len(fuels) != len(gen):
        fuels = []
    for word in sorted({f for f in fuels if f not in FUEL_OF}):
        losses.append(LossItem("mpc.genfuel", "", "converted", f"{word} -> other", ""))
    if gen.shape[1] > 10 and gen[:, 10 : min(gen.shape[1], 20)].any():
        losses.append(LossItem("gen", "PC1 to RAMP_Q", "dropped", "", "Not used by the load flow."))
    order = np.arange(1, len(gen) + 1)
    return {
        "generator_id": [f"G{k}" for k in order],
        "bus_id": gen[:, 0].astype(np.int64),
        "p_mw": gen[:, 1],
        "q_mvar": gen[:, 2],
        "q_min_mvar": gen[:, 4],
        "q_max_mvar": gen[:, 3],
        "control": ["voltage" if kind.get(b, 1) in (2, 3) else "power" for b in gen[:, 0]],
        "vm_pu": gen[:, 5],
        "p_min_mw": gen[:, 9],
        "p_max_mw": gen[:, 8],
        "sn_mva": gen[:, 6],
        "slack_weight": gen[:, 20] if gen.shape[1] > 20 else 0.0,
        "fuel": [FUEL_OF.get(f, "other") for f in fuels] if fuels else "other",
        "in_service": gen[:, 7] > 0,
    }


def circuit_numbers(f: Floats, t: Floats) -> list[str]:
    """1, 2, ... among the branches of the same pair of buses, in whichever direction they are written."""
    seen: Counter[tuple[float, float]] = Counter()
    numbers = []
    for pair in zip(np.minimum(f, t).tolist(), np.maximum(f, t).tolist(), strict=True):
        seen[pair] += 1
        numbers.append(str(seen[pair]))
    return numbers


def _branches(text: MatpowerText, losses: list[LossItem]) -> dict[str, Any]:
    branch, bus = _table(text, "branch"), _table(text, "bus")
    base_kv = dict(zip(bus[:, 0], bus[:, 9], strict=True))
    f, t, tap, shift = branch[:, 0], branch[:, 1], branch[:, 8], branch[:, 9]
    circuit = circuit_numbers(f, t)
    levels = np.array([base_kv.get(a) != base_kv.get(b) for a, b in zip(f, t, strict=True)], dtype=bool)
    transformer = (tap != 0) | (shift != 0) | levels
    for k in np.flatnonzero(levels & (tap == 0)):
        value, remedy = f"{base_kv.get(f[k])} and {base_kv.get(t[k])} kV", "Taken as a transformer of ratio 1."
        losses.append(LossItem(f"branch {k + 1}", "TAP", "converted", value, remedy))
    if branch.shape[1] > 12 and ((branch[:, 11] > -360) & (branch[:, 11] != 0)).any():
        losses.append(LossItem("branch", "ANGMIN, ANGMAX", "dropped", "", "Angle limits are not checked."))

    def rating(column: int) -> Floats:
        return np.where(branch[:, column] > 0, branch[:, column], np.nan)

    return {
        "branch_id": [f"{int(a)}-{int(b)}-{c}" for a, b, c in zip(f, t, circuit, strict=True)],
        "circuit": circuit,
        "kind": np.where(transformer, "transformer", "line"),
        "from_bus": f.astype(np.int64),
        "to_bus": t.astype(np.int64),
        "r_pu": branch[:, 2],
        "x_pu": branch[:, 3],
        "b_pu": branch[:, 4],
        "ratio": np.where(tap == 0, 1.0, tap),
        "shift_degree": shift,
        "rating_a_mva": rating(5),
        "rating_b_mva": rating(6),
        "rating_c_mva": rating(7),
        "in_service": branch[:, 10] > 0,
    }


def _dclines(text: MatpowerText, losses: list[LossItem]) -> dict[str, Any]:
    """PF leaves at the from bus, PF - LOSS0 - LOSS1 PF arrives at the to bus; QF and QT are injected."""
    line = _table(text, "dcline")
    received = line[:, 3] - line[:, 15] - line[:, 16] * line[:, 3]
    for k in np.flatnonzero(line[:, 2] > 0):
        value = f"VF {line[k, 7]:g}, VT {line[k, 8]:g}"
        losses.append(LossItem(f"dcline {k + 1}", "VF, VT", "dropped", value, "A link injects; it holds no voltage."))
    return {
        "hvdc_id": [f"D{k + 1}" for k in range(len(line))],
        "from_bus": line[:, 0].astype(np.int64),
        "to_bus": line[:, 1].astype(np.int64),
        "p_from_mw": -line[:, 3],
        "q_from_mvar": line[:, 5],
        "p_to_mw": received,
        "q_to_mvar": line[:, 6],
        "in_service": line[:, 2] > 0,
    }

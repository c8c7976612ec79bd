"""Three- and single-phase short-circuit currents of any case by IEC 60909, against the breakers.

Largest currents (case max, c = 1.1): machines with their subtransient reactance, outside equivalents with their
short-circuit power, converters as current sources. What the network's source does not say is assumed by the standard
tables, and every kind of assumption is one finding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grid.model.arrays import Ints
from grid.model.contracts import BusBranch
from grid.studies.short_circuit_assumptions import ShortCircuitOptions, fault_rules
from grid.studies.short_circuit_data import FaultData, bus_names, fault_data
from grid.studies.short_circuit_matrix import Currents, matrix_currents
from grid.studies.short_circuit_room import FAULTS, first_breakers
from layers.contracts import Finding, InputError
from layers.tables import Table, column

__all__ = [
    "HEADROOM",
    "SHORT_CIRCUIT",
    "ShortCircuit",
    "ShortCircuitOptions",
    "run_short_circuit",
    "short_circuit_headroom",
]

Progress = Callable[[str, float], None]
GRADES = ("green", "yellow", "red", "unknown")

SHORT_CIRCUIT = Table(
    "short_circuit",
    "Initial symmetrical short-circuit currents, one row a bus in the network's order.",
    {
        "bus": column(int, "", "the source's bus number", unique=True),
        "name": column(str, "", "the source's name"),
        "vn_kv": column(float, "kV", "base voltage"),
        "ikss_3ph_ka": column(float, "kA", 'three-phase I"k; NaN where no source feeds the bus', nullable=True),
        "ikss_1ph_ka": column(float, "kA", 'single-phase I"k; NaN where no earthed neutral does', nullable=True),
        "converters_3ph_ka": column(float, "kA", "part of converters in the three-phase current", nullable=True),
        "converters_1ph_ka": column(float, "kA", "part of converters in the single-phase current", nullable=True),
        "skss_mva": column(float, "MVA", "three-phase short-circuit power", nullable=True),
        "x_over_r": column(float, "", "X/R of the impedance seen from the bus", nullable=True),
        "breaker_ka": column(float, "kA", "breaker rating; NaN unknown", nullable=True),
        "margin_percent": column(float, "%", "room below the rating of the larger current", nullable=True),
        "grade": column(str, "", "green, yellow (0.9 of the rating and more), red (0.95 and more), unknown",
                        isin=GRADES),
    },
)  # fmt: skip

HEADROOM = Table(
    "short_circuit_headroom",
    "Rating of further converters at a bus until some breaker is at its limit, one row a bus asked for.",
    {
        "bus": column(int, "", "bus of the new converters", unique=True),
        "headroom_mva": column(float, "MVA", "largest rating; NaN where no breaker with a rating is within reach",
                               nullable=True),
        "binding_bus": column(int, "", "bus whose breaker is the first at its limit; -1 none"),
        "binding_fault": column(str, "", "3ph or 1ph; empty none"),
        "limit_ka": column(float, "kA", "limit there", nullable=True),
        "present_ka": column(float, "kA", "current there without the new converters", nullable=True),
    },
)  # fmt: skip


@dataclass(frozen=True)
class ShortCircuit:
    """Result: table :data:`SHORT_CIRCUIT`, assumptions and failures as findings, counts by grade and of NaN."""

    buses: pd.DataFrame
    findings: tuple[Finding, ...]
    summary: dict[str, int]
    engine: str
    """What computed it: pandapower or matrix."""


def run_short_circuit(
    case: BusBranch, options: ShortCircuitOptions | None = None, progress: Progress | None = None
) -> ShortCircuit:
    """Largest three- and single-phase currents at every bus, against the breaker ratings.

    Parameters
    ----------
    case
        Any case, as it stands (what runs, feeds); its load flow is not needed.
    options
        What is known beyond the case; see :class:`ShortCircuitOptions`.
    progress
        Called with a label and the share done.

    Returns
    -------
    ShortCircuit
        A bus that no source feeds is NaN and named in a finding; if pandapower fails on the case, the closed form of
        :mod:`grid.studies.short_circuit_matrix` takes over and a warning says so.

    Raises
    ------
    InputError
        If the tables are broken or an option fits nothing.
    """
    options = options or ShortCircuitOptions()
    tell = progress or (lambda label, share: None)
    tell("short circuit", 0.0)
    data = fault_data(case, options)
    findings = list(data.findings)
    currents, engine = _currents(data, options, findings)
    tell("short circuit", 1.0)
    table = _bus_table(data, currents)
    _note_missing(data, table, findings)
    graded = table["grade"].value_counts()
    summary = {grade: int(graded.get(grade, 0)) for grade in GRADES}
    summary["buses"] = len(table)
    summary["not_fed"] = int(table["ikss_3ph_ka"].isna().sum())
    summary["without_1ph"] = int(table["ikss_1ph_ka"].isna().sum())
    return ShortCircuit(SHORT_CIRCUIT.validate(table), tuple(findings), summary, engine)


def _currents(data: FaultData, options: ShortCircuitOptions, findings: list[Finding]) -> tuple[Currents, str]:
    large = data.arrays.n_bus > options.most_pandapower_buses
    if options.engine == "matrix" or (options.engine == "auto" and large) or not len(data.sources.bus):
        return matrix_currents(data), "matrix"
    from grid.studies.short_circuit_pandapower import pandapower_currents

    try:
        return pandapower_currents(data), "pandapower"
    except Exception as error:  # whatever its converter meets in a foreign network
        words = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        findings.append(
            Finding("warning", "short_circuit.pandapower_failed", data.arrays.case.source.shown_path, "network", "",
                    words, "pandapower cannot compute this network; the closed form on the impedance matrix did.",
                    "Check the elements it names.")
        )  # fmt: skip
        return matrix_currents(data), "matrix"


def _bus_table(data: FaultData, currents: Currents) -> pd.DataFrame:
    rules = fault_rules()
    three, one = currents.ikss_3ph_ka, currents.ikss_1ph_ka
    worst = np.fmax(three, one)
    loading = worst / data.breaker_ka
    grade = np.select(
        [np.isnan(loading), loading >= rules["red_from"], loading >= rules["yellow_from"]],
        ["unknown", "red", "yellow"],
        "green",
    )
    table = bus_names(data.arrays)
    vn = data.arrays.case.buses["vn_kv"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        x_over_r = currents.z1_pu.imag / currents.z1_pu.real
    columns = {
        "ikss_3ph_ka": three,
        "ikss_1ph_ka": one,
        "converters_3ph_ka": currents.converters_3ph_ka,
        "converters_1ph_ka": currents.converters_1ph_ka,
        "skss_mva": np.sqrt(3) * vn * three,
        "x_over_r": np.where(np.isfinite(x_over_r), x_over_r, np.nan),
        "breaker_ka": data.breaker_ka,
        "margin_percent": (1 - loading) * 100,
        "grade": grade.astype(object),
    }
    told = table.index.to_numpy()
    return table.assign(**{name: values[told] for name, values in columns.items()}).reset_index(drop=True)


def _note_missing(data: FaultData, table: pd.DataFrame, findings: list[Finding]) -> None:
    file = data.arrays.case.source.shown_path
    dark = table.loc[table["ikss_3ph_ka"].isna(), "bus"].tolist()
    if dark:
        findings.append(
            Finding("warning", "short_circuit.not_fed", file, "buses", _some(dark), str(len(dark)),
                    "No machine or outside equivalent feeds these buses, or they are out of service: no current.",
                    "Give the part a source.")
        )  # fmt: skip
    blind = table.loc[table["ikss_1ph_ka"].isna() & table["ikss_3ph_ka"].notna(), "bus"].tolist()
    if blind:
        findings.append(
            Finding("note", "short_circuit.not_earthed", file, "buses", _some(blind), str(len(blind)),
                    "No earthed neutral feeds these: a single-phase fault is no short circuit. Confidence B.",
                    "Set earthed_from_kv in short_circuit_rules.csv of your own.")
        )  # fmt: skip


def _some(ids: Sequence[object]) -> str:
    shown = ", ".join(str(x) for x in ids[:5])
    return f"{shown} and {len(ids) - 5} more" if len(ids) > 5 else shown


def short_circuit_headroom(
    case: BusBranch,
    buses: Sequence[int] | None = None,
    k: float = 1.2,
    limit_share: float | None = None,
    reach_share: float = 0.05,
    options: ShortCircuitOptions | None = None,
) -> pd.DataFrame:
    """MVA of converters that may be added at a bus until a breaker within reach is at its limit.

    Parameters
    ----------
    buses
        Bus ids to add converters at; all of the case by default.
    k
        Short-circuit over rated current of the new converters.
    limit_share
        Share of the breaker rating that a current may reach; by default where red begins (0.95).
    reach_share
        A bus is within reach if a fault there draws at least this share of the new converters' own current.
    options
        See :class:`ShortCircuitOptions`.

    Returns
    -------
    DataFrame
        Table :data:`HEADROOM`. 0: a breaker within reach is at its limit already.

    Raises
    ------
    InputError
        If the case is broken or a bus is not in it.

    Notes
    -----
    Equations in :mod:`grid.studies.short_circuit_room`. No solve per size, one column of the impedance matrix per bus.
    """
    options = options or ShortCircuitOptions()
    data = fault_data(case, options)
    ids, rows = data.arrays.bus_ids, rows_of_buses(data, buses)
    share = fault_rules()["red_from"] if limit_share is None else limit_share
    found = first_breakers(data, rows, k, share, reach_share)
    some, at = found.at >= 0, np.maximum(found.at, 0)
    present = np.stack([found.present_ka(n) for n in range(len(FAULTS))])
    table = pd.DataFrame({
        "bus": ids[rows],
        "headroom_mva": found.rating_mva,
        "binding_bus": np.where(some, ids[at], -1),
        "binding_fault": np.where(some, np.array(FAULTS, dtype=object)[found.fault], ""),
        "limit_ka": np.where(some, found.limit_ka[at], np.nan),
        "present_ka": np.where(some, present[found.fault, at], np.nan),
    })  # fmt: skip
    return HEADROOM.validate(table)


def rows_of_buses(data: FaultData, buses: Sequence[int] | None) -> Ints:
    """Bus rows of bus ids, all but star points by default; InputError with every id that is none."""
    arrays = data.arrays
    if buses is None:
        return np.flatnonzero(~arrays.case.buses["is_star"].to_numpy(bool))
    place = {int(b): i for i, b in enumerate(arrays.bus_ids)}
    file = arrays.case.source.shown_path
    found = [
        Finding("error", "short_circuit.bus", file, "buses", str(b), str(b), "There is no such bus.", "Correct it.")
        for b in buses
        if int(b) not in place
    ]
    if found:
        raise InputError(found)
    return np.array([place[int(b)] for b in buses], dtype=np.int64)

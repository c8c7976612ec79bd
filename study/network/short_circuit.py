"""Short circuit of a study: currents at every bus of the region against the breakers, now and with the accepted plants.

All sources run, which is the state of the largest currents (IEC 60909-0). Wind, sun and storage are converters, so the
accepted plants add to the currents as sources of k times their rating.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from grid.contracts import Assumption, Case, Network
from grid.studies.short_circuit_openings import OPENINGS, find_openings
from layers.contracts import Finding
from layers.tables import Table, column
from study import records
from study.network.connect import region_buses
from study.pipeline import Results

WORDS_FILE = Path(__file__).with_name("short_circuit_assumptions.csv")
ASSUMPTION_PREFIX = "short_circuit_"
"""How the ids of these assumptions begin."""
TOLERATED_SHARE = 0.01
"""Of its rating: by how much a breaker that is beyond its limit already may get worse, as in capacity studies."""
GRADES = ("green", "yellow", "red", "unknown")

SHORT_CIRCUIT_MARGINS = Table(
    "short_circuit_margins",
    "Largest short-circuit currents at each bus of the region with all sources running, against its breakers.",
    {
        "bus_id": column(str, "", "bus", unique=True),
        "station_id": column(str, "", "station"),
        "name_zh": column(str, "", "label of the station"),
        "name_en": column(str, "", "label of the station"),
        "vn_kv": column(float, "kV", "nominal voltage", gt=0),
        "ikss_3ph_ka": column(float, "kA", 'three-phase I"k today; NaN where no source feeds the bus', nullable=True),
        "ikss_1ph_ka": column(float, "kA", 'single-phase I"k today; NaN where no earthed neutral feeds the bus',
                              nullable=True),
        "skss_mva": column(float, "MVA", "three-phase short-circuit power today", nullable=True),
        "breaker_ka": column(float, "kA", "breaker rating: planning value of the level; NaN unknown", nullable=True),
        "margin_percent": column(float, "%", "room below the rating of the larger current today", nullable=True),
        "ikss_3ph_planned_ka": column(float, "kA", 'three-phase I"k with all accepted plants', nullable=True),
        "ikss_1ph_planned_ka": column(float, "kA", 'single-phase I"k with all accepted plants', nullable=True),
        "margin_planned_percent": column(float, "%", "room below the rating with all accepted plants", nullable=True),
        "grade": column(str, "", "with all accepted plants: green, yellow (0.9 of the rating and more), "
                                 "red (0.95 and more), unknown", isin=GRADES),
        "fault_headroom_mw": column(float, "MW", "largest plant behind a full converter beside today's network until a "
                                                 "breaker within reach is at its limit (one beyond it may get worse "
                                                 "by 1 % of its rating); NaN unknown", nullable=True, ge=0),
        "fault_binding_bus": column(str, "", "bus of that breaker; empty: none"),
        "confidence": column(str, "", "lowest of sources, breaker rating and the converters' k",
                             isin=("A", "B", "C")),
    },
)  # fmt: skip


@dataclass(frozen=True)
class ShortCircuitStudy:
    """Tables :data:`SHORT_CIRCUIT_MARGINS` and :data:`grid.studies.short_circuit_openings.OPENINGS`, and what had to be
    assumed for them."""

    margins: pd.DataFrame
    openings: pd.DataFrame
    assumptions: tuple[Assumption, ...]


def compute_short_circuit(results: Results) -> ShortCircuitStudy:
    """Currents and margins of the region's buses."""
    network: Network = results.get("network")
    plants = accepted_plants(
        results.get("verdicts").verdicts, results.get("connections"), results.get("sites").candidates
    )
    found = short_circuit_study(network, plants, records.cases(results.study.file))
    results.log.extend([replace(finding, file=results.study.shown_path) for finding in found[1]])
    return found[0]


def accepted_plants(verdicts: pd.DataFrame, connections: pd.DataFrame, candidates: pd.DataFrame) -> pd.DataFrame:
    """Accepted candidates as new plants: candidate_id, bus_id, fuel (pv or wind), p_max_mw."""
    table = verdicts[["candidate_id", "accepted_mw"]].merge(connections[["candidate_id", "bus_id"]], on="candidate_id")
    table = table.merge(candidates[["candidate_id", "kind"]], on="candidate_id")
    table = table[(table["accepted_mw"] > 0) & (table["bus_id"] != "")]
    fuel = np.where(table["kind"] == "wind", "wind", "pv")
    return pd.DataFrame({
        "candidate_id": table["candidate_id"], "bus_id": table["bus_id"], "fuel": fuel.astype(object),
        "p_max_mw": table["accepted_mw"].astype(float),
    }).reset_index(drop=True)  # fmt: skip


def short_circuit_study(
    network: Network, plants: pd.DataFrame, cases: Sequence[Case] = ()
) -> tuple[ShortCircuitStudy, list[Finding]]:
    """Margins of the region's buses, openings and assumptions; beside them what went wrong on the way.

    Parameters
    ----------
    network : Network
    plants : DataFrame
        New plants: candidate_id, bus_id, fuel, p_max_mw.
    cases : sequence of Case
        Operating points whose flows must fit with lines open; without any no openings are looked for.
    """
    from grid.capacity.fault_headroom import fault_headroom
    from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit
    from grid.studies.short_circuit_boundary import all_running, infeed_powers

    options = ShortCircuitOptions(infeed_s_sc_mva=infeed_powers(network))
    now, planned = all_running(network), all_running(with_plants(network, plants))
    today, later = run_short_circuit(now, options), run_short_circuit(planned, options)
    number = {bus: k + 1 for k, bus in enumerate(network.buses["bus_id"])}
    inside = region_buses(network)
    rows = [number[bus] for bus in inside]
    room = fault_headroom(now, rows, options=options, worsen_share=TOLERATED_SHARE) if rows else None
    table = _margins(network, inside, today.buses, later.buses, room)
    findings = [f for f in later.findings if f.severity != "note"]
    openings = find_openings(network, inside, cases) if cases else OPENINGS.empty()
    findings += _closed_network(table, openings)
    bus_of = {str(place): bus for bus, place in number.items()}
    assumptions = fault_assumptions(later.findings, bus_of)
    return ShortCircuitStudy(SHORT_CIRCUIT_MARGINS.validate(table), openings, assumptions), findings


def _closed_network(margins: pd.DataFrame, openings: pd.DataFrame) -> list[Finding]:
    """A warning that the network is closed where utilities would run it open, if opening lines would help."""
    if not len(openings):
        return []
    before, after = int(openings["beyond_before"].iloc[0]), int(openings["beyond_after"].iloc[-1])
    kv = ", ".join(f"{v:g} kV" for v in openings["vn_kv"].unique())
    text = (
        f"{before} buses are at 0.95 of their breakers or more with all lines closed; "
        f"opening {len(openings)} corridors ({kv}) leaves {after}. Utilities run such networks in "
        "zones, 110 kV radially: the currents of a closed network are an upper bound."
    )
    buses = ", ".join(margins.loc[margins["margin_percent"] <= 5, "bus_id"].head(3))
    return [
        Finding("warning", "short_circuit.closed_network", "", "buses", buses, str(before), text,
                "Give the network with its normally open lines out, or see loadflow/short_circuit_openings.csv.")
    ]  # fmt: skip


def with_plants(network: Network, plants: pd.DataFrame) -> Network:
    """The network with new plants as generators of fixed power."""
    if plants.empty:
        return network
    rows = pd.DataFrame({
        "generator_id": plants["candidate_id"], "bus_id": plants["bus_id"], "name_zh": plants["candidate_id"],
        "name_en": plants["candidate_id"], "fuel": plants["fuel"], "p_max_mw": plants["p_max_mw"], "control": "power",
        "vm_pu": 1.0, "q_min_mvar": 0.0, "q_max_mvar": 0.0, "origin": "assumed", "note": "accepted candidate",
    })  # fmt: skip
    return replace(network, generators=pd.concat([network.generators, rows], ignore_index=True))


def _margins(
    network: Network, inside: list[str], today: pd.DataFrame, later: pd.DataFrame, room: pd.DataFrame | None
) -> pd.DataFrame:
    """One row a bus, the least margin first within each level, high levels first."""
    if room is None:
        return SHORT_CIRCUIT_MARGINS.empty()
    stations = network.stations.set_index("station_id")
    home = dict(zip(network.buses["bus_id"], network.buses["station_id"], strict=True))
    at = [home[bus] for bus in inside]
    now, then = (table.set_index("name").loc[inside].reset_index() for table in (today, later))
    bus_of = dict(enumerate(network.buses["bus_id"], start=1))
    table = pd.DataFrame({
        "bus_id": inside,
        "station_id": at,
        "name_zh": stations.loc[at, "name_zh"].to_numpy(object),
        "name_en": stations.loc[at, "name_en"].to_numpy(object),
        "vn_kv": now["vn_kv"],
        **{name: now[name] for name in ("ikss_3ph_ka", "ikss_1ph_ka", "skss_mva", "breaker_ka", "margin_percent")},
        "ikss_3ph_planned_ka": then["ikss_3ph_ka"],
        "ikss_1ph_planned_ka": then["ikss_1ph_ka"],
        "margin_planned_percent": then["margin_percent"],
        "grade": then["grade"],
        "fault_headroom_mw": room["headroom_mw"].to_numpy(float),
        "fault_binding_bus": [bus_of.get(number, "") for number in room["binding_bus"]],
        "confidence": room["confidence"].to_numpy(object),
    })  # fmt: skip
    return table.sort_values(["vn_kv", "margin_planned_percent"], ascending=[False, True], kind="stable").reset_index(
        drop=True
    )


@cache
def _words() -> dict[str, dict[str, str]]:
    with WORDS_FILE.open(encoding="utf-8", newline="") as stream:
        return {row["rule"]: row for row in csv.DictReader(stream)}


def fault_assumptions(findings: Iterable[Finding], bus_of: Mapping[str, str]) -> tuple[Assumption, ...]:
    """Every kind of assumption of the currents once, with what it concerns; other findings are left out.

    ``bus_of``: bus by the number that a finding names it with.
    """
    found = []
    for finding in findings:
        rule = finding.rule.removeprefix("short_circuit.")
        row = _words().get(rule)
        if row is None:
            continue
        examples, _, more = finding.item.partition(" and ")
        named = ", ".join(bus_of.get(name, name) for name in examples.split(", "))
        value = f"{finding.value}: {named}{', …' if more else ''}"
        found.append(
            Assumption(f"{ASSUMPTION_PREFIX}{rule}", "short_circuit", row["zh"], row["en"], value, row["source"],
                       row["confidence"])  # type: ignore[arg-type]
        )  # fmt: skip
    return tuple(found)

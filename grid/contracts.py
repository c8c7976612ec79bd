"""What the network layer takes and gives. *grid* is the electrical network, never pixels.

Sign conventions (pandapower's): load ``p_mw > 0`` consumes, generator ``p_mw > 0`` produces, ``q_mvar`` likewise;
branch flows are into the element at the named end; ``i_ka`` is per circuit. Every circuit is a row of its own,
every transformer unit is a row of its own (no ``parallel`` counts). Ids are strings that survive a rerun.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import pandas as pd

from layers.contracts import Origin
from layers.tables import Table, column

_ORIGIN = tuple(Origin)

STATIONS = Table(
    "stations",
    "Substations and plants with a place.",
    {
        "station_id": column(str, "", "stable id", unique=True),
        "name_zh": column(str, "", "Chinese name"),
        "name_en": column(str, "", "name in pinyin or English"),
        "vn_kv": column(float, "kV", "highest voltage level", gt=0),
        "lon": column(float, "degree", "WGS-84"),
        "lat": column(float, "degree", "WGS-84"),
        "district_code": column(str, "", "district; empty outside the region"),
        "in_region": column(bool, "", "lies inside the study region"),
        "origin": column(str, "", "how the station's place is known", isin=_ORIGIN),
        "note": column(str, "", "what is assumed about it"),
    },
)

BUSES = Table(
    "buses",
    "Electrical nodes.",
    {
        "bus_id": column(str, "", "stable id, e.g. <station_id>/220", unique=True),
        "station_id": column(str, "", "station"),
        "vn_kv": column(float, "kV", "nominal voltage", gt=0),
        "vm_min_pu": column(float, "pu", "lower operating limit", gt=0),
        "vm_max_pu": column(float, "pu", "upper operating limit", gt=0),
    },
)

LINES = Table(
    "lines",
    "One row a circuit.",
    {
        "line_id": column(str, "", "stable id, unique a circuit", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "corridor_id": column(str, "", "same for the circuits on one route"),
        "from_bus": column(str, "", "bus_id"),
        "to_bus": column(str, "", "bus_id"),
        "length_km": column(float, "km", "route length", gt=0),
        "line_type": column(str, "", "row of the line type table"),
        "r_ohm_per_km": column(float, "ohm/km", "positive sequence, 20 degC", ge=0),
        "x_ohm_per_km": column(float, "ohm/km", "positive sequence"),
        "c_nf_per_km": column(float, "nF/km", "positive sequence", ge=0),
        "max_i_ka": column(float, "kA", "rating of one circuit in the reference season (summer)", gt=0),
        "origin": column(str, "", "how the route is known", isin=_ORIGIN),
        "path_wkt": column(str, "", "route as WKT linestring, lon lat WGS-84; empty: straight"),
        "note": column(str, "", "what is assumed about it"),
    },
)

TRANSFORMERS = Table(
    "transformers",
    "Two-winding units, one row a unit; impedances on the unit's own base.",
    {
        "transformer_id": column(str, "", "stable id", unique=True),
        "station_id": column(str, "", "station"),
        "hv_bus": column(str, "", "bus_id"),
        "lv_bus": column(str, "", "bus_id"),
        "transformer_type": column(str, "", "row of the transformer table"),
        "sn_mva": column(float, "MVA", "rating of one unit", gt=0),
        "vn_hv_kv": column(float, "kV", "rated voltage, high side", gt=0),
        "vn_lv_kv": column(float, "kV", "rated voltage, low side", gt=0),
        "vk_percent": column(float, "%", "short-circuit voltage", gt=0),
        "vkr_percent": column(float, "%", "resistive part", ge=0),
        "pfe_kw": column(float, "kW", "no-load losses", ge=0),
        "i0_percent": column(float, "%", "no-load current", ge=0),
        "shift_degree": column(float, "degree", "vector group, low side behind high side"),
        "tap_side": column(str, "", "hv or lv", isin=("hv", "lv")),
        "tap_neutral": column(float, "", "neutral position"),
        "tap_min": column(float, "", "lowest position"),
        "tap_max": column(float, "", "highest position"),
        "tap_step_percent": column(float, "%", "step", ge=0),
        "tap_pos": column(float, "", "position in use"),
        "origin": column(str, "", "how the unit is known", isin=_ORIGIN),
        "note": column(str, "", "what is assumed about it"),
    },
)

LOADS = Table(
    "loads",
    "Loads at the reference peak; a case scales them.",
    {
        "load_id": column(str, "", "stable id", unique=True),
        "bus_id": column(str, "", "bus"),
        "p_mw": column(float, "MW", "at the region's peak hour"),
        "q_mvar": column(float, "Mvar", "at the region's peak hour"),
        "origin": column(str, "", "how the load is known", isin=_ORIGIN),
    },
)

GENERATORS = Table(
    "generators",
    "Existing plants. 'voltage' control holds vm_pu within the reactive limits, 'power' control is a fixed injection.",
    {
        "generator_id": column(str, "", "stable id", unique=True),
        "bus_id": column(str, "", "bus"),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "fuel": column(
            str,
            "",
            "class of the plant, scaled by the case",
            isin=("coal", "gas", "hydro", "pumped", "nuclear", "wind", "pv", "biomass", "storage", "other"),
        ),
        "p_max_mw": column(float, "MW", "installed capacity", ge=0),
        "control": column(str, "", "voltage or power", isin=("voltage", "power")),
        "vm_pu": column(float, "pu", "set point when voltage controlled"),
        "q_min_mvar": column(float, "Mvar", "lower reactive limit"),
        "q_max_mvar": column(float, "Mvar", "upper reactive limit"),
        "origin": column(str, "", "how the plant is known", isin=_ORIGIN),
        "note": column(str, "", "what is assumed about it"),
    },
)

INFEEDS = Table(
    "infeeds",
    "Equivalents of the outside network; the first row is the reference bus. Slack power is shared by slack_weight.",
    {
        "infeed_id": column(str, "", "stable id", unique=True),
        "bus_id": column(str, "", "bus"),
        "vm_pu": column(float, "pu", "set point", gt=0),
        "va_degree": column(float, "degree", "angle of the reference"),
        "slack_weight": column(float, "", "share of the slack power", ge=0),
        "s_sc_mva": column(float, "MVA", "short-circuit power", gt=0),
        "note": column(str, "", "what is assumed about it"),
    },
)

SHUNTS = Table(
    "shunts",
    "Capacitors and reactors at buses; absent in most planning networks, whose loads are given compensated.",
    {
        "shunt_id": column(str, "", "stable id", unique=True),
        "bus_id": column(str, "", "bus"),
        "q_mvar": column(float, "Mvar", "at nominal voltage; positive consumes (reactor), negative feeds (capacitor)"),
        "load_share_min": column(float, "", "switched in where the case's load share is at least this", ge=0),
        "load_share_max": column(float, "", "switched in where the case's load share is at most this", ge=0),
        "note": column(str, "", "what is assumed about it"),
    },
)


@dataclass(frozen=True)
class Assumption:
    """Something that no source told us. Listed in the manifest and shown with the result."""

    id: str
    subject: str
    text_zh: str
    text_en: str
    value: str
    source: str
    confidence: Literal["A", "B", "C"]


@dataclass(frozen=True)
class Network:
    """A whole network as tables. ``assumptions`` names everything that was not in a source."""

    name: str
    stations: pd.DataFrame
    buses: pd.DataFrame
    lines: pd.DataFrame
    transformers: pd.DataFrame
    loads: pd.DataFrame
    generators: pd.DataFrame
    infeeds: pd.DataFrame
    origin: Origin
    assumptions: tuple[Assumption, ...] = ()
    shunts: pd.DataFrame = field(default_factory=SHUNTS.empty)

    def validate(self) -> Network:
        """Return the network unchanged, or raise ``ContractError`` naming every broken promise."""
        for table, frame in (
            (STATIONS, self.stations),
            (BUSES, self.buses),
            (LINES, self.lines),
            (TRANSFORMERS, self.transformers),
            (LOADS, self.loads),
            (GENERATORS, self.generators),
            (INFEEDS, self.infeeds),
            (SHUNTS, self.shunts),
        ):
            table.validate(frame)
        return self


@dataclass(frozen=True)
class FuelShare:
    """Output of the existing plants of one fuel, as a share of installed capacity."""

    fuel: str
    share: float


@dataclass(frozen=True)
class Case:
    """A named operating point. ``pv_share`` and ``wind_share`` are the outputs of *new* plants per grid capacity;
    existing plants follow ``fuel_shares`` (a fuel that is not listed runs at 0; existing pv and wind follow
    ``pv_share`` and ``wind_share`` unless listed)."""

    id: str
    label_zh: str
    label_en: str
    load_share: float
    pv_share: float
    wind_share: float
    fuel_shares: tuple[FuelShare, ...] = ()
    season: Literal["summer", "transition", "winter"] = "summer"
    """Season of the line ratings."""


class Status(StrEnum):
    """How a solve ended. There is no silent success."""

    SOLVED = "solved"
    SPLIT = "split"
    DIVERGED = "diverged"


LOAD_FLOW = Table(
    "load_flow",
    "Summary, one row a case.",
    {
        "case": column(str, "", "case id", unique=True),
        "status": column(str, "", "solved, split or diverged", isin=tuple(Status)),
        "detail": column(str, "", "engine, start that worked, or mismatch"),
        "load_mw": column(float, "MW", "consumption", nullable=True),
        "generation_mw": column(float, "MW", "existing plants", nullable=True),
        "infeed_mw": column(float, "MW", "from the outside network; negative is export", nullable=True),
        "losses_mw": column(float, "MW", "losses", nullable=True),
        "vm_min_pu": column(float, "pu", "lowest voltage", nullable=True),
        "vm_min_bus": column(str, "", "where"),
        "vm_max_pu": column(float, "pu", "highest voltage", nullable=True),
        "vm_max_bus": column(str, "", "where"),
        "loading_max_percent": column(float, "%", "highest branch loading", nullable=True),
        "loading_max_element": column(str, "", "where"),
        "n_1_outages": column(int, "", "outages tried"),
        "n_1_solved": column(int, "", "solved"),
        "n_1_split": column(int, "", "network split, load or generation lost"),
        "n_1_diverged": column(int, "", "no solution found: insecure"),
        "n_1_overloaded": column(int, "", "solved, but a limit is broken"),
    },
)

BUS_STATE = Table(
    "bus_state",
    "Voltage of each bus in each case.",
    {
        "case": column(str, "", "case id"),
        "bus_id": column(str, "", "bus"),
        "vm_pu": column(float, "pu", "voltage", nullable=True),
        "va_degree": column(float, "degree", "angle", nullable=True),
    },
)

BRANCH_STATE = Table(
    "branch_state",
    "Loading of each line circuit and transformer unit in each case.",
    {
        "case": column(str, "", "case id"),
        "element": column(str, "", "line_id or transformer_id"),
        "kind": column(str, "", "line or transformer", isin=("line", "transformer")),
        "p_from_mw": column(float, "MW", "into the element at from (hv) end", nullable=True),
        "q_from_mvar": column(float, "Mvar", "into the element at from (hv) end", nullable=True),
        "i_max_ka": column(float, "kA", "larger of both ends' currents", nullable=True),
        "loading_percent": column(float, "%", "of the season's rating", nullable=True),
    },
)

OUTAGES = Table(
    "n_1",
    "Every single outage of every case.",
    {
        "case": column(str, "", "case id"),
        "outage": column(str, "", "element taken out"),
        "status": column(str, "", "solved, split or diverged", isin=tuple(Status)),
        "lost_load_mw": column(float, "MW", "load cut off", ge=0),
        "lost_generation_mw": column(float, "MW", "generation cut off", ge=0),
        "loading_max_percent": column(float, "%", "highest loading after the outage", nullable=True),
        "loading_max_element": column(str, "", "where"),
        "vm_min_pu": column(float, "pu", "lowest voltage", nullable=True),
        "vm_min_bus": column(str, "", "where"),
        "vm_max_pu": column(float, "pu", "highest voltage", nullable=True),
        "vm_max_bus": column(str, "", "where"),
        "secure": column(bool, "", "solved or harmless split, and no limit broken"),
    },
)

BRANCH_N_1 = Table(
    "branch_n_1",
    "Highest loading of each line circuit and transformer unit over all single outages of a case.",
    {
        "case": column(str, "", "case id"),
        "element": column(str, "", "line_id or transformer_id"),
        "kind": column(str, "", "line or transformer", isin=("line", "transformer")),
        "loading_max_percent": column(float, "%", "highest over the outages that have a solution", nullable=True),
        "outage": column(str, "", "outage under which it is highest; empty where none has a solution"),
        "outages_over": column(int, "", "outages under which it exceeds 100 %", ge=0),
    },
)


@dataclass(frozen=True)
class LoadFlowResult:
    """Load flow and N-1 of every case; the tables follow the schemas of their names."""

    load_flow: pd.DataFrame
    bus_state: pd.DataFrame
    branch_state: pd.DataFrame
    outages: pd.DataFrame
    branch_n_1: pd.DataFrame = field(default_factory=BRANCH_N_1.empty)


LIMIT_KINDS = (
    "line_loading",
    "transformer_loading",
    "voltage_high",
    "voltage_low",
    "diverged",
    "base_case",
    "search_cap",
)

HOSTING = Table(
    "hosting",
    "Largest injection at one bus, alone, on the way up from zero, in each case, for N-0 and N-1.",
    {
        "bus_id": column(str, "", "bus"),
        "station_id": column(str, "", "station"),
        "case": column(str, "", "case id"),
        "mode": column(str, "", "n_0 or n_1", isin=("n_0", "n_1")),
        "capacity_mw": column(float, "MW", "last injection at which no limit is broken", ge=0),
        "limit": column(str, "", "what breaks first", isin=LIMIT_KINDS),
        "binding_element": column(str, "", "element or bus that breaks first"),
        "binding_outage": column(str, "", "outage under which it breaks; empty in N-0"),
        "certified": column(bool, "", "all outages checked by AC load flow at the answer"),
    },
)

CONNECTIONS = Table(
    "connections",
    "Where each candidate connects, at least cost among the feasible stations; never simply the nearest bus.",
    {
        "candidate_id": column(str, "", "candidate", unique=True),
        "station_id": column(str, "", "station; empty where none is feasible"),
        "bus_id": column(str, "", "bus; empty where none is feasible"),
        "vn_kv": column(float, "kV", "connection voltage", nullable=True),
        "length_km": column(float, "km", "tie line with detour factor", nullable=True, ge=0),
        "line_type": column(str, "", "tie line type"),
        "connection_cost_cny": column(float, "CNY", "tie line and bay", nullable=True, ge=0),
        "alternatives": column(int, "", "feasible station and voltage pairs compared"),
        "reason_zh": column(str, "", "why this one"),
        "reason_en": column(str, "", "why this one"),
    },
)

VERDICTS_ALLOWED = ("connect", "connect_after_upgrade", "partial", "refused", "no_connection")

VERDICTS = Table(
    "verdicts",
    "What the network says to each candidate, alone and together with the better ranked ones.",
    {
        "candidate_id": column(str, "", "candidate", unique=True),
        "n_0_alone_mw": column(float, "MW", "grid capacity the network takes from it alone, N-0", nullable=True, ge=0),
        "n_1_alone_mw": column(float, "MW", "grid capacity the network takes from it alone, N-1", nullable=True, ge=0),
        "accepted_mw": column(float, "MW", "grid capacity accepted together with all better ranked, N-1 secure", ge=0),
        "verdict": column(str, "", "see VERDICTS_ALLOWED", isin=VERDICTS_ALLOWED),
        "binding_case": column(str, "", "case that limits it"),
        "binding_element": column(str, "", "element that limits it"),
        "binding_outage": column(str, "", "outage under which it limits"),
        "limit": column(str, "", "kind of limit"),
        "upgrade_id": column(str, "", "measure that would lift the limit; empty if none is needed or none helps"),
        "reason_zh": column(str, "", "one sentence"),
        "reason_en": column(str, "", "one sentence"),
    },
)

UPGRADES = Table(
    "upgrades",
    "Measures that were tried, each with what it lifts.",
    {
        "upgrade_id": column(str, "", "stable id", unique=True),
        "kind": column(str, "", "", isin=("add_transformer", "replace_transformer", "second_circuit")),
        "element": column(str, "", "element it strengthens"),
        "station_id": column(str, "", "station (of the line: the from side)"),
        "description_zh": column(str, "", "what is built"),
        "description_en": column(str, "", "what is built"),
        "cost_cny": column(float, "CNY", "investment", ge=0),
        "cost_confidence": column(str, "", "A, B or C", isin=("A", "B", "C")),
        "cost_source": column(str, "", "where the unit cost is from"),
    },
)

GRADES = ("green", "yellow", "red")
GRADE_COLUMNS = {
    "grade": column(str, "", "grade of the transformers that feed the bus; empty: not graded", isin=(*GRADES, "")),
    "grade_equipment": column(str, "", "transformers that new generation at the bus pushes back through"),
    "grade_reason_zh": column(str, "", "why this grade"),
    "grade_reason_en": column(str, "", "why this grade"),
    "grade_formula": column(str, "", "formulas of the rule book with the numbers filled in"),
    "grade_clause": column(str, "", "edition and clauses of the rule book"),
    "grade_confidence": column(str, "", "weakest of the rules used; empty: not graded", isin=("A", "B", "C", "")),
}
"""Columns by which a grade of the rule book (:mod:`grid.rulebook`) stands beside a bus."""

SUBSTATIONS = Table(
    "substations",
    "What each station still takes, what limits it and what would lift the limit.",
    {
        "station_id": column(str, "", "station"),
        "bus_id": column(str, "", "bus", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "vn_kv": column(float, "kV", "voltage of the bus"),
        "district_code": column(str, "", "district"),
        "origin": column(str, "", "how the station is known", isin=_ORIGIN),
        "transformer_mva": column(float, "MVA", "units between this bus and the next level up", ge=0),
        "n_0_mw": column(float, "MW", "hosting capacity now, worst case, N-0", nullable=True, ge=0),
        "n_1_mw": column(float, "MW", "hosting capacity now, worst case, N-1", nullable=True, ge=0),
        "accepted_mw": column(float, "MW", "grid capacity of the candidates accepted here", ge=0),
        "remaining_n_1_mw": column(
            float, "MW", "N-1 hosting left with all accepted candidates connected", nullable=True, ge=0
        ),
        "limit": column(str, "", "kind of limit"),
        "binding_case": column(str, "", "case that limits"),
        "binding_element": column(str, "", "element that limits"),
        "binding_outage": column(str, "", "outage under which it limits"),
        "upgrade_id": column(str, "", "measure that lifts it; empty if none of the menu does"),
        "n_1_after_upgrade_mw": column(float, "MW", "hosting capacity with the measure, N-1", nullable=True, ge=0),
    },
    optional={
        **GRADE_COLUMNS,
        "grade_after": column(str, "", "grade with the accepted candidates as registered projects", isin=(*GRADES, "")),
        "flexible_5_percent_mw": column(
            float,
            "MW",
            "over the year in N-1, today's network: a plant that curtails 5 % of its energy",
            nullable=True,
            ge=0,
        ),
    },
)

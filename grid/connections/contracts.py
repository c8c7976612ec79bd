"""What the study of connections gives: every feasible option of every candidate, routes, collector stations.

Cost of an option, all in CNY and without any share of other candidates::

    line_cny + bay_cny (own)  +  station_cny + trunk_cny + bay_cny of COLLECTORS, paid once by all who use it

Two further figures make options comparable without being part of the connection's cost. ``rank_cny``: the plant's own
step-up station, which a collector spares (its cost is part of the plant's investment), and of roofs what a line of
that length would cost (they use feeders that exist). ``transformer_cny``: new transformer capacity for the part of
the plant that the point's headroom does not take; who decides about the network's measures himself leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from layers.tables import Table, column

CONNECTION_OPTIONS = Table(
    "connection_options",
    "Every way within reach in which each candidate could connect; feasible = false where no bay is left.",
    {
        "candidate_id": column(str, "", "candidate"),
        "option_id": column(str, "", "stable id, candidate>bus or candidate>collector", unique=True),
        "station_id": column(str, "", "station where the power enters the network"),
        "bus_id": column(str, "", "bus where the power enters the network"),
        "vn_kv": column(float, "kV", "voltage of the candidate's own tie line", gt=0),
        "length_km": column(float, "km", "route of the candidate's own tie line", ge=0),
        "routed": column(bool, "", "length from a route on the cost raster; false: straight line x detour factor"),
        "line_type": column(str, "", "row of the line types; existing feeder for roofs"),
        "circuits": column(int, "", "parallel circuits of the tie line", ge=0),
        "bays": column(int, "", "bays taken at the station (0 where a collector or a feeder takes it)", ge=0),
        "line_cny": column(float, "CNY", "own tie line, terrain included", ge=0),
        "bay_cny": column(float, "CNY", "own bays, at the station or the collector", ge=0),
        "rank_cny": column(float, "CNY", "own step-up station, or a roof's feeder; ranks only", ge=0),
        "transformer_cny": column(float, "CNY", "new transformer capacity for what lacks headroom; ranks only", ge=0),
        "headroom_mw": column(float, "MW", "N-1 grid capacity that the bus takes, alone; inf: no limit", nullable=True),
        "collector_id": column(str, "", "collector station shared with others; empty: own connection"),
        "feasible": column(bool, "", "levels, reach and bays allow it"),
        "reason_zh": column(str, "", "why it is feasible or not"),
        "reason_en": column(str, "", "why it is feasible or not"),
    },
)

COLLECTORS = Table(
    "collectors",
    "Collector stations that gather small sites, in every size; paid once, however many use them. Of the variants at"
    " one place (collectors with the same lon, lat) at most one is built.",
    {
        "variant_id": column(str, "", "collector and size", unique=True),
        "collector_id": column(str, "", "place and the bus where its trunk ends"),
        "lon": column(float, "degree", "WGS-84"),
        "lat": column(float, "degree", "WGS-84"),
        "collect_kv": column(float, "kV", "voltage of the members' lines", gt=0),
        "vn_kv": column(float, "kV", "voltage of the trunk line", gt=0),
        "station_id": column(str, "", "station where the trunk ends"),
        "bus_id": column(str, "", "bus where the trunk ends"),
        "s_mva": column(float, "MVA", "transformer of the collector", gt=0),
        "capacity_mw": column(float, "MW", "grid capacity that it gathers at most", gt=0),
        "length_km": column(float, "km", "route of the trunk line", ge=0),
        "routed": column(bool, "", "length from a route on the cost raster; false: straight line x detour factor"),
        "line_type": column(str, "", "row of the line types"),
        "circuits": column(int, "", "circuits of the trunk line", ge=1),
        "bays": column(int, "", "bays taken at the station", ge=1),
        "station_cny": column(float, "CNY", "transformer and switchgear of the collector", ge=0),
        "trunk_cny": column(float, "CNY", "trunk line, terrain included", ge=0),
        "bay_cny": column(float, "CNY", "bays of the trunk at the station", ge=0),
        "chosen": column(bool, "", "built in the joint choice"),
    },
)

BAY_LIMITS = Table(
    "bay_limits",
    "Bays that a station can still give at a level: what the joint choice keeps to.",
    {
        "station_id": column(str, "", "station"),
        "vn_kv": column(float, "kV", "level", gt=0),
        "bays_free": column(int, "", "bays for new lines", ge=0),
        "source": column(str, "", "rule that the number follows"),
        "confidence": column(str, "", "A, B or C", isin=("A", "B", "C")),
    },
)

CONNECTION_CHOICE = Table(
    "connection_choice",
    "The joint choice in one row: what it costs, and the bound below which no choice of the options that enter lies.",
    {
        "objective_cny": column(float, "CNY", "cost that the choice minimises, those left out at a dear price", ge=0),
        "best_bound_cny": column(float, "CNY", "cost of the relaxed problem", ge=0),
        "gap_percent": column(float, "%", "objective over bound, less 100 %", ge=-1e-3),
        "left_out": column(int, "", "candidates with feasible points that find no bay in the choice", ge=0),
        "connected": column(int, "", "candidates with a connection", ge=0),
        "connection_cost_cny": column(float, "CNY", "tie lines, bays and parts of collectors of all connections", ge=0),
        "collectors": column(int, "", "collector stations built", ge=0),
    },
)

TIE_LINES = Table(
    "tie_lines",
    "Routes of tie lines as a map layer: of the chosen options and of the trunks of collectors in use.",
    {
        "tie_line_id": column(str, "", "option_id or collector_id", unique=True),
        "candidate_id": column(str, "", "candidate; empty: trunk of a collector"),
        "station_id": column(str, "", "station where the power enters the network"),
        "bus_id": column(str, "", "bus where the power enters the network"),
        "collector_id": column(str, "", "collector; empty: none"),
        "vn_kv": column(float, "kV", "voltage", gt=0),
        "line_type": column(str, "", "row of the line types"),
        "circuits": column(int, "", "parallel circuits", ge=0),
        "length_km": column(float, "km", "route length", ge=0),
        "straight_km": column(float, "km", "straight distance of the two ends", ge=0),
        "terrain_factor": column(float, "", "mean cost of a km of the route over that of a km of plain", ge=0),
        "line_cny": column(float, "CNY", "line, terrain included", ge=0),
        "routed": column(bool, "", "false: straight line x detour factor"),
        "path_wkt": column(str, "", "linestring, lon lat WGS-84"),
    },
)


@dataclass(frozen=True)
class ConnectionStudy:
    """All options, the joint choice at least cost, and what the choice shares.

    ``options`` follows :data:`CONNECTION_OPTIONS`, ``collectors`` :data:`COLLECTORS`, ``bay_limits``
    :data:`BAY_LIMITS`, ``connections`` :data:`grid.contracts.CONNECTIONS` (one row a candidate, in their order),
    ``tie_lines`` :data:`TIE_LINES`. ``objective_cny`` and ``best_bound_cny`` are those of the joint choice;
    ``fallback_zh`` and ``fallback_en`` say why lengths are not routed, empty where they are.
    """

    options: pd.DataFrame
    collectors: pd.DataFrame
    bay_limits: pd.DataFrame
    connections: pd.DataFrame
    tie_lines: pd.DataFrame
    objective_cny: float
    best_bound_cny: float
    fallback_zh: str = ""
    fallback_en: str = ""
    left_out: int = 0

    def summary(self) -> pd.DataFrame:
        """Table :data:`CONNECTION_CHOICE`."""
        bound = self.best_bound_cny
        row = {
            "objective_cny": self.objective_cny,
            "best_bound_cny": bound,
            "gap_percent": 100.0 * (self.objective_cny / bound - 1) if bound > 0 else 0.0,
            "left_out": self.left_out,
            "connected": int((self.connections["bus_id"] != "").sum()),
            "connection_cost_cny": float(self.connections["connection_cost_cny"].sum()),
            "collectors": int(self.collectors["chosen"].sum()),
        }
        return CONNECTION_CHOICE.validate(pd.DataFrame([row]))

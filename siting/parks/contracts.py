"""Tables of parks: their hours, their year, the sites that serve them, what the rules say, and what sizes would do."""

from __future__ import annotations

from layers.tables import Table, column

KEPT, NOT_KEPT, OPEN = "kept", "not_kept", "open"
KEPT_UNTIL = "kept_until"
VERDICTS = (KEPT, KEPT_UNTIL, NOT_KEPT, OPEN)
"""Of a park: all rules kept, those of later years not, some not kept, nothing to judge."""

LEAST_COST, BY_RULES, BY_SHARE = "least_cost", "rules", "share"

PARK_HOURS = Table(
    "park_hours",
    "Every hour of a park; green + discharge + import + unserved = load + charge + export + curtailed.",
    {
        "hour_start": column(None, "", "start of the hour, UTC+08:00"),
        "load_mw": column(float, "MW", "consumption", ge=0),
        "green_mw": column(float, "MW", "own wind and sun", ge=0),
        "charge_mw": column(float, "MW", "into the storage", ge=0),
        "discharge_mw": column(float, "MW", "out of the storage", ge=0),
        "stored_mwh": column(float, "MWh", "content at the end of the hour", ge=0),
        "import_mw": column(float, "MW", "from the grid", ge=0),
        "export_mw": column(float, "MW", "to the grid", ge=0),
        "curtailed_mw": column(float, "MW", "own green power beyond the export limit", ge=0),
        "unserved_mw": column(float, "MW", "load beyond what the grid point gives", ge=0),
    },
)

PARKS = Table(
    "parks",
    "Matching of each park's hourly load with wind, sun and storage near it.",
    {
        "park_id": column(str, "", "park", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "lon": column(float, "degree", "WGS-84", ge=-180, le=180),
        "lat": column(float, "degree", "WGS-84", ge=-90, le=90),
        "source": column(str, "", "where place, load and sizes are from"),
        "place_confidence": column(str, "", "of place, load and sizes: A, B or C", isin=("A", "B", "C")),
        "load_origin": column(str, "", "file of the load, or the shape that it is generated from"),
        "peak_mw": column(float, "MW", "highest load", ge=0),
        "load_mwh": column(float, "MWh", "load of the year", ge=0),
        "pv_mw": column(float, "MW", "AC capacity of the PV matched", ge=0),
        "wind_mw": column(float, "MW", "capacity of the wind matched", ge=0),
        "candidates": column(str, "", "candidates matched, nearest first, separated by blanks; the last in part"),
        "storage_mw": column(float, "MW", "storage power", ge=0),
        "storage_mwh": column(float, "MWh", "storage content", ge=0),
        "storage_method": column(str, "", "how sizes came to be: stated, or least_cost", isin=("stated", "least_cost")),
        "green_mwh": column(float, "MWh", "own wind and sun of the year, before curtailment", ge=0),
        "own_use_mwh": column(float, "MWh", "load met by own wind and sun, directly or stored", ge=0),
        "green_share": column(
            float, "1", "load met by own wind and sun, directly or stored; NaN without load", nullable=True, ge=0, le=1
        ),
        "self_consumption_share": column(
            float, "1", "own wind and sun used in the park, storage losses included; NaN without any",
            nullable=True, ge=0, le=1,
        ),
        "self_use_share": column(
            float, "1", "load met by own wind and sun, by what they could generate, storage losses not counted; "
            "NaN without any", nullable=True, ge=0, le=1,
        ),
        "export_share": column(
            float, "1", "exported, by what own wind and sun could generate; NaN without any", nullable=True, ge=0, le=1
        ),
        "rule_verdict": column(str, "", "what the rules of green-power direct connection say", isin=VERDICTS),
        "rules_not_kept": column(str, "", "rules that are not kept, separated by blanks"),
        "charge_mwh": column(float, "MWh", "into the storage", ge=0),
        "discharge_mwh": column(float, "MWh", "out of the storage", ge=0),
        "import_mwh": column(float, "MWh", "from the grid", ge=0),
        "export_mwh": column(float, "MWh", "to the grid", ge=0),
        "curtailed_mwh": column(float, "MWh", "own green power beyond the export limit", ge=0),
        "unserved_mwh": column(float, "MWh", "load beyond the import limit", ge=0),
        "import_peak_mw": column(float, "MW", "highest import", ge=0),
        "import_peak_hour": column(str, "", "start of the first hour of highest import, UTC+08:00; empty without"),
        "export_peak_mw": column(float, "MW", "highest export", ge=0),
        "export_peak_hour": column(str, "", "start of the first hour of highest export, UTC+08:00; empty without"),
        "import_limit_mw": column(float, "MW", "limit of the grid point; NaN: none", nullable=True, ge=0),
        "export_limit_mw": column(float, "MW", "limit of the grid point; NaN: none", nullable=True, ge=0),
        "own_cost_cny": column(float, "CNY", "own wind and sun of a year at their levelised cost", ge=0),
        "line_cost_cny": column(float, "CNY", "lines from the sites to the park, a year", ge=0),
        "storage_cost_cny": column(float, "CNY", "storage, a year", ge=0),
        "fee_cost_cny": column(float, "CNY", "fees on own power used, a year", ge=0),
        "import_cost_cny": column(float, "CNY", "power from the grid, a year", ge=0),
        "export_income_cny": column(float, "CNY", "power to the grid, a year", ge=0),
        "annual_cost_cny": column(float, "CNY", "own power, lines, storage, fees and import less export, a year"),
        "grid_only_cost_cny": column(float, "CNY", "the same load all from the grid, a year", ge=0),
        "cost_cny_per_mwh": column(
            float, "CNY/MWh", "annual cost by load served; NaN without", nullable=True
        ),
        "grid_price_cny_per_mwh": column(float, "CNY/MWh", "all that a MWh from the grid costs", ge=0),
        "saving_cny_per_mwh": column(
            float, "CNY/MWh", "grid price less the park's cost; negative: dearer than the grid", nullable=True
        ),
        "co2_t": column(float, "t", "of the power from the grid, a year; NaN without a factor", nullable=True, ge=0),
        "co2_avoided_t": column(
            float, "t", "of the grid power that own use displaces, a year; NaN without a factor", nullable=True, ge=0
        ),
        "co2_source": column(str, "", "where the factor of the grid's power is from"),
        "price_source": column(str, "", "where the prices are from"),
        "price_confidence": column(str, "", "A, B or C", isin=("A", "B", "C")),
    },
)  # fmt: skip

PARK_SITES = Table(
    "park_sites",
    "Which part of which site serves which park, nearest first; a site's megawatts serve one park only.",
    {
        "park_id": column(str, "", "park"),
        "candidate_id": column(str, "", "site"),
        "kind": column(str, "", "roof, ground or wind"),
        "distance_km": column(float, "km", "straight, from the park to the site's point", ge=0),
        "grid_capacity_mw": column(float, "MW", "AC capacity of the whole site", gt=0),
        "park_mw": column(float, "MW", "part of it that serves the park", gt=0),
        "left_mw": column(float, "MW", "part that is left for other parks and the network", ge=0),
        "energy_mwh": column(float, "MWh", "yearly energy of the park's part, before curtailment", ge=0),
        "own_cost_cny_per_mwh": column(float, "CNY/MWh", "levelised cost without its line", ge=0),
        "line_kv": column(float, "kV", "voltage of its line to the park; NaN where none is counted", nullable=True),
        "line_km": column(float, "km", "length of that line with detours; NaN where none is counted", nullable=True),
        "line_cost_cny": column(float, "CNY", "the park's part of line and bays, a year", ge=0),
    },
)

PARK_RULES = Table(
    "park_rules",
    "What the rules of green-power direct connection ask of each park, and whether it keeps them.",
    {
        "park_id": column(str, "", "park"),
        "rule": column(str, "", "row of siting/technologies/park_rules.csv"),
        "label_zh": column(str, "", "label"),
        "label_en": column(str, "", "label"),
        "from_year": column(int, "", "year from which it holds", ge=2000, le=2100),
        "value_share": column(float, "1", "the park's year; NaN without own power", nullable=True, ge=0, le=1),
        "sense": column(str, "", "whether the limit is the least or the most", isin=("least", "most")),
        "limit_share": column(float, "1", "limit", ge=0, le=1),
        "margin_mwh": column(float, "MWh", "energy that is left to the limit; negative: lacks", nullable=True),
        "rule_verdict": column(
            str, "", "kept, not kept, or open where nothing is to judge", isin=(KEPT, NOT_KEPT, OPEN)
        ),
        "document": column(str, "", "document"),
        "clause": column(str, "", "clause"),
        "date": column(str, "", "day of the document"),
        "source": column(str, "", "where its words were read"),
        "rule_confidence": column(str, "", "A, B or C", isin=("A", "B", "C")),
    },
)

PARK_SIZING = Table(
    "park_sizing",
    "How much wind, PV and storage reaches what at least cost: the curve of green share against cost of each park.",
    {
        "park_id": column(str, "", "park"),
        "aim": column(
            str, "", "least cost of all, least cost that keeps the rules, or least cost of a green share within them",
            isin=(LEAST_COST, BY_RULES, BY_SHARE),
        ),
        "target_share": column(float, "1", "green share that is asked for", ge=0, le=1),
        "reached": column(
            str, "", "yes, or no: then the row holds the cheapest of what comes nearest to it in green share",
            isin=("yes", "no"),
        ),
        "pv_mw": column(float, "MW", "PV (AC), nearest sites first", ge=0),
        "wind_mw": column(float, "MW", "wind, nearest sites first", ge=0),
        "storage_mw": column(float, "MW", "storage power", ge=0),
        "storage_mwh": column(float, "MWh", "storage content", ge=0),
        "green_share": column(float, "1", "load met by own wind and sun", ge=0, le=1),
        "self_use_share": column(float, "1", "own use by what could be generated; NaN without", nullable=True),
        "export_share": column(float, "1", "export by what could be generated; NaN without", nullable=True),
        "import_mwh": column(float, "MWh", "from the grid", ge=0),
        "export_mwh": column(float, "MWh", "to the grid", ge=0),
        "curtailed_mwh": column(float, "MWh", "own green power beyond the export limit", ge=0),
        "unserved_mwh": column(float, "MWh", "load beyond the import limit", ge=0),
        "import_peak_mw": column(float, "MW", "highest import", ge=0),
        "annual_cost_cny": column(float, "CNY", "own power, lines, storage, fees and import less export, a year"),
        "cost_cny_per_mwh": column(float, "CNY/MWh", "annual cost by load served"),
        "saving_cny_per_mwh": column(float, "CNY/MWh", "grid price less that cost; negative: dearer than the grid"),
        "co2_t": column(float, "t", "of the power from the grid, a year; NaN without a factor", nullable=True, ge=0),
        "bound_cny_per_mwh": column(
            float, "CNY/MWh", "least cost that any sizes and any dispatch could reach; NaN where it was not asked for",
            nullable=True,
        ),
        "gap_percent": column(float, "%", "cost above that bound", nullable=True),
    },
)  # fmt: skip

PARK_TABLES = (PARKS, PARK_SITES, PARK_RULES, PARK_SIZING, PARK_HOURS)

"""What a capacity study promises: one row a bus, one row a bus, case and mode, and what was done."""

from __future__ import annotations

from layers.tables import Table, column

CAPACITY_LIMITS = (
    "line_loading",
    "transformer_loading",
    "reverse_flow",
    "voltage_high",
    "voltage_low",
    "diverged",
    "split",
    "short_circuit",
    "base_case",
    "not_connected",
    "search_cap",
)
"""What can bind. ``diverged``: the states end there; ``split``: an outage cuts the bus off (added load only);
``base_case``: broken before anything is added; ``search_cap``: nothing breaks as far as was looked."""

CAPACITY_CASES = Table(
    "capacity_cases",
    "First exit on the way up from zero at one bus alone, one row a bus, operating point and mode.",
    {
        "bus_id": column(int, "", "bus"),
        "case": column(str, "", "operating point"),
        "mode": column(str, "", "n_0 (intact) or n_1 (and every single branch outage)", isin=("n_0", "n_1")),
        "capacity_mw": column(float, "MW", "largest added power at which nothing breaks, from zero up", ge=0),
        "limit": column(str, "", "what breaks first beyond it", isin=CAPACITY_LIMITS),
        "element": column(str, "", "branch or bus that breaks first"),
        "outage": column(str, "", "outage under which it breaks; empty: none"),
        "next_limit": column(str, "", "the next different limit on the way up; empty: none found"),
        "next_element": column(str, "", "its branch or bus"),
        "next_outage": column(str, "", "its outage"),
        "next_mw": column(float, "MW", "where it breaks, estimated", nullable=True),
        "estimated_mw": column(float, "MW", "by slopes of the AC states alone", nullable=True),
        "screened_mw": column(float, "MW", "with AC states of the outages that bind first", nullable=True),
        "certified": column(bool, "", "every followed outage was solved by AC at the answer"),
        "base_case": column(bool, "", "broken before anything is added"),
        "cut_off_by": column(str, "", "outages that cut the bus off, ';' between them"),
    },
)

CAPACITY_BUSES = Table(
    "capacity_buses",
    "What each bus takes in the worst of the operating points.",
    {
        "bus_id": column(int, "", "bus", unique=True),
        "name": column(str, "", "the source's name"),
        "station": column(str, "", "substation; empty unknown"),
        "vn_kv": column(float, "kV", "base voltage"),
        "lon": column(float, "degree", "WGS-84", nullable=True),
        "lat": column(float, "degree", "WGS-84", nullable=True),
        "firm_n0_mw": column(float, "MW", "least over the cases, intact network", ge=0),
        "firm_n1_mw": column(float, "MW", "least over the cases, N-1; empty where not studied", nullable=True, ge=0),
        "binding_case": column(str, "", "operating point that binds"),
        "binding_outage": column(str, "", "outage under which it binds; empty: none"),
        "binding_element": column(str, "", "branch or bus that binds"),
        "binding_limit": column(str, "", "kind of limit", isin=CAPACITY_LIMITS),
        "next_binding": column(str, "", "what binds next: limit, element, outage, MW"),
        "certified": column(bool, "", "every followed outage was solved by AC at the answer, in every case"),
        "base_case": column(bool, "", "broken in some case before anything is added"),
        "cut_off_by": column(str, "", "outages that cut the bus off, ';' between them"),
    },
)

BROKEN_BASE = Table(
    "broken_base",
    "Limits that do not hold before anything is added, the worst first.",
    {
        "case": column(str, "", "operating point"),
        "outage": column(str, "", "outage under which it is broken; empty: none"),
        "limit": column(str, "", "kind of limit", isin=CAPACITY_LIMITS),
        "element": column(str, "", "branch or bus"),
        "value": column(float, "", "loading [%] or voltage [pu]", nullable=True),
        "limit_value": column(float, "", "what is allowed, same unit", nullable=True),
    },
)

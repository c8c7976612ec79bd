"""Hand-made networks in which one kind of measure is the cheapest remedy, and a proof of plans by pandapower alone."""

import sys
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandapower as pp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grid_study"))
from gridstudy_networks import bus, infeed, line, load, network, plain_pandapower, station, unit

from grid.contracts import Case
from grid.limits import LimitSettings
from grid.line_parameters import line_type_parameters
from grid.measures.contracts import PlannedStation
from grid.plan.contracts import Access, Lot, PlanProblem, PlanSettings, PlanTarget, Point, Stage, Wanted
from grid.standards_tables import standard_table, transformer_types
from study.plan.measures import MeasureBook
from study.schema.outputs import PlanEntry

NOON = Case("noon", "午", "noon", 0.5, 1.0, 0.0)
EVENING = Case("evening", "晚", "evening", 1.0, 1.0, 0.0)
LIMITS = replace(LimitSettings.standard(), post_fault_voltage=False)
"""Voltage bands of the buses hold after an outage too."""
OF_NETWORK = (
    "add_transformer", "replace_transformer", "high_impedance", "second_circuit", "reconductor", "new_station",
    "split_bus", "reactor", "capacitor", "dynamic_rating",
)  # fmt: skip
ROOM = 1e-3
"""What rounding may put a value over its limit [% or 0.01 pu]."""


def typed_line(line_id, f, t, km, kind):
    """A line with the parameters of its type."""
    row = line_type_parameters().loc[kind]
    return line(
        line_id, f, t, km, r=row.r_ohm_per_km, x=row.x_ohm_per_km, c=row.c_nf_per_km, ka=row.max_i_ka, kind=kind
    )


def typed_unit(unit_id, hv, lv, kind):
    """A transformer with the parameters of its type, its tap such that both sides are at their nominal voltage."""
    row = transformer_types().loc[kind]
    return unit(
        unit_id, hv, lv, row.sn_mva, row.vn_hv_kv, row.vn_lv_kv, vk_percent=row.vk_percent,
        vkr_percent=row.vkr_percent, pfe_kw=row.pfe_kw, i0_percent=row.i0_percent, transformer_type=kind,
        shift_degree=float(row.shift_degree),
    )  # fmt: skip


@dataclass(frozen=True)
class Instance:
    """A network, one plant that has to be built in full, and what is on the menu."""

    network: object
    bus_id: str
    mw: float
    case: Case = NOON
    limits: LimitSettings = LIMITS
    kinds: tuple = OF_NETWORK
    stations: tuple = ()
    decided_in: int | None = None

    def book(self):
        """The study's menu."""
        return MeasureBook(self.network, PlanEntry(measures=self.kinds, decided_in=self.decided_in), self.stations)

    def problem(self, **changes):
        """The plan of the plant, with the study's own menu."""
        book = self.book()
        plant = Lot(
            self.bus_id, "pv", "pv", "X", self.mw, 1.0, self.mw, 300e3, 1200.0, (Access(self.bus_id, self.bus_id, 0.0),)
        )
        one = PlanProblem(
            (Stage(2030, 1.0),),
            (Point(self.case.id, self.case, 0.0, False, 200.0),),
            (plant,),
            np.array([[1.0]]),
            (),
            (PlanTarget("t", "renewable", 0, self.mw),),
            PlanSettings(gap=1e-6, time_limit_s=60.0),
            self.limits,
            book.build,
            menu=book.menu,
        )
        return replace(one, **changes)

    def menu(self):
        """What the study's menu offers for every branch and bus of the network."""
        net = self.network
        book = self.book()
        every = (*net.lines["line_id"], *net.transformers["transformer_id"], *net.buses["bus_id"])
        return book, [m for m in book.menu(Wanted(every)) if m.agreement is None]


def second_engine(net, case):
    """The network in pandapower, built from its tables element by element; shunts and the season's ratings too."""
    out = plain_pandapower(net, case)
    index = dict(zip(out.bus["name"], out.bus.index, strict=True))
    for row in net.shunts.itertuples():
        if row.load_share_min <= case.load_share <= row.load_share_max:
            pp.create_shunt(out, index[row.bus_id], q_mvar=row.q_mvar)
    out.line["max_i_ka"] *= standard_table("seasons").set_index("season")["line_rating_factor"][case.season]
    return out


def run(net):
    pp.runpp(net, calculate_voltage_angles=True, trafo_model="t", numba=False, lightsim2grid=False)


def holds(net, case, limits, fed_mw):
    """Whether AC load flow of pandapower breaks no limit, intact and with every branch out."""
    return next(broken_limits(net, case, limits, fed_mw), None) is None


def broken_limits(net, case, limits, fed_mw):
    """Limits that AC load flow of pandapower breaks, intact and with every branch out: (element, outage, value).

    ``fed_mw``: new plants by bus. What an outage cuts off has no voltage and no flow.
    """
    there = second_engine(net, case)
    index = dict(zip(there.bus["name"], there.bus.index, strict=True))
    for bus_id, mw in fed_mw.items():
        pp.create_sgen(there, index[bus_id], mw, q_mvar=mw * limits.plant_power.imag)
    bands = net.buses.set_index("bus_id").loc[there.bus["name"], ["vm_min_pu", "vm_max_pu"]].to_numpy()
    outages = [(None, 0), *(("line", k) for k in there.line.index), *(("trafo", k) for k in there.trafo.index)]
    for table, k in outages:
        name = "" if table is None else str(there[table].at[k, "name"])
        if table:
            there[table].at[k, "in_service"] = False
        run(there)
        yield from _over(there, name, limits)
        vm = there.res_bus["vm_pu"].to_numpy()
        with np.errstate(invalid="ignore"):
            off = (vm < bands[:, 0] - ROOM / 100) | (vm > bands[:, 1] + ROOM / 100)
        yield from ((str(there.bus["name"].iloc[b]), name, vm[b]) for b in np.flatnonzero(off))
        if table:
            there[table].at[k, "in_service"] = True


def _over(there, outage, limits):
    """Branches beyond their limits in a solved state."""
    line_most, unit_most = limits.line_percent, limits.transformer_percent
    if outage:
        line_most, unit_most = limits.line_n_1_percent, limits.transformer_n_1_percent
    rows = [
        (there.line["name"], there.res_line["loading_percent"], line_most),
        (there.trafo["name"], there.res_trafo["loading_percent"], unit_most),
    ]
    if not outage:
        reverse = -100 * there.res_trafo["p_hv_mw"] / there.trafo["sn_mva"]
        rows.append((there.trafo["name"], reverse, limits.reverse_percent))
    for names, values, most in rows:
        yield from ((one, outage, value) for one, value in zip(names, values, strict=True) if value > most + ROOM)


def cheapest_remedy(one, most=1):
    """Cheapest set of up to ``most`` measures of the menu with which pandapower breaks no limit: (ids, CNY a year)."""
    book, measures = one.menu()
    sets = [chosen for size in range(most + 1) for chosen in combinations(measures, size)]
    sets = [s for s in sets if len({m.exclusive_group or m.id for m in s}) == len(s)]
    for chosen in sorted(sets, key=lambda s: sum(m.cost_cny_per_a for m in s)):
        config = frozenset(m.id for m in chosen)
        if holds(book.build(config, one.case), one.case, one.limits, {one.bus_id: one.mw}):
            return config, sum(m.cost_cny_per_a for m in chosen)
    return None, np.inf


# --- networks ---------------------------------------------------------------------------------------------------


def behind_units(kind, count, mw):
    """Infeed o==[ units ]== plant: units of one type between two levels."""
    row = transformer_types().loc[kind]
    hv, lv = float(row.hv_kv), float(row.lv_kv)
    high, low = f"A/{hv:g}", f"A/{lv:g}"
    net = network(
        "units",
        stations=[station("A", hv)],
        buses=[bus(high, hv), bus(low, lv)],
        units=[typed_unit(f"A#{k + 1}", high, low, kind) for k in range(count)],
        infeeds=[infeed(high)],
    )
    return Instance(net, low, mw)


def radial(kind, mw, km=10.0, case=NOON, count=1):
    """Infeed A o------ B plant: lines of a type; the loss of a single one cuts B off."""
    vn = float(standard_table("line_types").set_index("line_type").loc[kind, "vn_kv"])
    net = network(
        "radial",
        stations=[station("A", vn), station("B", vn, 116.1)],
        buses=[bus(f"A/{vn:g}", vn), bus(f"B/{vn:g}", vn)],
        lines=[typed_line(f"AB#{k + 1}", f"A/{vn:g}", f"B/{vn:g}", km, kind) for k in range(count)],
        infeeds=[infeed(f"A/{vn:g}")],
    )
    return Instance(net, f"B/{vn:g}", mw, case)


def two_strings(mw):
    """Plant at C, two circuits C = B = A by a station on the way and three longer ones C - A beside them.

    With one circuit A - B out the other one carries what both circuits B - C bring; where B is split, the string of
    the lost circuit ends and only the other one flows on.
    """
    kind = "110 kV 185/30"
    net = network(
        "strings",
        stations=[station(s, 110.0, 116 + k / 10, 33) for k, s in enumerate("ABC")],
        buses=[bus(f"{s}/110", 110.0) for s in "ABC"],
        lines=[
            *(typed_line(f"{f}{t}#{k}", f"{f}/110", f"{t}/110", 20, kind) for f, t in ("AB", "BC") for k in (1, 2)),
            *(typed_line(f"CA#{k}", "C/110", "A/110", 45, "110 kV 2x240/30") for k in (1, 2, 3)),
        ],
        infeeds=[infeed("A/110")],
    )
    return Instance(net, "C/110", mw)


def two_paths(mw):
    """Plant at S/110: one 220/110 unit there, and two lines to T with two larger units."""
    net = network(
        "paths",
        stations=[station("S", 220.0), station("T", 220.0, 116.4)],
        buses=[bus("S/220", 220.0), bus("T/220", 220.0), bus("S/110", 110.0), bus("T/110", 110.0)],
        lines=[
            *(typed_line(f"ST#{k}", "S/110", "T/110", 40, "110 kV 2x240/30") for k in (1, 2)),
            *(typed_line(f"UP#{k}", "S/220", "T/220", 40, "220 kV 2x400/35") for k in (1, 2)),
        ],
        units=[
            typed_unit("S#1", "S/220", "S/110", "220/110 180 MVA"),
            *(typed_unit(f"T#{k}", "T/220", "T/110", "220/110 240 MVA") for k in (1, 2)),
        ],
        infeeds=[infeed("S/220")],
    )
    return Instance(net, "S/110", mw)


def far_away(mw, *, case, demand=0.0, mvar=0.0, low=0.9, high=1.1, limits=LIMITS, km=25.0):
    """Infeed A o====== B plant and load: two lines, a narrow voltage band at B."""
    net = network(
        "far",
        stations=[station("A", 110.0), station("B", 110.0, 116.25)],
        buses=[bus("A/110", 110.0), bus("B/110", 110.0, low, high)],
        lines=[typed_line(f"AB#{k}", "A/110", "B/110", km, "110 kV 300/40") for k in (1, 2)],
        loads=[load("B/110", demand, mvar)],
        infeeds=[infeed("A/110")],
    )
    return Instance(net, "B/110", mw, case, limits)


def chain_of_two(mw):
    """220 kV A - E and, below, 110 kV A - P - Q - E; the plant is at P. With A - P out all of it goes by P - Q - E."""
    kind = "110 kV 185/30"
    net = network(
        "chain",
        stations=[
            station("A", 220.0, 116.0),
            station("P", 110.0, 116.3),
            station("Q", 110.0, 116.5),
            station("E", 220.0, 116.9),
        ],
        buses=[
            bus("A/220", 220.0),
            bus("E/220", 220.0),
            bus("A/110", 110.0),
            bus("P/110", 110.0),
            bus("Q/110", 110.0),
            bus("E/110", 110.0),
        ],
        lines=[
            *(typed_line(f"AE#{k}", "A/220", "E/220", 85, "220 kV 2x400/35") for k in (1, 2)),
            typed_line("AP", "A/110", "P/110", 30, "110 kV 2x240/30"),
            typed_line("PQ", "P/110", "Q/110", 20, "110 kV 2x240/30"),
            typed_line("QE", "Q/110", "E/110", 40, kind),
        ],
        units=[typed_unit(f"{s}#{k}", f"{s}/220", f"{s}/110", "220/110 180 MVA") for s in "AE" for k in (1, 2)],
        infeeds=[infeed("A/220")],
    )
    new = PlannedStation("new001", "新", "New", 220.0, 116.4, 33.01)
    return Instance(net, "P/110", mw, kinds=("new_station",), stations=(new,))


def ring_with_board(mw, kinds=("new_station",)):
    """A (infeed), B (plant), C (load at 10 kV) in a 110 kV ring: BC carries a part of both, nothing out."""
    net = network(
        "ring",
        stations=[station("A", 110.0, 116.0), station("B", 110.0, 116.2), station("C", 110.0, 116.1, 33.15)],
        buses=[*(bus(f"{s}/110", 110.0) for s in "ABC"), bus("C/10", 10.0)],
        lines=[
            typed_line("AB", "A/110", "B/110", 20, "110 kV 2x240/30"),
            typed_line("BC", "B/110", "C/110", 15, "110 kV 185/30"),
            typed_line("CA", "C/110", "A/110", 25, "110 kV 185/30"),
        ],
        units=[typed_unit(f"C#{k}", "C/110", "C/10", "110/10 63 MVA") for k in (1, 2)],
        loads=[load("C/10", 60.0, 12.0)],
        infeeds=[infeed("A/110")],
    )
    new = PlannedStation("new001", "新", "New", 110.0, 116.04, 33.08)
    limits = replace(LIMITS, line_n_1_percent=1000.0)
    return Instance(net, "B/110", mw, EVENING, limits, kinds, (new,))

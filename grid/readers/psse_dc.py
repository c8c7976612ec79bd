"""Direct-current links and FACTS of a PSS/E RAW file as what they exchange with the network in their scheduled state.

Converter bridge (line-commutated), per pole with n bridges, E the voltage behind the commutating reactance::

    Vd0 = n (3 sqrt(2) / pi) E        E = V_bus EBAS TR / TAP        cos phi = Vd / Vd0        Q = P tan phi

with V_bus the stored voltage of the bus [pu]. Losses of the line are R I^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grid.readers.psse_records import Line, RawFile
from grid.readers.psse_tables import Tables

Floats = npt.NDArray[np.float64]

_BRIDGE = 3 * math.sqrt(2) / math.pi
_OUTSIDE = -1
"""End of a link that the model does not hold."""
_SCHEDULED = "fixed exchange of the schedule; the link does not answer to the network"


def read_dc_and_facts(raw: RawFile, tables: Tables) -> None:
    """Add what all links and devices inject."""
    stored = dict(zip(tables.columns["buses"]["bus_id"], tables.columns["buses"]["vm_pu"], strict=True))
    _two_terminal(raw, tables, stored)
    _voltage_source(raw, tables)
    _multi_terminal(raw, tables, stored)
    _facts(raw, tables)


def _two_terminal(raw: RawFile, tables: Tables, stored: dict[int, float]) -> None:
    lines = raw.sections["two_terminal_dc"]
    for k in range(0, len(lines) - 2, 3):
        head = raw.line("two_terminal_dc", "two_terminal_dc_1", *lines[k], tables.reading)
        ends = [raw.line("two_terminal_dc", "two_terminal_dc_converter", *lines[k + n], tables.reading) for n in (1, 2)]
        if head.whole("mdc") not in (1, 2):
            continue
        buses = [tables.bus(end, "ip") for end in ends]
        current_ka, at_rectifier_kv, at_inverter_kv = _operating_point(head)
        p = (current_ka * at_rectifier_kv, current_ka * at_inverter_kv)
        q = [
            power * _tangent(end, volts, stored.get(bus, 1.0), current_ka)
            for end, volts, power, bus in zip(ends, (at_rectifier_kv, at_inverter_kv), p, buses, strict=True)
        ]
        name = head.text("name")
        _add(tables, f"DC{name}", name, buses, (-p[0], p[1]), (-q[0], -q[1]))
        tables.reading.lose(f"two-terminal dc {name}", "record", "converted", f"{p[1]:.1f} MW", _SCHEDULED)


def _operating_point(head: Line) -> tuple[float, float, float]:
    """Current [kA] and voltages at rectifier and inverter [kV] from the schedule.

    The voltage VSCHD is held at the point RCOMP ohms up the line from the inverter.
    """
    r, compounded, volts = head.real("rdc"), head.real("rcomp"), head.real("vschd")
    demand = head.real("setvl")
    if head.whole("mdc") == 2:
        current = demand / 1000
    else:  # power at the rectifier where positive, at the inverter where negative: v I + drop I^2 = P
        drop = (r - compounded) if demand > 0 else -compounded
        current = _quadratic(drop, volts, abs(demand))
    inverter = volts - current * compounded
    return current, inverter + current * r, inverter


def _quadratic(a: float, b: float, power: float) -> float:
    """The smaller positive root of a I^2 + b I = P."""
    if b <= 0:
        return 0.0
    if a == 0:
        return power / b
    inside = b * b + 4 * a * power
    return (-b + math.sqrt(inside)) / (2 * a) if inside >= 0 else b / (-2 * a)


def _tangent(end: Line, volts_kv: float, vm_pu: float, current_ka: float) -> float:
    """tan(phi) of a converter; 0.5 where its data allow none."""
    tap = end.real("tap", 1.0) or 1.0
    commutating = vm_pu * end.real("ebas") * (end.real("tr", 1.0) or 1.0) / tap
    ideal = end.real("nb") * _BRIDGE * commutating
    cosine = abs(volts_kv) / ideal if ideal > 0 else 0.0
    return math.tan(math.acos(cosine)) if 0.1 < cosine <= 1 else 0.5


def _voltage_source(raw: RawFile, tables: Tables) -> None:
    lines = raw.sections["vsc_dc"]
    for k in range(0, len(lines) - 2, 3):
        head = raw.line("vsc_dc", "vsc_dc_1", *lines[k], tables.reading)
        ends = [raw.line("vsc_dc", "vsc_dc_converter", *lines[k + n], tables.reading) for n in (1, 2)]
        if head.whole("mdc", 1) != 1:
            continue
        buses = [tables.bus(end, "ibus") for end in ends]
        scheduled = next((n for n, end in enumerate(ends) if end.whole("type") == 2), 0)
        other = 1 - scheduled
        volts = ends[other].real("dcset") or 1.0
        power = ends[scheduled].real("dcset")  # positive: into the network at this converter
        lost_at = [_converter_loss_mw(end, abs(power) / volts * 1000) for end in ends]
        current_ka = abs(power) / volts
        p = [0.0, 0.0]
        p[scheduled] = power
        p[other] = -power - head.real("rdc") * current_ka**2 - sum(lost_at)
        q = [_vsc_reactive(end, bus, power_mw, tables) for end, bus, power_mw in zip(ends, buses, p, strict=True)]
        name = head.text("name")
        _add(tables, f"VSC{name}", name, buses, (p[0], p[1]), (q[0], q[1]))
        tables.reading.lose(f"vsc dc {name}", "record", "converted", f"{power:g} MW", _SCHEDULED)


def _converter_loss_mw(end: Line, amperes: float) -> float:
    return max(end.real("aloss") + end.real("bloss") * amperes, end.real("minloss")) / 1000


def _vsc_reactive(end: Line, bus: int, power_mw: float, tables: Tables) -> float:
    """Reactive power of a converter with a power factor; one that holds a voltage becomes a generator."""
    setting = end.real("acset", 1.0)
    if end.whole("mode", 1) == 2:
        return abs(power_mw) * math.tan(math.acos(min(1.0, abs(setting)))) * (1 if setting >= 0 else -1)
    remote = abs(end.whole("remot")) or bus
    _add_compensator(tables, f"VSC{bus}", bus, remote, setting, end.real("minq", -9999.0), end.real("maxq", 9999.0))
    return 0.0


def _multi_terminal(raw: RawFile, tables: Tables, stored: dict[int, float]) -> None:
    lines = raw.sections["multi_terminal_dc"]
    k = 0
    while k < len(lines):
        head = raw.line("multi_terminal_dc", "multi_terminal_dc_1", *lines[k], tables.reading)
        counts = [max(0, head.whole(name)) for name in ("nconv", "ndcbs", "ndcln")]
        parts, k = _cut(lines, k + 1, counts)
        converters = [raw.line("multi_terminal_dc", "multi_terminal_dc_converter", *line, tables.reading)
                      for line in parts[0]]  # fmt: skip
        if head.whole("mdc") not in (1, 2) or not converters:
            continue
        if len(parts[0]) + len(parts[1]) + len(parts[2]) < sum(counts) or not parts[1]:
            head.wrong("nconv", head.text("nconv"), "counts lines that are missing.", "Complete the record.")
            continue
        buses = [tables.bus(converter, "ib") for converter in converters]
        slack = abs(head.whole("vconv"))
        volts = next((c.real("setvl") for c, bus in zip(converters, buses, strict=True) if bus == slack), 0.0)
        drawn = {bus: c.real("setvl") for c, bus in zip(converters, buses, strict=True) if bus != slack}
        network = _DcNetwork.of(head, parts[1], parts[2])
        power, kv = network.solve(slack, volts or 1.0, drawn)
        for converter, bus in zip(converters, buses, strict=True):
            tangent = _tangent(converter, kv[bus], stored.get(bus, 1.0), abs(power[bus]) / kv[bus])
            name = f"MTDC{head.text('name')}-{bus}"
            _add(tables, name, name, (bus, _OUTSIDE), (-power[bus], 0.0), (-abs(power[bus]) * tangent, 0.0))
        tables.reading.lose(f"multi-terminal dc {head.text('name')}", "record", "converted", f"{len(converters)} ends",
                            _SCHEDULED)  # fmt: skip


def _cut(
    lines: list[tuple[int, list[str]]], start: int, counts: list[int]
) -> tuple[list[list[tuple[int, list[str]]]], int]:
    parts = []
    for count in counts:
        parts.append(lines[start : start + count])
        start += count
    return parts, start


@dataclass(frozen=True)
class _DcNetwork:
    """Resistances between the nodes of a direct-current network; ``at`` maps network buses to nodes."""

    conductance: Floats
    at: dict[int, int]

    @classmethod
    def of(cls, head: Line, buses: list[tuple[int, list[str]]], links: list[tuple[int, list[str]]]) -> _DcNetwork:
        node: dict[int, int] = {}
        at: dict[int, int] = {}
        for n, values in buses:
            line = Line("multi_terminal_dc", n, {"idc": values[0], "ib": values[1] if len(values) > 1 else "0"},
                        head.reading)  # fmt: skip
            node[line.whole("idc")] = len(node)
            at[line.whole("ib")] = node[line.whole("idc")]
        conductance = np.zeros((len(node), len(node)))
        for n, values in links:
            named = dict(zip(("one", "two"), values, strict=False)) | {"rdc": values[-2] if len(values) > 4 else "0"}
            line = Line("multi_terminal_dc", n, named, head.reading)
            one, two = node.get(line.whole("one"), 0), node.get(line.whole("two"), 0)
            g = 1 / max(line.real("rdc"), 1e-6)
            conductance[[one, two], [one, two]] += g
            conductance[[one, two], [two, one]] -= g
        return cls(conductance, at)

    def solve(self, slack: int, volts_kv: float, drawn: dict[int, float]) -> tuple[dict[int, float], dict[int, float]]:
        """Power that each converter draws from its bus [MW] and voltage [kV]: ``G v = p / v`` by repetition."""
        n = len(self.conductance)
        v: Floats = np.full(n, volts_kv)
        p: Floats = np.zeros(n)
        for bus, power in drawn.items():
            if bus in self.at:
                p[self.at[bus]] += power
        fixed = self.at.get(slack, 0)
        free = np.arange(n) != fixed
        for _ in range(100):
            rest = np.asarray((p / v)[free] - self.conductance[np.ix_(free, ~free)] @ v[~free])
            v[free] = np.linalg.lstsq(self.conductance[np.ix_(free, free)], rest, rcond=None)[0]
            v = np.asarray(np.clip(v, 0.1 * volts_kv, 10 * volts_kv), dtype=np.float64)
        balance = np.asarray(v * (self.conductance @ v))
        exchanged = {**drawn, slack: float(balance[fixed])}
        return exchanged, {bus: float(v[self.at.get(bus, fixed)]) for bus in exchanged}


def _facts(raw: RawFile, tables: Tables) -> None:
    for line in raw.lines("facts", tables.reading):
        if line.whole("mode", 1) == 0:
            continue
        bus, terminal, name = tables.bus(line, "i"), abs(line.whole("j")), line.text("name")
        limit = line.real("shmx", 9999.0)
        if limit > 0:
            _add_compensator(tables, f"FACTS{name}", bus, bus, line.real("vset", 1.0), -limit, limit)
        if terminal and tables.bus(line, "j"):
            p, q = line.real("pdes"), line.real("qdes")
            _add(tables, f"FACTS{name}-series", f"FACTS {name}", (bus, terminal), (-p, p), (-q, q))
            tables.reading.lose(
                f"facts {name}", "J", "converted", f"{p:g} MW", "a fixed exchange in place of the series part"
            )


def _add_compensator(
    tables: Tables, name: str, bus: int, regulated: int, vm_pu: float, q_min: float, q_max: float
) -> None:
    """A source of reactive power alone that holds a voltage, unless a machine at its bus does so already."""
    if tables.kind.get(bus) == "pq":
        kinds = tables.columns["buses"]["kind"]
        kinds[tables.columns["buses"]["bus_id"].index(bus)] = "pv"
        tables.kind[bus] = "pv"
    tables.add(
        "generators", generator_id=tables.unique(name), bus_id=bus, p_mw=0.0, q_mvar=0.0, q_max_mvar=max(q_max, q_min),
        q_min_mvar=min(q_min, q_max), control="voltage", vm_pu=vm_pu,
        regulated_bus_id=regulated if regulated in tables.bus_kv else bus, p_max_mw=0.0, p_min_mw=0.0,
        sn_mva=math.nan, slack_weight=0.0, in_service=True,
    )  # fmt: skip


def _add(
    tables: Tables, hvdc_id: str, name: str, buses: list[int] | tuple[int, int], p: tuple[float, float],
    q: tuple[float, float],
) -> None:  # fmt: skip
    tables.add("hvdc", hvdc_id=tables.unique(hvdc_id), name=name, from_bus=buses[0], to_bus=buses[1], p_from_mw=p[0],
               q_from_mvar=q[0], p_to_mw=p[1], q_to_mvar=q[1], in_service=True)  # fmt: skip

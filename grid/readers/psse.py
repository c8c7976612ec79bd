"""PSS/E RAW files of revisions 29 to 35 into the bus-branch model, with everything that was given up on the way.

Two-winding units: off-nominal ratios t1, t2 by CW, impedance by CZ, magnetising admittance by CM at bus 1; the model's
ratio is t1/t2 and its impedance z t2^2 (the impedance lies between the two ideal transformers). Three-winding units
keep their pairs. Impedance correction tables scale the impedance at the present tap or angle. Field meanings follow
the RAW format as documented publicly for PSS/E (records are listed in ``psse_records.toml``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grid.model.acceptance import accept
from grid.model.contracts import BusBranch, Source, make_case
from grid.readers.psse_dc import read_dc_and_facts
from grid.readers.psse_records import RULE, Line, PsseReading, RawFile, number, read_sections
from grid.readers.psse_tables import Tables
from grid.readers.psse_transformers import read_transformers
from grid.readers.source import open_source

_KINDS = {1: "pq", 2: "pv", 3: "ref", 4: "isolated"}
_SKIPPED = ("multi_section_line", "gne", "induction_machine", "inter_area_transfer")
_WITHOUT_EFFECT = ("multi_section_line", "inter_area_transfer")


def read_psse(path: Path, shown: str | None = None) -> BusBranch:
    """Read a PSS/E RAW file.

    Parameters
    ----------
    path : Path
        Revision 29 to 35, free format; UTF-8, GB 18030 or Latin-1.
    shown : str, optional
        What people see as the file's name.

    Returns
    -------
    BusBranch
        Bus numbers are the file's own. Loads are ``L<bus>-<id>``, generators ``G<bus>-<id>``, branches
        ``<i>-<j>-<ckt>``. Direct-current links and FACTS are what they exchange with the network in their scheduled
        state. ``losses`` lists what was defaulted, converted or dropped.

    Raises
    ------
    InputError
        With everything that is wrong with the file.
    """
    source = open_source(path, shown, RULE)
    reading = PsseReading(source.shown)
    raw = read_sections(source.text(), reading)
    tables = Tables(reading, raw.base_mva)
    _buses(raw, tables)
    _loads(raw, tables)
    _fixed_shunts(raw, tables)
    _generators(raw, tables)
    _branches(raw, tables)
    read_transformers(raw, tables)
    _switched_shunts(raw, tables)
    read_dc_and_facts(raw, tables)
    _say_what_is_skipped(raw, reading)
    reading.stop_on_faults()
    name = source.shown.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    identity = Source("psse", str(raw.revision), source.shown, source.sha256, raw.title)
    return accept(make_case(name, raw.base_mva, identity, tables.columns, raw.frequency_hz, reading.losses))


def _buses(raw: RawFile, tables: Tables) -> None:
    for line in raw.lines("bus", tables.reading):
        kind = _KINDS.get(line.whole("ide", 1))
        if kind is None:
            line.wrong("ide", line.text("ide"), "must be 1, 2, 3 or 4.")
            kind = "pq"
        base = line.real("baskv")
        if base <= 0:
            tables.reading.lose(f"bus {line.text('i')}", "BASKV", "defaulted", "1 kV", "state the base voltage")
            base = 1.0
        tables.bus_kv[line.whole("i")] = base
        tables.add(
            "buses", bus_id=line.whole("i"), name=line.text("name"), vn_kv=base, kind=kind, area=line.whole("area", 1),
            zone=line.whole("zone", 1), gs_mw=line.real("gl"), bs_mvar=line.real("bl"), vm_pu=line.real("vm", 1.0),
            va_degree=line.real("va"), vm_max_pu=line.real("nvhi", math.nan), vm_min_pu=line.real("nvlo", math.nan),
        )  # fmt: skip
        tables.kind[line.whole("i")] = kind


def _loads(raw: RawFile, tables: Tables) -> None:
    for line in raw.lines("load", tables.reading):
        bus = tables.bus(line, "i")
        tables.add(
            "loads", load_id=tables.unique(f"L{bus}-{line.text('id', '1')}"), bus_id=bus, p_mw=line.real("pl"),
            q_mvar=line.real("ql"), p_i_mw=line.real("ip"), q_i_mvar=line.real("iq"), p_z_mw=line.real("yp"),
            q_z_mvar=-line.real("yq"), in_service=line.whole("status", 1) == 1,
        )  # fmt: skip


def _fixed_shunts(raw: RawFile, tables: Tables) -> None:
    for line in raw.lines("fixed_shunt", tables.reading):
        bus = tables.bus(line, "i")
        tables.add_shunt(f"S{bus}-{line.text('id', '1')}", bus, line.real("bl"), g_mw=line.real("gl"),
                         in_service=line.whole("status", 1) == 1)  # fmt: skip


def _generators(raw: RawFile, tables: Tables) -> None:
    for line in raw.lines("generator", tables.reading):
        bus = tables.bus(line, "i")
        regulated = abs(line.whole("ireg")) or bus
        if regulated not in tables.bus_kv:
            tables.reading.lose(
                f"generator {bus}", "IREG", "defaulted", regulated, "the bus does not exist; its own is held"
            )
            regulated = bus
        if line.real("gtap", 1.0) != 1.0 or line.real("xt"):
            tables.reading.lose(f"generator {bus}-{line.text('id', '1')}", "XT", "dropped", line.real("xt"),
                                "a step-up transformer inside the machine matters for short circuits only")  # fmt: skip
        holds = tables.kind.get(bus) in ("pv", "ref")
        tables.add(
            "generators", generator_id=tables.unique(f"G{bus}-{line.text('id', '1')}"), bus_id=bus,
            p_mw=line.real("pg"), q_mvar=line.real("qg"), q_max_mvar=line.real("qt", 9999.0),
            q_min_mvar=line.real("qb", -9999.0), control="voltage" if holds else "power",
            vm_pu=line.real("vs", 1.0), regulated_bus_id=regulated if holds else bus, p_max_mw=line.real("pt", 9999.0),
            p_min_mw=line.real("pb", -9999.0), sn_mva=line.real("mbase", raw.base_mva) or math.nan,
            slack_weight=0.0, in_service=line.whole("stat", 1) == 1,
        )  # fmt: skip


def _branches(raw: RawFile, tables: Tables) -> None:
    for line in raw.lines("branch", tables.reading):
        one, two = tables.bus(line, "i"), tables.bus(line, "j")
        circuit = line.text("ckt", "1")
        tables.add_branch(
            line, one, two, circuit, "line", r_pu=line.real("r"), x_pu=line.real("x"), b_pu=line.real("b"),
            g_from_pu=line.real("gi"), b_from_pu=line.real("bi"), g_to_pu=line.real("gj"), b_to_pu=line.real("bj"),
            in_service=line.whole("st", 1) == 1, length_km=line.real("len") or math.nan, **ratings(line),
        )  # fmt: skip
    for line in raw.lines("system_switching_device", tables.reading):
        one, two = tables.bus(line, "i"), tables.bus(line, "j")
        tables.add_branch(line, one, two, line.text("ckt", "1"), "line", r_pu=0.0, x_pu=line.real("x", 1e-4),
                          in_service=line.whole("st", 1) == 1, **ratings(line))  # fmt: skip


def ratings(line: Line, names: Sequence[str] = ("ratea", "rateb", "ratec")) -> dict[str, float]:
    """Ratings [MVA]; 0 means none."""
    return {f"rating_{k}_mva": line.real(name) or math.nan for k, name in zip("abc", names, strict=True)}


def _switched_shunts(raw: RawFile, tables: Tables) -> None:
    for line in raw.lines("switched_shunt", tables.reading):
        bus, mode = tables.bus(line, "i"), line.whole("modsw", 1)
        shunt = tables.unique(f"X{bus}-{line.text('id', '1')}")
        control = {0: "fixed", 1: "discrete", 2: "continuous"}.get(mode)
        if control is None:
            tables.reading.lose(f"switched shunt {bus}", "MODSW", "converted", mode, "kept as it is switched")
            control = "fixed"
        regulated = abs(line.whole("swrem")) or bus
        tables.add_shunt(
            shunt, bus, line.real("binit"), control=control, in_service=line.whole("stat", 1) == 1,
            regulated_bus_id=regulated if regulated in tables.bus_kv else bus, vm_max_pu=line.real("vswhi", 1.0),
            vm_min_pu=line.real("vswlo", 1.0),
        )  # fmt: skip
        for block, (count, b_mvar) in enumerate(_steps(raw.revision, line), start=1):
            tables.add("shunt_steps", shunt_id=shunt, block=block, count=count, b_mvar=b_mvar)


def _steps(revision: int, line: Line) -> list[tuple[int, float]]:
    """(steps, Mvar a step) of each block; from revision 35 a status stands before each pair."""
    width = 3 if revision >= 35 else 2
    values = [number(text, 0.0, line, "N, B") for text in line.rest]
    groups = [values[k : k + width] for k in range(0, len(values) - width + 1, width)]
    return [(int(g[-2]), g[-1]) for g in groups if g[-2] and g[-1] and (width == 2 or g[0] == 1)]


def _say_what_is_skipped(raw: RawFile, reading: PsseReading) -> None:
    for section in _SKIPPED:
        lines: Any = raw.sections.get(section, [])
        if lines:
            remedy = "no effect on a load flow" if section in _WITHOUT_EFFECT else "model the device by hand"
            reading.lose(section.replace("_", " "), "section", "dropped", f"{len(lines)} lines", remedy)

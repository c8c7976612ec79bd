"""Transformers of a PSS/E RAW file: records of four or five lines, units by CW, CZ and CM, correction tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from grid.readers.psse_records import Line, RawFile, number
from grid.readers.psse_tables import Tables

_OPEN_WINDING = {0: (1, 2, 3), 2: (2,), 3: (3,), 4: (1,)}
"""Windings that a status of a three-winding unit opens."""

Curve = Sequence[tuple[float, float]]


def read_transformers(raw: RawFile, tables: Tables) -> None:
    """Add all transformers to the tables."""
    curves = _correction_curves(raw, tables)
    for head, impedance, windings in _records(raw, tables):
        if len(windings) == 3:
            _three_winding(head, impedance, windings, tables, curves)
        else:
            _two_winding(head, impedance, windings, tables, curves)


def _records(raw: RawFile, tables: Tables) -> Iterator[tuple[Line, Line, list[Line]]]:
    lines = raw.sections["transformer"]
    k = 0
    while k < len(lines):
        head = raw.line("transformer", "transformer_1", *lines[k], tables.reading)
        count = 3 if head.whole("k") else 2
        if k + 1 + count >= len(lines):
            head.wrong("i", head.text("i"), "begins a record whose further lines are missing.", "Complete the record.")
            return
        impedance = raw.line("transformer", "transformer_2", *lines[k + 1], tables.reading)
        windings = [raw.line("transformer", "transformer_winding", *lines[k + 2 + w], tables.reading)
                    for w in range(count)]  # fmt: skip
        yield head, impedance, windings
        k += 2 + count


def _correction_curves(raw: RawFile, tables: Tables) -> dict[int, Curve]:
    """Factor on the impedance over ratio or angle, by table number."""
    curves: dict[int, Curve] = {}
    for n, values in raw.sections["impedance_correction"]:
        line = Line("impedance_correction", n, {}, tables.reading)
        numbers = [number(text, 0.0, line, "T, F") for text in values]
        if raw.revision >= 34 and len(numbers) > 3:
            tables.reading.lose(
                f"impedance correction line {n}", "F", "dropped", len(numbers), "complex factors are not read"
            )
            continue
        points = [(numbers[k], numbers[k + 1]) for k in range(1, len(numbers) - 1, 2)]
        curves[int(numbers[0])] = [p for p in points if p != (0.0, 0.0)]
    return curves


def _factor(winding: Line, ratio: float, curves: dict[int, Curve]) -> float:
    curve = curves.get(winding.whole("tab"))
    if not curve:
        return 1.0
    at = winding.real("ang") if abs(winding.whole("cod")) == 3 else ratio
    return float(np.interp(at, [t for t, _ in curve], [f for _, f in curve]))


def _ratio(head: Line, winding: Line, base_kv: float) -> float:
    """Off-nominal ratio of a winding [pu of the bus's base voltage]."""
    code, given = head.whole("cw", 1), winding.real("windv")
    if code == 2:
        return (given or base_kv) / base_kv
    nominal = winding.real("nomv") or base_kv
    return (given or 1.0) * (nominal / base_kv if code == 3 else 1.0)


def _positive_ratio(head: Line, winding: Line, base_kv: float) -> float:
    ratio = _ratio(head, winding, base_kv)
    if not 0.1 < ratio < 10:
        winding.wrong("windv", winding.text("windv"), f"gives a ratio of {ratio:g}: check CW.")
        return 1.0
    return ratio


def _impedance(head: Line, line: Line, pair: str, winding: Line, kv: float, base_mva: float) -> complex:
    """Impedance of a pair of windings [pu of the system base and the bus's base voltage]."""
    r, x, sbase = line.real(f"r{pair}"), line.real(f"x{pair}"), line.real(f"sbase{pair}", base_mva) or base_mva
    code = head.whole("cz", 1)
    if code == 1:
        return complex(r, x)
    if code == 3:  # load loss [W] and absolute impedance [pu]
        share = r / 1e6 / sbase
        r, x = share, math.sqrt(max(x * x - share * share, 0.0))
    nominal = winding.real("nomv") or kv
    return complex(r, x) * (base_mva / sbase) * (nominal / kv) ** 2


def _magnetising(head: Line, impedance: Line, winding: Line, kv: float, base_mva: float) -> complex:
    """Admittance at the bus of winding 1 [pu of the system base]."""
    g, b = head.real("mag1"), head.real("mag2")
    if head.whole("cm", 1) != 2:
        return complex(g, b)
    sbase = impedance.real("sbase12", base_mva) or base_mva
    nominal = winding.real("nomv") or kv
    conductance = g / 1e6 / base_mva
    current = abs(b) * sbase / base_mva
    susceptance = -math.sqrt(max(current**2 - conductance**2, 0.0))
    return complex(conductance, susceptance) * (kv / nominal) ** 2


def _two_winding(
    head: Line, impedance: Line, windings: Sequence[Line], tables: Tables, curves: dict[int, Curve]
) -> None:
    one, two = tables.bus(head, "i"), tables.bus(head, "j")
    kv = (tables.bus_kv.get(one, 1.0), tables.bus_kv.get(two, 1.0))
    first, second = windings
    t1, t2 = _positive_ratio(head, first, kv[0]), _positive_ratio(head, second, kv[1])
    z = _impedance(head, impedance, "12", first, kv[0], tables.base_mva) * _factor(first, t1, curves)
    y = _magnetising(head, impedance, first, kv[0], tables.base_mva)
    z *= t2**2
    values = _tap_control(head, first, kv[0], t2, tables)
    circuit = head.text("ckt", "1")
    tables.add_branch(
        head, one, two, circuit, "transformer", r_pu=z.real, x_pu=z.imag, g_from_pu=y.real, b_from_pu=y.imag,
        ratio=t1 / t2, shift_degree=first.real("ang"), in_service=head.whole("stat", 1) == 1,
        rating_a_mva=first.real("rata") or math.nan, rating_b_mva=first.real("ratb") or math.nan,
        rating_c_mva=first.real("ratc") or math.nan, **values,
    )  # fmt: skip


def _tap_control(head: Line, first: Line, kv: float, t2: float, tables: Tables) -> dict[str, object]:
    code, label = first.whole("cod"), f"transformer {head.text('i')}-{head.text('j')}"
    if code == 0:
        return {}
    if abs(code) != 1:
        tables.reading.lose(label, "COD", "dropped", code, "flow and converter control: the tap stays where it is")
        return {}
    controlled = abs(first.whole("cont"))
    if code < 0 or controlled not in tables.bus_kv:
        tables.reading.lose(label, "COD", "dropped", f"{code}, {controlled}", "no automatic control: the tap stays")
        return {}
    unit = {2: 1 / kv, 3: (first.real("nomv") or kv) / kv}.get(head.whole("cw", 1), 1.0)
    high, low = first.real("vma", 1.1), first.real("vmi", 0.9)
    return {
        "tap_control": "voltage", "controlled_bus_id": controlled, "ratio_min": first.real("rmi", 0.9) * unit / t2,
        "ratio_max": first.real("rma", 1.1) * unit / t2, "tap_positions": first.whole("ntp", 33),
        "vm_target_pu": (high + low) / 2, "vm_band_pu": (high - low) / 2,
    }  # fmt: skip


def _three_winding(
    head: Line, impedance: Line, windings: Sequence[Line], tables: Tables, curves: dict[int, Curve]
) -> None:
    buses = [tables.bus(head, name) for name in "ijk"]
    kv = [tables.bus_kv.get(bus, 1.0) for bus in buses]
    pairs = {
        key: _impedance(head, impedance, key, windings[w], kv[w], tables.base_mva)
        for key, w in (("12", 0), ("23", 1), ("31", 2))
    }
    y = _magnetising(head, impedance, windings[0], kv[0], tables.base_mva)
    opened = _OPEN_WINDING.get(head.whole("stat", 1), ())
    label = f"transformer {buses[0]}-{buses[1]}-{buses[2]}"
    values: dict[str, object] = {}
    for k, (winding, base) in enumerate(zip(windings, kv, strict=True), start=1):
        ratio = _positive_ratio(head, winding, base)
        if _factor(winding, ratio, curves) != 1.0:
            tables.reading.lose(label, "TAB", "dropped", winding.whole("tab"), "correction of three-winding units")
        if winding.whole("cod") > 0:
            tables.reading.lose(label, "COD", "dropped", winding.whole("cod"), "the tap stays where it is")
        values |= {f"bus_{k}": buses[k - 1], f"ratio_{k}": ratio, f"shift_{k}_degree": winding.real("ang"),
                   f"rating_{k}_mva": winding.real("rata") or math.nan, f"in_service_{k}": k not in opened}  # fmt: skip
    for key, z in pairs.items():
        values |= {f"r_{key}_pu": z.real, f"x_{key}_pu": z.imag}
    tables.add(
        "three_winding", transformer_id=tables.unique(f"{buses[0]}-{buses[1]}-{buses[2]}-{head.text('ckt', '1')}"),
        name=head.text("name"), g_mag_pu=y.real, b_mag_pu=y.imag, magnetising="bus",
        vm_star_pu=impedance.real("vmstar", 1.0), va_star_degree=impedance.real("anstar"), **values,
    )  # fmt: skip

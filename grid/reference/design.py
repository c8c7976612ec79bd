"""A network as a planner draws it: stations, corridors with circuits, banks of equal transformers.

Tables have one row a circuit and a unit; a design has one record a corridor and a bank, because that is what a
reinforcement changes. Designs are immutable: a reinforcement returns another design.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from grid.contracts import (
    BUSES,
    GENERATORS,
    INFEEDS,
    LINES,
    LOADS,
    STATIONS,
    TRANSFORMERS,
    Assumption,
    Network,
)
from grid.line_parameters import line_type_parameters
from grid.standards_tables import transformer_types, voltage_band
from layers.contracts import Origin
from layers.tables import Table


@dataclass(frozen=True)
class Station:
    station_id: str
    name_zh: str
    name_en: str
    vn_kv: float
    lon: float
    lat: float
    district_code: str
    in_region: bool
    origin: Origin
    note: str
    levels_kv: tuple[float, ...]
    """Levels with a bus."""

    def bus(self, vn_kv: float) -> str:
        return bus_id(self.station_id, vn_kv)


@dataclass(frozen=True)
class Corridor:
    """Equal circuits on one route."""

    from_station: str
    to_station: str
    vn_kv: float
    length_km: float
    line_type: str
    circuits: int
    compensated_share: float = 0.0
    """Share of the charging that shunt reactors take up."""
    note: str = ""
    path_wkt: str = ""
    origin: Origin = Origin.GENERATED
    label_zh: str = ""
    label_en: str = ""

    @property
    def corridor_id(self) -> str:
        return f"L{self.vn_kv:g}:{self.from_station}--{self.to_station}"


@dataclass(frozen=True)
class Bank:
    """Equal units between two levels of a station."""

    station_id: str
    hv_kv: float
    lv_kv: float
    transformer_type: str
    units: int
    tap_pos: float = 0.0
    note: str = ""
    origin: Origin = Origin.GENERATED

    @property
    def bank_id(self) -> str:
        return f"T{self.hv_kv:g}:{self.station_id}"


@dataclass(frozen=True)
class Load:
    station_id: str
    p_mw: float
    q_mvar: float
    vn_kv: float = 10.0
    origin: Origin = Origin.GENERATED


@dataclass(frozen=True)
class Plant:
    plant_id: str
    station_id: str
    vn_kv: float
    name_zh: str
    name_en: str
    fuel: str
    p_max_mw: float
    control: str
    vm_pu: float
    q_share: float
    """Reactive limits are plus and minus this share of the capacity."""
    origin: Origin
    note: str


@dataclass(frozen=True)
class Infeed:
    station_id: str
    vn_kv: float
    vm_pu: float
    slack_weight: float
    s_sc_mva: float
    note: str


@dataclass(frozen=True)
class Design:
    name: str
    stations: tuple[Station, ...]
    corridors: tuple[Corridor, ...]
    banks: tuple[Bank, ...]
    loads: tuple[Load, ...]
    plants: tuple[Plant, ...]
    infeeds: tuple[Infeed, ...]
    assumptions: tuple[Assumption, ...]
    origin: Origin = Origin.GENERATED

    def with_corridor(self, corridor: Corridor) -> Design:
        """The design with the corridor of the same id replaced."""
        kept = tuple(corridor if c.corridor_id == corridor.corridor_id else c for c in self.corridors)
        return replace(self, corridors=kept)

    def with_bank(self, bank: Bank) -> Design:
        """The design with the bank of the same id replaced."""
        return replace(self, banks=tuple(bank if b.bank_id == bank.bank_id else b for b in self.banks))


def bus_id(station_id: str, vn_kv: float) -> str:
    return f"{station_id}/{vn_kv:g}"


def bus_band(vn_kv: float) -> tuple[float, float]:
    """Band that a bus is given: the fixed-tap band where the level has one, else the normal one."""
    try:
        return voltage_band(vn_kv, "fixed_tap")
    except KeyError:
        return voltage_band(vn_kv, "normal")


def reactive_mvar(p_mw: float, power_factor: float) -> float:
    """Reactive power that goes with ``p_mw`` at a lagging power factor [Mvar]."""
    return p_mw * math.tan(math.acos(power_factor))


def to_network(design: Design) -> Network:
    """The design's tables, in the design's order, validated."""
    return tables_of(design).validate()


def tables_of(design: Design) -> Network:
    """The design's tables without the check of their contract, for loops that build many."""
    return Network(
        name=design.name,
        stations=_table(STATIONS, [_station_row(s) for s in design.stations]),
        buses=_table(BUSES, [row for s in design.stations for row in _bus_rows(s)]),
        lines=_table(LINES, _line_rows(design)),
        transformers=_table(TRANSFORMERS, _unit_rows(design)),
        loads=_table(LOADS, [_load_row(load) for load in design.loads]),
        generators=_table(GENERATORS, [_plant_row(plant) for plant in design.plants]),
        infeeds=_table(INFEEDS, [_infeed_row(infeed) for infeed in design.infeeds]),
        origin=design.origin,
        assumptions=design.assumptions,
    )


def _table(table: Table, rows: list[dict[str, object]]) -> pd.DataFrame:
    if not rows:
        return table.empty()
    frame = pd.DataFrame(rows, columns=list(table.columns))
    floats = [name for name, promise in table.columns.items() if promise.dtype is float]
    return frame.astype(dict.fromkeys(floats, float))


def _by_type(kinds: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {
        str(name): dict(zip(kinds.columns, row, strict=True))
        for name, row in zip(kinds.index, kinds.to_numpy(object), strict=True)
    }


def _station_row(station: Station) -> dict[str, object]:
    fields = ("station_id", "name_zh", "name_en", "vn_kv", "lon", "lat", "district_code", "in_region", "note")
    return {**{name: getattr(station, name) for name in fields}, "origin": str(station.origin)}


def _bus_rows(station: Station) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for level in station.levels_kv:
        low, high = bus_band(level)
        rows.append(
            {
                "bus_id": station.bus(level),
                "station_id": station.station_id,
                "vn_kv": level,
                "vm_min_pu": low,
                "vm_max_pu": high,
            }
        )
    return rows


def _line_rows(design: Design) -> list[dict[str, object]]:
    kinds = _by_type(line_type_parameters()[["r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka"]])
    names = {s.station_id: s for s in design.stations}
    rows: list[dict[str, object]] = []
    for c in design.corridors:
        start, end = names[c.from_station], names[c.to_station]
        for k in range(1, c.circuits + 1):
            suffix = f"{k}回" if c.circuits > 1 else ""
            rows.append(
                {
                    "line_id": f"{c.corridor_id}#{k}",
                    "name_zh": f"{c.label_zh or f'{start.name_zh}-{end.name_zh} {c.vn_kv:g} kV'}{suffix}",
                    "name_en": f"{c.label_en or f'{start.name_en} - {end.name_en} {c.vn_kv:g} kV'} circuit {k}",
                    "corridor_id": c.corridor_id,
                    "from_bus": start.bus(c.vn_kv),
                    "to_bus": end.bus(c.vn_kv),
                    "length_km": c.length_km,
                    "line_type": c.line_type,
                    **kinds[c.line_type],
                    "c_nf_per_km": float(kinds[c.line_type]["c_nf_per_km"]) * (1 - c.compensated_share),
                    "origin": str(c.origin),
                    "path_wkt": c.path_wkt,
                    "note": c.note or _compensation_note(c),
                }
            )
    return rows


def _compensation_note(corridor: Corridor) -> str:
    share = corridor.compensated_share
    return f"capacitance net of shunt reactors for {100 * share:g} % of the charging" if share else ""


def _unit_rows(design: Design) -> list[dict[str, object]]:
    kinds = transformer_types()
    copied = (
        "sn_mva",
        "vn_hv_kv",
        "vn_lv_kv",
        "vk_percent",
        "vkr_percent",
        "pfe_kw",
        "i0_percent",
        "shift_degree",
        "tap_side",
        "tap_neutral",
        "tap_min",
        "tap_max",
        "tap_step_percent",
    )
    data = _by_type(kinds[list(copied)])
    return [
        {
            "transformer_id": f"{bank.bank_id}#{k}",
            "station_id": bank.station_id,
            "hv_bus": bus_id(bank.station_id, bank.hv_kv),
            "lv_bus": bus_id(bank.station_id, bank.lv_kv),
            "transformer_type": bank.transformer_type,
            **data[bank.transformer_type],
            "tap_pos": bank.tap_pos,
            "origin": str(bank.origin),
            "note": bank.note,
        }
        for bank in design.banks
        for k in range(1, bank.units + 1)
    ]


def _load_row(load: Load) -> dict[str, object]:
    bus = bus_id(load.station_id, load.vn_kv)
    return {
        "load_id": f"D:{bus}",
        "bus_id": bus,
        "p_mw": load.p_mw,
        "q_mvar": load.q_mvar,
        "origin": str(load.origin),
    }


def _plant_row(plant: Plant) -> dict[str, object]:
    limit = plant.q_share * plant.p_max_mw
    return {
        "generator_id": plant.plant_id,
        "bus_id": bus_id(plant.station_id, plant.vn_kv),
        "name_zh": plant.name_zh,
        "name_en": plant.name_en,
        "fuel": plant.fuel,
        "p_max_mw": plant.p_max_mw,
        "control": plant.control,
        "vm_pu": plant.vm_pu,
        "q_min_mvar": -limit,
        "q_max_mvar": limit,
        "origin": str(plant.origin),
        "note": plant.note,
    }


def _infeed_row(infeed: Infeed) -> dict[str, object]:
    return {
        "infeed_id": f"N:{infeed.station_id}",
        "bus_id": bus_id(infeed.station_id, infeed.vn_kv),
        "vm_pu": infeed.vm_pu,
        "va_degree": 0.0,
        "slack_weight": infeed.slack_weight,
        "s_sc_mva": infeed.s_sc_mva,
        "note": infeed.note,
    }

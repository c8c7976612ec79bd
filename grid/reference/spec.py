"""What a planner says about a network that is to be built: named stations and plants, peak load, rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grid.contracts import Case, FuelShare
from layers.contracts import Origin

Confidence = Literal["A", "B", "C"]

SUMMER_PEAK = Case(
    "summer_peak",
    "夏季高峰",
    "Summer peak",
    load_share=1.0,
    pv_share=0.0,
    wind_share=0.1,
    fuel_shares=(FuelShare("coal", 0.9), FuelShare("gas", 0.8), FuelShare("hydro", 0.8), FuelShare("storage", 0.8)),
    season="summer",
)
SUMMER_PEAK_PLANTS_LOW = Case(
    "summer_peak_plants_low",
    "夏季高峰(本地电厂低出力)",
    "Summer peak, local plants low",
    load_share=1.0,
    pv_share=0.0,
    wind_share=0.0,
    fuel_shares=(FuelShare("coal", 0.4), FuelShare("gas", 0.1), FuelShare("hydro", 0.1)),
    season="summer",
)
MINIMUM_LOAD = Case(
    "minimum_load",
    "最小负荷大风",
    "Minimum load, windy",
    load_share=0.4,
    pv_share=0.0,
    wind_share=0.9,
    fuel_shares=(FuelShare("coal", 0.35), FuelShare("hydro", 0.2)),
    season="transition",
)
DESIGN_CASES = (SUMMER_PEAK, SUMMER_PEAK_PLANTS_LOW, MINIMUM_LOAD)
"""The operating points a reference network is made secure for, unless others are given."""


@dataclass(frozen=True)
class NamedStation:
    """A station that a plan names. Without a position it is placed where its district's load is."""

    name_zh: str
    name_en: str
    vn_kv: float
    district_code: str = ""
    """Empty: outside the region; such a station of the top level is where the outside network feeds in."""
    lon: float | None = None
    lat: float | None = None
    status: Literal["existing", "planned", "outside"] = "existing"
    source: str = ""


@dataclass(frozen=True)
class NamedPlant:
    """An existing or planned plant; it gets a station and lines of its own."""

    name_zh: str
    name_en: str
    fuel: str
    p_max_mw: float
    vn_kv: float
    district_code: str = ""
    lon: float | None = None
    lat: float | None = None
    source: str = ""
    origin: Origin = Origin.ASSUMED


@dataclass(frozen=True)
class ReferenceGridSpec:
    """A reference network in words and numbers.

    Levels follow the peak: 110 kV and below up to :attr:`peak_for_220_mw`, 220 kV up to :attr:`peak_for_500_mw`,
    500 kV above. ``district_names`` holds (code, Chinese name, English name).
    """

    name: str
    peak_load_mw: float
    stations: tuple[NamedStation, ...] = ()
    plants: tuple[NamedPlant, ...] = ()
    district_names: tuple[tuple[str, str, str], ...] = ()
    growth_percent: float = 5.0
    """Yearly growth, which selects the band of the capacity-load ratio."""
    capacity_load_rule: str = "Q/GDW 156"
    power_factor: float = 0.98
    """At the 10 kV bus with the station's capacitor banks, which gives 0.95 to 0.97 on the 110 kV side."""
    detour_factor: float = 1.25
    """Line length over straight distance."""
    units_110: int = 3
    units_220: int = 3
    units_500: int = 2
    """Units of a typical station, with which the number of stations is found."""
    peak_for_220_mw: float = 120.0
    peak_for_500_mw: float = 1500.0
    infeed_vm_pu: float = 1.05
    reactor_share_500: float = 0.75
    """Share of the 500 kV lines' charging that shunt reactors (at the lines or on the tertiary side) take up; the
    lines' capacitance is given net of it."""
    infeed_mw: float = 4000.0
    """One outside station for so much peak load, two at least."""
    infeed_distance_km: float = 30.0
    """Outside stations without a position lie so far beyond the outermost station in their direction."""

    def __post_init__(self) -> None:
        if not self.peak_load_mw > 0:
            raise ValueError(f"peak_load_mw must be positive, not {self.peak_load_mw}")
        if not 0 < self.power_factor <= 1:
            raise ValueError(f"power_factor must lie in (0, 1], not {self.power_factor}")

    @property
    def top_kv(self) -> float:
        """Highest level inside the region."""
        named = max([0.0, *(s.vn_kv for s in self.stations), *(p.vn_kv for p in self.plants)])
        if self.peak_load_mw > self.peak_for_500_mw or named >= 500:
            return 500.0
        return 220.0 if self.peak_load_mw > self.peak_for_220_mw or named >= 220 else 110.0

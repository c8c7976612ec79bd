"""What siting takes and gives: host types, rules, land, candidates.

A *host type* is a kind of place that can carry a technology (a fish pond, an industrial roof). A *candidate* is
a place not yet tested on the network. Areas are geodesic. ``capacity_mw`` of PV is DC at standard test conditions,
of wind it is AC; ``grid_capacity_mw`` is always AC at the connection point.
Yields, scores and cost have contracts of their own: :mod:`siting.yields.contracts`, :mod:`siting.scoring.contracts`,
:mod:`siting.cost.contracts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Origin
from layers.frame import Frame
from layers.mask_store import MaskStore
from layers.tables import Table, column

HostKind = Literal["roof", "ground", "wind"]
Confidence = Literal["A", "B", "C"]


@dataclass(frozen=True)
class HostType:
    """One row of ``siting/technologies/host_types.csv``."""

    host_type: str
    label_zh: str
    label_en: str
    kind: HostKind
    technology: str
    density_mw_per_km2: float
    density_low_mw_per_km2: float
    density_high_mw_per_km2: float
    density_basis: str
    """'dc' or 'ac', and 'gross' (whole site) or 'net' (module or roof area): e.g. 'dc gross'."""
    usable_share: float
    """Share of the eligible host area that carries equipment (roof obstacles, access water, ...)."""
    min_area_m2: float
    min_width_m: float
    max_capacity_mw: float
    """Larger contiguous areas are cut into sites of about equal size below this."""
    ledger_priority: int
    """Lower number takes a disputed square metre first."""
    pv_variant: str
    """Row of ``pv_variants.csv``; empty for wind."""
    colour: str
    source: str
    confidence: Confidence
    group_distance_m: float = 0.0
    """Patches with a gap of at most this width (dikes, tracks) form one site."""
    abbreviation: str = ""
    """Middle part of a candidate id; the host type id where empty."""
    geometry: Literal["polygon", "line"] = "polygon"
    """What its layers hold; lines are widened to strips of ``strip_width_m``."""
    strip_width_m: float = 0.0
    """Width of the strip along a line; 0 for polygons."""
    attributes: str = ""
    """Attributes that its layers should carry, separated by blanks, e.g. 'class height_m'."""
    co_use: str = ""
    """Host types it may share land with where a study says so, separated by blanks."""


@dataclass(frozen=True)
class HostLayer:
    """Which features carry a host type in one study. ``area_share``: share of the feature area that is host
    (roof area per settlement area), 1 where the polygons are the hosts themselves."""

    host_type: str
    layer: str
    area_share: float = 1.0
    share_column: str = ""
    """Column of the layer with a share of each feature, by which ``area_share`` is multiplied."""


RuleKind = Literal[
    "vector",
    "vector_outside",
    "vector_narrow",
    "cell_share",
    "cell_share_below",
    "feature_share",
    "feature_share_below",
    "raster_above",
    "raster_below",
    "raster_between",
    "raster_outside",
    "raster_classes",
    "raster_not_classes",
    "aspect_between",
]
Nodata = Literal["unknown", "eligible", "excluded"]


@dataclass(frozen=True)
class SetbackRow:
    """One row of a setback that depends on the feature: either the words it stands for, or a lower bound.

    ``values`` are compared with the feature's attribute without regard to case; ``from_value`` holds for numbers from
    it up to the next row's (a line of 220 kV takes the row from 154).
    """

    setback_m: float
    values: tuple[str, ...] = ()
    from_value: float = float("nan")
    label: str = ""


@dataclass(frozen=True)
class Rule:
    """One exclusion of one layer, for the host types it applies to. What it excludes, by ``kind``:

    =================== ===============================================================================================
    vector              land inside the features, or nearer than the setback (on the ground, from the feature's edge,
                        equally far in every direction)
    vector_outside      land outside the features and their setback: only there may be built
    vector_narrow       parts of the features' union narrower than ``width_m``
    cell_share          whole cells of which more than ``share`` is covered by the features (with their setback)
    cell_share_below    whole cells of which ``share`` or less is covered: only the others may be built on
    feature_share       whole features of the layer ``features_of`` of which more than ``share`` is covered
    feature_share_below whole features of ``features_of`` of which ``share`` or less is covered
    raster_above        cells with a value above ``limit``
    raster_below        cells with a value below ``limit``
    raster_between      cells with ``low <= value <= high``
    raster_outside      cells with a value below ``low`` or above ``high``
    raster_classes      cells of one of the ``classes``
    raster_not_classes  cells of any other class
    aspect_between      slopes that face ``low`` to ``high``, clockwise, degrees from north (315 to 45: north);
                        level ground (negative aspect) faces nowhere
    =================== ===============================================================================================

    Cells whose value is not known stay unknown, unless ``nodata`` says otherwise and ``nodata_reason`` says why.
    """

    id: str
    label_zh: str
    label_en: str
    layer: str
    applies_to: tuple[str, ...]
    """Host type ids; empty means every host type."""
    kind: RuleKind = "vector"
    setback_m: float = 0.0
    limit: float = float("nan")
    document: str = ""
    clause: str = ""
    confidence: Confidence = "C"
    date: str = ""
    """Day of the document, ISO."""
    classes: tuple[str, ...] = ()
    """Of vector layers: only features whose ``class_column`` holds one of these; of class rasters: codes."""
    class_column: str = ""
    setback_rows: tuple[SetbackRow, ...] = ()
    """Setbacks by the value of ``setback_column``; features that fit no row keep ``setback_m``."""
    setback_column: str = ""
    low: float = float("nan")
    high: float = float("nan")
    share: float = float("nan")
    """Covered share, 0 to 1, above which a cell or feature is excluded."""
    features_of: str = ""
    width_m: float = 0.0
    unit: str = ""
    """Unit that the raster must have, e.g. ``degree``; empty: any."""
    known_within: str = ""
    """Layer of the polygons within which the rule's layer is complete; outside them the rule cannot tell. Empty: the
    layer is complete."""
    nodata: Nodata = "unknown"
    nodata_reason: str = ""
    province: str = ""
    """GB/T 2260 code of the province whose own version of the rule this is; empty: the general one."""

    @property
    def on_raster(self) -> bool:
        """Whether the rule reads a raster layer."""
        return self.kind.startswith(("raster_", "aspect_"))

    @property
    def widest_setback_m(self) -> float:
        """The largest distance at which a feature of the layer can act."""
        return max([self.setback_m, *(row.setback_m for row in self.setback_rows)])


STATES = Table(
    "land_states",
    "Land of the region by host type and state; eligible + excluded + unknown = region.",
    {
        "host_type": column(str, "", "host type id"),
        "eligible_km2": column(float, "km2", "may carry the host type's technology", ge=0),
        "excluded_km2": column(float, "km2", "not this host type, or excluded by a rule", ge=0),
        "unknown_km2": column(float, "km2", "unmapped, or a rule's input is unknown", ge=0),
        "region_km2": column(float, "km2", "geodesic area of the region", gt=0),
        "host_km2": column(float, "km2", "land of this host type before any rule", ge=0),
        "owned_km2": column(float, "km2", "eligible land this host type owns in the ledger", ge=0),
    },
)

WATERFALL = Table(
    "waterfall",
    "What each rule costs a host type.",
    {
        "host_type": column(str, "", "host type id"),
        "rule": column(str, "", "rule id"),
        "lost_km2": column(float, "km2", "host land this rule excludes", ge=0),
        "sole_km2": column(float, "km2", "excluded by this rule alone, regained if it is dropped", ge=0),
        "shared_km2": column(float, "km2", "excluded by this rule and by others", ge=0),
    },
)


STATES_BY_DISTRICT = Table(
    "land_states_by_district",
    "The same for each district; districts add up to the region.",
    {
        "district_code": column(str, "", "district; border cells count with the nearest one"),
        **STATES.columns,
        "region_km2": column(float, "km2", "geodesic area of the district on the frame", ge=0),
    },
)

WATERFALL_BY_DISTRICT = Table(
    "waterfall_by_district",
    "What each rule costs a host type, in the region (empty district code) and in each district.",
    {
        "district_code": column(str, "", "district; empty: the whole region"),
        **WATERFALL.columns,
        "regained_km2": column(
            float,
            "km2",
            "becomes eligible if this rule alone is dropped: sole_km2 and what only it leaves unknown",
            ge=0,
        ),
    },
)

CO_USED_LAND = Table(
    "co_used_land",
    "Land that two host types own together, by declared co-use.",
    {
        "host_type": column(str, "", "host type named first in the declaration"),
        "guest": column(str, "", "host type named second"),
        "shared_km2": column(float, "km2", "land owned by both", ge=0),
    },
)


@dataclass(frozen=True)
class HostLand:
    """Sub-cell masks (uint16, 16 sub-cells a cell) of one host type, arrays or stores. ``owned`` masks of different
    host types are disjoint unless the co-use is declared; ``owned`` is a part of ``eligible``;
    ``eligible & unknown == 0``."""

    host_type: str
    eligible: npt.NDArray[np.uint16] | MaskStore
    unknown: npt.NDArray[np.uint16] | MaskStore
    owned: npt.NDArray[np.uint16] | MaskStore
    origin: Origin = Origin.ASSUMED
    """How the host layers came to be; the weakest origin where several layers carry the type."""
    reasons: MaskStore | None = None
    """Per cell, bit j is set where rule ``rules[j]`` excludes host land of the cell; uint16, uint32 or uint64."""
    rules: tuple[str, ...] = ()
    """Ids of the rules that concern the host type, in order."""


@dataclass(frozen=True)
class LandResult:
    """Eligibility and ledger of one study."""

    frame: Frame
    lands: tuple[HostLand, ...]
    states: pd.DataFrame
    """Follows :data:`STATES`."""
    waterfall: pd.DataFrame
    """Follows :data:`WATERFALL`."""
    states_by_district: pd.DataFrame = field(default_factory=STATES_BY_DISTRICT.empty)
    """Follows :data:`STATES_BY_DISTRICT`."""
    waterfall_by_district: pd.DataFrame = field(default_factory=WATERFALL_BY_DISTRICT.empty)
    """Follows :data:`WATERFALL_BY_DISTRICT`."""
    co_used: pd.DataFrame = field(default_factory=CO_USED_LAND.empty)
    """Follows :data:`CO_USED_LAND`."""

    def land(self, host_type: str) -> HostLand:
        return next(land for land in self.lands if land.host_type == host_type)


CANDIDATES = Table(
    "candidates",
    "Sites that the ground allows, in the frame's CRS, not yet tested on the network.",
    {
        "candidate_id": column(str, "", "stable id: same place and host type, same id", unique=True),
        "host_type": column(str, "", "host type id"),
        "technology": column(str, "", "row of technologies.csv"),
        "kind": column(str, "", "roof, ground or wind", isin=("roof", "ground", "wind")),
        "district_code": column(str, "", "district with the largest share"),
        "name_zh": column(str, "", "label for people"),
        "name_en": column(str, "", "label for people"),
        "area_m2": column(float, "m2", "eligible host area of the site in the ledger", gt=0),
        "capacity_mw": column(float, "MW", "installed capacity; PV DC, wind AC", gt=0),
        "grid_capacity_mw": column(float, "MW", "AC capacity at the connection point", gt=0),
        "origin": column(str, "", "how the host layer came to be", isin=tuple(Origin)),
        "lon": column(float, "degree", "representative point, WGS-84", ge=-180, le=180),
        "lat": column(float, "degree", "representative point, WGS-84", ge=-90, le=90),
        "geometry": column(None, "", "polygon or multipolygon"),
    },
)

REMAINDER = Table(
    "remainder",
    "Eligible, owned land that is in no site, and why.",
    {
        "host_type": column(str, "", "host type id"),
        "reason": column(str, "", "too_small, too_narrow, fringe (cell less than half covered), too_few_turbines"),
        "area_km2": column(float, "km2", "geodesic area", ge=0),
    },
)


TURBINES = Table(
    "turbines",
    "Positions of the turbines of wind sites.",
    {
        "turbine_id": column(str, "", "candidate and number from the north", unique=True),
        "candidate_id": column(str, "", "site"),
        "lon": column(float, "degree", "WGS-84", ge=-180, le=180),
        "lat": column(float, "degree", "WGS-84", ge=-90, le=90),
        "x_m": column(float, "m", "easting in the frame's CRS"),
        "y_m": column(float, "m", "northing in the frame's CRS"),
    },
)

SITE_ATTRIBUTES = Table(
    "site_attributes",
    "What is known of the shape and the place of each candidate; NaN or empty where no layer tells.",
    {
        "candidate_id": column(str, "", "candidate", unique=True),
        "compactness": column(float, "1", "Polsby-Popper: 4 pi area / perimeter^2 of the outline", ge=0, le=1.0001),
        "mean_slope_deg": column(float, "degree", "mean of the slope raster", nullable=True, ge=0, le=90),
        "township": column(str, "", "township of the representative point"),
        "road_km": column(float, "km", "to the nearest road, 0 where one crosses", nullable=True, ge=0),
        "line_km": column(float, "km", "to the nearest power line", nullable=True, ge=0),
        "station_km": column(float, "km", "to the nearest station", nullable=True, ge=0),
        "supply_area": column(str, "", "station in whose supply area the representative point lies"),
        "turbine_count": column(float, "", "turbines; 0 for PV", ge=0),
        "shared_share": column(float, "1", "share of the host area that another host type uses too", ge=0, le=1.0001),
        "co_use_yield_factor": column(float, "1", "yield left by co-use, mean of the site", gt=0, le=1.5),
        "roof_count": column(float, "", "mapped footprints; NaN where none is mapped", nullable=True, ge=0),
        "pitched_share": column(float, "1", "share of the footprint area under pitched roofs", nullable=True, ge=0),
        "shading_loss_share": column(
            float, "1", "light lost to taller neighbours, area mean of roofs of known height", nullable=True, ge=0
        ),
    },
)


def _no_turbines() -> pd.DataFrame:
    return TURBINES.empty()


@dataclass(frozen=True)
class Sites:
    """Candidates (:data:`CANDIDATES`) and what is left over (:data:`REMAINDER`); together they are the ledger."""

    candidates: gpd.GeoDataFrame
    remainder: pd.DataFrame
    turbines: pd.DataFrame = field(default_factory=_no_turbines)
    """Follows :data:`TURBINES`; sorted by id."""
    co_use: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["shared_share", "co_use_yield_factor"]))
    """``shared_share`` and ``co_use_yield_factor`` of the candidates that share land, by candidate id."""

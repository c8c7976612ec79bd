"""Host layers that are made out of a study's layers: roofs of some classes, modelled roofs, ponds on piles or floats,
mudflats between the tides, strips along lines.

A :class:`HostSpec` says which land carries a host type. Where that is a layer as it stands, nothing is made; otherwise
the layer ``<layer>:<host type>`` is, and carries the host type in its stead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layers.contracts import Finding, InputError, RasterLayer, VectorLayer
from siting.contracts import HostLayer, HostType
from siting.hosts.mudflats import intertidal, unknown_km2
from siting.hosts.ponds import pond_support
from siting.hosts.roof_stock import SHARE_COLUMN, load_roof_stock, modelled_roofs, roof_stock
from siting.hosts.roofs import UNKNOWN, classify_roofs, describe_roofs, load_roof_classes
from siting.hosts.types import nearest_key

_BUFFER_SEGMENTS = 16


@dataclass(frozen=True)
class HostSpec:
    """One entry ``[[hosts]]`` of a study."""

    host_type: str
    layer: str
    area_share: float = 1.0
    share_column: str = ""
    """Column with the share of each feature that is host."""
    roof_classes: tuple[str, ...] = ()
    """The layer holds footprints; those of these classes carry the host type."""
    height_column: str = ""
    """Column with the heights of footprints [m]."""
    modelled_as: str = ""
    """The layer is land use; its roofs are estimated by this row of roof_stock.csv."""
    footprints: tuple[str, ...] = ()
    """Layers of mapped roofs, taken off the estimate."""
    support: str = ""
    """'pile' or 'floating': the layer holds ponds; those that the rules put so carry the host type."""
    depth_column: str = ""
    """Column with the depth of ponds [m]."""
    low_water_m: float | None = None
    """The layer is a raster of the bed's elevation; land between low and high water carries the host type."""
    high_water_m: float | None = None


@dataclass(frozen=True)
class HostGround:
    """What :func:`prepare_host_layers` makes: layers, and the footprints of all roof layers with class and shading
    (:data:`siting.hosts.roofs.ROOFS` and ``host_type``, ``layer``)."""

    layers: tuple[VectorLayer, ...]
    roofs: pd.DataFrame
    notes: tuple[Finding, ...] = ()


def is_derived(spec: HostSpec, host: HostType | None) -> bool:
    """Whether a layer has to be made for the entry."""
    made = spec.roof_classes or spec.modelled_as or spec.support or spec.low_water_m is not None
    return bool(made) or (host is not None and host.geometry == "line")


def layer_id(spec: HostSpec, host: HostType | None) -> str:
    """Id of the layer that carries the host type."""
    return f"{spec.layer}:{spec.host_type}" if is_derived(spec, host) else spec.layer


def host_layers(specs: Sequence[HostSpec], host_types: Sequence[HostType]) -> tuple[HostLayer, ...]:
    """Which layer carries which host type, after :func:`prepare_host_layers`."""
    by_name = {host.host_type: host for host in host_types}
    return tuple(
        HostLayer(
            spec.host_type,
            layer_id(spec, by_name.get(spec.host_type)),
            spec.area_share,
            SHARE_COLUMN if spec.modelled_as else spec.share_column,
        )
        for spec in specs
    )


def check_specs(specs: Sequence[HostSpec], file: str) -> list[Finding]:
    """Everything that can be known of the entries without a layer."""
    found: list[Finding] = []

    def fault(rule: str, spec: HostSpec, value: object, message: str, remedy: str) -> None:
        found.append(Finding("error", f"hosts.{rule}", file, spec.layer, spec.host_type, str(value), message, remedy))

    classes = [one.roof_class for one in load_roof_classes()]
    land_uses = [row.land_use for row in load_roof_stock()]
    for spec in specs:
        for name in spec.roof_classes:
            if name not in (*classes, UNKNOWN):
                fault("roof_class", spec, name, f"There is no roof class {name!r}.", nearest_key(name, classes))
        if spec.modelled_as and spec.modelled_as not in land_uses:
            remedy = nearest_key(spec.modelled_as, land_uses)
            fault("roof_stock", spec, spec.modelled_as, f"There is no land use {spec.modelled_as!r}.", remedy)
        if (spec.low_water_m is None) != (spec.high_water_m is None):
            fault("tide", spec, "", "One of low_water_m and high_water_m is missing.", "State both levels.")
        elif spec.low_water_m is not None and spec.high_water_m is not None and spec.low_water_m >= spec.high_water_m:
            value = f"{spec.low_water_m:g}..{spec.high_water_m:g}"
            fault("tide", spec, value, "high water is not above low water.", "Correct the levels.")
        if spec.footprints and not spec.modelled_as:
            message = "footprints are taken off an estimate, and nothing is estimated here."
            fault("footprints", spec, " ".join(spec.footprints), message, "Name a land use in modelled_as.")
    return found


def prepare_host_layers(
    specs: Sequence[HostSpec],
    host_types: Sequence[HostType],
    vectors: Sequence[VectorLayer],
    rasters: Sequence[RasterLayer],
    *,
    latitude: float,
    file: str = "study",
) -> HostGround:
    """Make the layers that the entries ask for.

    Parameters
    ----------
    specs, host_types
        Entries of the study, and the host types.
    vectors, rasters
        Layers of the study in the frame's CRS.
    latitude : float
        Of the region [degree], for shading.
    file : str
        Name of the study file in findings.

    Raises
    ------
    InputError
        With every finding: layer or column missing, line layer without a line host, and what :func:`check_specs` finds.
    """
    findings = check_specs(specs, file)
    if findings:
        raise InputError(findings)
    by_name = {host.host_type: host for host in host_types}
    maker = _Maker({one.id: one for one in vectors}, {one.id: one for one in rasters}, latitude, file, [], [])
    layers: list[VectorLayer] = []
    roofs: list[pd.DataFrame] = []
    for spec in specs:
        made = maker.make(spec, by_name.get(spec.host_type))
        if made is not None:
            layers.append(made)
            if spec.roof_classes:
                roofs.append(maker.roofs(spec, made))
    if maker.findings:
        raise InputError(maker.findings)
    table = pd.concat(roofs, ignore_index=True) if roofs else pd.DataFrame()
    return HostGround(tuple(layers), table, tuple(maker.notes))


@dataclass(frozen=True)
class _Maker:
    vectors: dict[str, VectorLayer]
    rasters: dict[str, RasterLayer]
    latitude: float
    file: str
    findings: list[Finding]
    notes: list[Finding]

    def make(self, spec: HostSpec, host: HostType | None) -> VectorLayer | None:
        """The layer of one entry; None where the study's own layer serves, or a fault was found."""
        if not is_derived(spec, host):
            return None
        name = layer_id(spec, host)
        if spec.low_water_m is not None and spec.high_water_m is not None:
            bed = self.rasters.get(spec.layer)
            if bed is None:
                self._fault(spec, "raster", spec.layer, "there is no such raster layer.", "Name a raster layer.")
                return None
            self._note(
                spec, "mudflat_unknown", f"{unknown_km2(bed):.3g} km2", "the bed is not known there: no mudflat."
            )
            return intertidal(bed, spec.low_water_m, spec.high_water_m, name)
        layer = self.vectors.get(spec.layer)
        if layer is None:
            self._fault(spec, "unknown_layer", spec.layer, "there is no such layer.", "Add it, or correct the name.")
            return None
        if spec.modelled_as:
            return self._modelled(spec, layer, name)
        if spec.roof_classes:
            return self._roofs_of_class(spec, layer, name)
        if spec.support:
            return self._ponds(spec, layer, name)
        assert host is not None
        areas = int((shapely.get_dimensions(layer.features.geometry.to_numpy()) > 1).sum())
        if areas:
            message = f"{host.host_type} stands beside lines, and the layer holds polygons."
            self._fault(spec, "geometry", f"{areas} polygons", message, "Give the axes of roads or rails as lines.")
            return None
        return _strips(layer, host, name)

    def _modelled(self, spec: HostSpec, layer: VectorLayer, name: str) -> VectorLayer:
        row = roof_stock(spec.modelled_as)
        mapped = [self.vectors[one] for one in spec.footprints if one in self.vectors]
        for one in spec.footprints:
            if one not in self.vectors:
                self._fault(spec, "unknown_layer", one, "there is no such layer.", "Add it, or correct the name.")
        made = modelled_roofs(layer, name, row.roof_share, mapped)
        text = f"roof area {row.roof_share:g} of the ground ({row.low:g} to {row.high:g}), confidence {row.confidence}"
        self._note(spec, "roofs_modelled", f"{len(made.features)} areas", f"no footprints: {text}.")
        return made

    def _roofs_of_class(self, spec: HostSpec, layer: VectorLayer, name: str) -> VectorLayer:
        classes = classify_roofs(layer.features)
        unknown = int((classes == UNKNOWN).sum())
        if unknown and UNKNOWN not in spec.roof_classes:
            self._note(spec, "roofs_unclassed", f"{unknown} of {len(classes)}", "no attribute tells their class.")
        chosen = layer.features[classes.isin(spec.roof_classes).to_numpy()]
        return replace(layer, id=name, features=chosen.reset_index(drop=True))

    def roofs(self, spec: HostSpec, made: VectorLayer) -> pd.DataFrame:
        """The footprints of an entry with all that is known of them."""
        if spec.height_column and spec.height_column not in made.features.columns:
            self._fault(spec, "column", spec.height_column, "there is no such column.", "Name a column of the layer.")
            return pd.DataFrame()
        default = next((name for name in spec.roof_classes if name != UNKNOWN), UNKNOWN)
        table = describe_roofs(
            made.features, latitude=self.latitude, height_column=spec.height_column, default_class=default
        )
        return table.assign(host_type=spec.host_type, layer=spec.layer)

    def _ponds(self, spec: HostSpec, layer: VectorLayer, name: str) -> VectorLayer:
        depth = np.full(len(layer.features), np.nan)
        if spec.depth_column:
            if spec.depth_column not in layer.features.columns:
                self._fault(
                    spec, "column", spec.depth_column, "there is no such column.", "Name a column of the layer."
                )
                return layer
            depth = pd.to_numeric(layer.features[spec.depth_column], errors="coerce").to_numpy(float)
        support, assumed = pond_support(shapely.area(layer.features.geometry.to_numpy()), depth)
        if assumed.any():
            value = f"{int(assumed.sum())} of {len(assumed)}"
            self._note(spec, "pond_depth", value, "depth not known: the area decides between piles and floats.")
        return replace(layer, id=name, features=layer.features[support == spec.support].reset_index(drop=True))

    def _fault(self, spec: HostSpec, rule: str, value: str, message: str, remedy: str) -> None:
        self.findings.append(
            Finding("error", f"hosts.{rule}", self.file, spec.layer, spec.host_type, value, message, remedy)
        )

    def _note(self, spec: HostSpec, rule: str, value: str, message: str) -> None:
        remedy = "Nothing to do, or add what is missing to the source."
        self.notes.append(
            Finding("note", f"hosts.{rule}", self.file, spec.layer, spec.host_type, value, message, remedy)
        )


def _strips(layer: VectorLayer, host: HostType, name: str) -> VectorLayer:
    """Strips of ``host.strip_width_m`` along lines, with flat ends."""
    wide = shapely.buffer(
        layer.features.geometry.to_numpy(), host.strip_width_m / 2, quad_segs=_BUFFER_SEGMENTS, cap_style="flat"
    )
    table = layer.features.drop(columns="geometry")
    return replace(layer, id=name, features=gpd.GeoDataFrame(table, geometry=wide, crs=layer.features.crs))

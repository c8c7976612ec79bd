"""What the drawing of stations and the drawing of plants share."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from grid.reference.design import Station
from grid.reference.geography import Floats, LocalPlane
from grid.reference.spec import NamedPlant, NamedStation, ReferenceGridSpec

SHORTEST_LINE_KM = 1.0


@dataclass(frozen=True)
class Level:
    """The stations of one level, drawn."""

    vn_kv: float
    stations: tuple[Station, ...]
    xy: Floats
    load_mw: Floats


def given_xy(station: NamedStation | NamedPlant, plane: LocalPlane) -> Floats | None:
    if station.lon is None or station.lat is None:
        return None
    place: Floats = plane.to_km(np.array([station.lon]), np.array([station.lat]))[0]
    return place


def slug(name: str) -> str:
    """Lower-case ASCII of a name, for ids."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "station"


def compensated_share(spec: ReferenceGridSpec, vn_kv: float) -> float:
    return spec.reactor_share_500 if vn_kv >= 500 else 0.0

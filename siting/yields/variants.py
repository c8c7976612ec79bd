"""Which variants a study needs: one weather cell, one design, and for wind the steps of mean speed and wake loss.

What sites share is computed once. A long-run map gives every wind site a mean speed of its own, and a layout a wake
loss of its own; both are taken in steps (0.1 m/s, one per cent), so that ten thousand sites point to some tens of
variants and memory does not grow with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Finding, InputError, Weather
from siting.technologies.wind import Turbine
from siting.wind.chain import WindOptions, hub_speed, power_curve, scaled_to_mean
from siting.wind.wake import WakeModel, WindRose, wake_loss, wake_loss_by_density, wind_rose

Floats = npt.NDArray[np.float64]
WakeBasis = Literal["loss_chain", "density", "layout"]

SPEED_STEP_M_PER_S = 0.1
WAKE_STEP = 0.01
_ROSE_BIN_M_PER_S = 1.0
_DIRECTION = "wind_from_degree"


@dataclass(frozen=True)
class WindStudy:
    """How a study treats wind.

    ``mean_speed_m_per_s`` (all sites) and ``site_mean_speed`` (by candidate id, from a map; NaN falls back to the
    former) hold at ``mean_speed_height_m``, or at hub height where that is None. ``wake``: the item of the turbine's
    loss chain, a table by density and size, or the positions in ``positions`` (candidate_id, x_m, y_m).
    """

    mean_speed_m_per_s: float | None = None
    mean_speed_source: str = ""
    mean_speed_height_m: float | None = None
    site_mean_speed: pd.Series | None = None
    hub_height_m: float | None = None
    wake: WakeBasis = "loss_chain"
    wake_model: WakeModel = "jensen"
    positions: pd.DataFrame | None = None
    options: WindOptions = field(default_factory=WindOptions)


@dataclass(frozen=True, order=True)
class Variant:
    """One column of the profiles. ``mean_speed_m_per_s`` and ``wake_loss_share`` are NaN where the study's mean (or
    none) and the loss chain hold."""

    cell_id: str
    design: str
    mean_speed_m_per_s: float = math.nan
    wake_loss_share: float = math.nan

    @property
    def id(self) -> str:
        speed = "" if math.isnan(self.mean_speed_m_per_s) else f"/{self.mean_speed_m_per_s:.1f}m_s"
        wake = "" if math.isnan(self.wake_loss_share) else f"/wake{100 * self.wake_loss_share:02.0f}"
        return f"{self.cell_id}/{self.design}{speed}{wake}"


def hub_variant(turbine: Turbine, study: WindStudy) -> Turbine:
    """The turbine at the study's hub height.

    Raises
    ------
    InputError
        If the turbine is not offered with that hub.
    """
    height_m = study.hub_height_m
    if height_m is None or height_m == turbine.hub_height_m:
        return turbine
    if turbine.hub_heights_m and height_m not in turbine.hub_heights_m:
        offered = ", ".join(f"{value:g}" for value in turbine.hub_heights_m)
        raise InputError(
            [
                Finding(
                    "error", "wind.hub_height", "study", "wind", "hub_height_m", f"{height_m:g}",
                    f"{turbine.turbine} is not offered with a hub of {height_m:g} m.", f"Hubs on offer: {offered} m.",
                )
            ]
        )  # fmt: skip
    return replace(turbine, hub_height_m=height_m)


def mean_at_hub(weather: Weather, turbine: Turbine, stated: float, study: WindStudy) -> float:
    """A long-run mean, stated at some height, at the turbine's hub: carried there by the weather's own profile."""
    height_m = study.mean_speed_height_m
    if height_m is None or height_m == turbine.hub_height_m:
        return stated
    at_hub = hub_speed(weather, turbine.hub_height_m, study.options).mean()
    there = hub_speed(weather, height_m, study.options).mean()
    if not there > 0:
        raise ValueError("calm weather (mean wind speed 0) cannot be scaled to a long-run mean")
    return float(stated * at_hub / there)


@dataclass(frozen=True)
class SiteVariants:
    """Variant of each candidate, in their order, and what had to be assumed on the way."""

    variants: tuple[Variant, ...]
    assumptions: tuple[str, ...]


def site_variants(
    candidates: gpd.GeoDataFrame,
    cells: Sequence[Weather],
    cell: npt.NDArray[np.int64],
    design: npt.NDArray[np.str_],
    turbine_of: Callable[[str], Turbine | None],
    study: WindStudy,
) -> SiteVariants:
    """Variant of each candidate.

    Parameters
    ----------
    cell : array, shape (candidates,)
        Number of each candidate's weather cell.
    design : array, shape (candidates,)
        PV variant or turbine of each candidate.
    turbine_of : callable
        Turbine of a design; None for PV.

    Raises
    ------
    InputError
        If turbines of a layout stand on each other.
    """
    turbines = {name: turbine_of(name) for name in sorted(set(design.tolist()))}
    speeds = _site_speeds(candidates, study)
    wakes = _Wakes(study, cells)
    variants, findings = [], []
    rows = zip(
        candidates["candidate_id"].tolist(),
        candidates["capacity_mw"].to_numpy(float).tolist(),
        candidates["area_m2"].to_numpy(float).tolist(),
        cell.tolist(),
        design.tolist(),
        speeds.tolist(),
        strict=True,
    )
    for candidate_id, capacity_mw, area_m2, number, name, speed in rows:
        weather, turbine = cells[number], turbines[name]
        if turbine is None:
            variants.append(Variant(weather.cell_id, name))
            continue
        try:
            wake = wakes.of(candidate_id, capacity_mw, area_m2, number, turbine, speed)
        except ValueError as error:
            remedy = 'Space the turbines, or take wake = "density".'
            findings.append(Finding("error", "wind.layout", "study", "turbines", candidate_id, "", f"{error}.", remedy))
            continue
        variants.append(Variant(weather.cell_id, name, speed, wake))
    if findings:
        raise InputError(findings)
    return SiteVariants(tuple(variants), tuple(sorted(wakes.assumptions)))


def _site_speeds(candidates: gpd.GeoDataFrame, study: WindStudy) -> Floats:
    """Mean speed of each candidate in steps of 0.1 m/s; NaN where the study's own mean holds."""
    if study.site_mean_speed is None:
        return np.full(len(candidates), math.nan)
    speed = candidates["candidate_id"].map(study.site_mean_speed).to_numpy(float)
    return np.asarray(np.round(np.round(speed / SPEED_STEP_M_PER_S) * SPEED_STEP_M_PER_S, 1), float)


class _Wakes:
    """Wake losses of sites, with the wind roses of cells and turbines kept."""

    def __init__(self, study: WindStudy, cells: Sequence[Weather]) -> None:
        self.study, self.cells = study, cells
        self.assumptions: set[str] = set()
        self.roses: dict[tuple[int, str, float], WindRose] = {}
        given = study.positions
        self.positions = {} if given is None else dict(tuple(given.groupby("candidate_id")[["x_m", "y_m"]]))

    def of(
        self, candidate_id: str, capacity_mw: float, area_m2: float, cell: int, turbine: Turbine, speed: float
    ) -> float:
        """Wake loss in whole per cents; NaN where the turbine's loss chain holds."""
        if self.study.wake == "loss_chain":
            return math.nan
        if self.study.wake == "layout" and candidate_id in self.positions:
            loss = self._by_layout(self.positions[candidate_id], cell, turbine, speed)
        else:
            if self.study.wake == "layout":
                self.assumptions.add("wake losses by density for wind sites without turbine positions")
            count = max(capacity_mw * 1000 / turbine.rated_kw, 1.0)
            loss = float(wake_loss_by_density(capacity_mw / (area_m2 / 1e6), count)[0])
        return round(round(loss / WAKE_STEP) * WAKE_STEP, 4)

    def _by_layout(self, at: pd.DataFrame, cell: int, turbine: Turbine, speed: float) -> float:
        rose = self._rose(cell, turbine, speed)
        if rose.uniform:
            name = self.cells[cell].cell_id
            self.assumptions.add(f"uniform wind rose for wakes: weather cell {name} has no wind direction")
        x, y = at["x_m"].to_numpy(float), at["y_m"].to_numpy(float)
        return wake_loss(x, y, turbine, power_curve(turbine), rose, model=self.study.wake_model).farm

    def _rose(self, cell: int, turbine: Turbine, speed: float) -> WindRose:
        key = (cell, turbine.turbine, -1.0 if math.isnan(speed) else speed)
        if key not in self.roses:
            weather = self.cells[cell]
            hub = hub_speed(weather, turbine.hub_height_m, self.study.options)
            stated = self.study.mean_speed_m_per_s if math.isnan(speed) else speed
            if stated is not None:
                hub = scaled_to_mean(hub, mean_at_hub(weather, turbine, stated, self.study))
            known = weather.hours[_DIRECTION].to_numpy(float) if _DIRECTION in weather.hours else None
            self.roses[key] = wind_rose(hub, known, bin_m_per_s=_ROSE_BIN_M_PER_S)
        return self.roses[key]

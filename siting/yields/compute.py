"""Yield, losses and cost of energy of all candidates.

What sites share is computed once: a *variant* is one weather cell with one PV variant or one turbine
(``variant_id = "<weather cell>/<pv variant or turbine>"``, for wind with steps of mean speed and wake loss where sites
have their own, see :mod:`siting.yields.variants`); candidates only look their variant up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import WEATHER_HOURS, Finding, InputError, Weather
from layers.tables import ContractError
from siting.contracts import CANDIDATES, HostType
from siting.cost.energy import capex_cny, lcoe
from siting.pv.chain import pv_yield
from siting.pv.options import PvOptions
from siting.technologies.tables import Technology, TechnologyTables, Turbine, load_technology_tables
from siting.wind.chain import wind_yield
from siting.yields.checks import (
    IMPLIED_HOURS,
    Alarm,
    check_weather,
    dark_alarm,
    implied_hours,
    input_findings,
    losses_alarm,
    weather_finding,
)
from siting.yields.contracts import LOSSES, YIELD_DETAILS, YIELDS, YieldResult
from siting.yields.uncertainty import energy_by_year, exceedance, load_uncertainty_budget
from siting.yields.variants import Variant, WindStudy, hub_variant, mean_at_hub, site_variants

__all__ = ["WindStudy", "check_weather", "compute_yields", "grid_share", "nearest_cell"]

Progress = Callable[[str, float], None]

_RATIO_TOLERANCE = 1e-3
_WAKE = "wake"
_FEW_CELLS = 8
_POINTS_OF_A_BLOCK = 4096
_SPHERE_ERROR = 1.01


@dataclass(frozen=True)
class _Build:
    """How a host type is built: ``design`` is the id of a PV variant or turbine, ``dc_ac_ratio`` its
    capacity_mw by grid_capacity_mw (1 for wind)."""

    technology: Technology
    design: str
    dc_ac_ratio: float


@dataclass(frozen=True)
class _CellYield:
    """Result of one weather cell; ``power`` has shape (hours, variants), ``stages`` one series for each variant,
    ``hub_mean`` the mean wind at hub (NaN for PV), ``ground_light`` the light left below rows (NaN without)."""

    variants: tuple[Variant, ...]
    power: npt.NDArray[np.float64]
    stages: tuple[pd.Series, ...]
    hub_mean: tuple[float, ...]
    ground_light: tuple[float, ...]
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True)
class _Chosen:
    """What holds for the whole study."""

    tables: TechnologyTables
    wind: WindStudy
    pv: PvOptions | None

    def turbine(self, design: str) -> Turbine:
        return hub_variant(self.tables.turbine(design), self.wind)


def compute_yields(
    candidates: gpd.GeoDataFrame,
    host_types: Sequence[HostType],
    weather: Sequence[Weather],
    *,
    wind_mean_speed: float | None = None,
    wind_mean_speed_source: str = "",
    wind: WindStudy | None = None,
    pv_options: PvOptions | None = None,
    site_factor: pd.Series | None = None,
    tables: TechnologyTables | None = None,
    progress: Progress | None = None,
) -> YieldResult:
    """Hourly profiles, yearly yield, losses and cost of energy.

    Parameters
    ----------
    candidates : GeoDataFrame
        Follows :data:`siting.contracts.CANDIDATES`. ``capacity_mw / grid_capacity_mw`` must be the DC/AC ratio of
        the PV variant (1 for wind), see :func:`grid_share`.
    host_types : sequence of HostType
        Must hold every host type of the candidates.
    weather : sequence of Weather
        Cells with the same hours. Each candidate takes the geodesically nearest one (the first id at a tie).
    wind_mean_speed : float, optional
        Long-run mean wind speed at hub height [m/s] to which every cell is scaled; needs its source. Not beside
        ``wind``.
    wind : WindStudy, optional
        All choices about wind, the long-run mean among them.
    pv_options : PvOptions, optional
        Models of PV.
    site_factor : Series, optional
        Energy left by what only a site has (shade of neighbours, co-use), by candidate id; 1 where not given.
    tables : TechnologyTables, optional
        The program's own files where not given.
    progress : callable, optional
        Called with a label and the share done, 0..1.

    Returns
    -------
    YieldResult
        ``profiles`` has the columns of the variants in use, sorted, on the weather's index (label = start of the
        hour, UTC+08:00). ``alarms`` tells of implausible yearly hours, of light recorded at night, and of wind
        losses that could not be taken; ``findings`` the same with rule, value and remedy.

    Raises
    ------
    InputError
        With every finding about weather (gaps, hours that differ), host types and wind speed.
    ContractError
        If a candidate's capacities do not fit its PV variant, or a table breaks its contract (weather values out of
        range included: readers refuse or correct them).
    """
    CANDIDATES.validate(candidates)
    known = load_technology_tables() if tables is None else tables
    study = WindStudy(wind_mean_speed, wind_mean_speed_source) if wind is None else wind
    findings = input_findings(candidates, weather, study.mean_speed_m_per_s, study.mean_speed_source)
    builds, unknown = _builds(candidates, host_types, known)
    if findings or unknown:
        raise InputError([*findings, *unknown])
    if candidates.empty:
        index = weather[0].hours.index if weather else None
        return YieldResult(pd.DataFrame(index=index), YIELDS.empty(), LOSSES.empty())
    _check_ratios(candidates, builds)
    for weather_cell in weather:
        WEATHER_HOURS.validate(weather_cell.hours)

    cells = sorted(weather, key=lambda cell: cell.cell_id)
    cell = nearest_cell(candidates["lon"].to_numpy(float), candidates["lat"].to_numpy(float), cells)
    design = candidates["host_type"].map({name: build.design for name, build in builds.items()}).to_numpy(str)
    chosen = _Chosen(known, study, pv_options)
    turbines = {
        build.design: chosen.turbine(build.design) for build in builds.values() if build.technology.kind == "wind"
    }
    of_site, results, assumptions = _all_cells(candidates, cells, cell, design, turbines, chosen, progress)

    profiles = _profiles(results, cells[0].hours.index)
    factor = np.ones(len(candidates))
    if site_factor is not None:
        factor = candidates["candidate_id"].map(site_factor).fillna(1.0).to_numpy(float)
    yields = _yields(candidates, builds, profiles, of_site, factor)
    technologies = {name: build.technology for name, build in builds.items()}
    hours = implied_hours(
        candidates,
        technologies,
        yields["specific_yield_kwh_per_kw"].to_numpy(float),
        yields["weather_cell"].to_numpy(str),
        study.mean_speed_m_per_s,
        study.mean_speed_source,
    )
    alarms = [*(alarm for result in results for alarm in result.alarms), *hours.alarms]
    details = _details(candidates, technologies, yields, results, of_site, factor, hours.outside)
    return YieldResult(
        profiles,
        YIELDS.validate(yields),
        LOSSES.validate(_losses(results)),
        tuple(alarm.text for alarm in alarms),
        YIELD_DETAILS.validate(details),
        tuple(alarm.finding for alarm in alarms),
        assumptions,
    )


def grid_share(host_type: HostType, tables: TechnologyTables | None = None) -> float:
    """``grid_capacity_mw`` by ``capacity_mw`` of a host type: 1 / DC-to-AC ratio of its PV variant, 1 for wind."""
    known = load_technology_tables() if tables is None else tables
    return 1 / _build(host_type, known).dc_ac_ratio


def nearest_cell(lon: npt.ArrayLike, lat: npt.ArrayLike, cells: Sequence[Weather]) -> npt.NDArray[np.int64]:
    """Number of the geodesically nearest weather cell (WGS-84) for each point; the first one at a tie.

    The nearest few by the straight line through the earth are measured on the ellipsoid, in blocks of points: time and
    memory follow neither the number of cells nor that of the points.
    """
    from pyproj import Geod
    from scipy.spatial import cKDTree

    lon_, lat_ = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    place = np.array([[cell.longitude, cell.latitude] for cell in cells])
    tree, geod, few = cKDTree(_on_sphere(place[:, 0], place[:, 1])), Geod(ellps="WGS84"), min(_FEW_CELLS, len(cells))
    nearest = np.empty(lon_.size, dtype=np.int64)
    for start in range(0, lon_.size, _POINTS_OF_A_BLOCK):
        part = slice(start, min(start + _POINTS_OF_A_BLOCK, lon_.size))
        chord, number = tree.query(_on_sphere(lon_[part], lat_[part]), k=few)
        chord, number = chord.reshape(-1, few), number.reshape(-1, few)
        # sphere and ellipsoid order cells alike where they lie more than one per cent apart
        unsure = few < len(cells) and bool((chord[:, -1] < chord[:, 0] * _SPHERE_ERROR).any())
        tried = np.tile(np.arange(len(cells)), (len(number), 1)) if unsure else np.sort(number, axis=1)
        ends = place[tried.ravel()]
        east, north = (np.repeat(values[part], tried.shape[1]) for values in (lon_, lat_))
        _, _, distance = geod.inv(east, north, ends[:, 0], ends[:, 1])
        best = np.argmin(np.asarray(distance).reshape(tried.shape), axis=1)
        nearest[part] = np.take_along_axis(tried, best[:, None], axis=1)[:, 0]
    return nearest


def _on_sphere(lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points on the unit sphere, shape (points, 3)."""
    east, north = np.radians(lon), np.radians(lat)
    return np.column_stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])


def _all_cells(
    candidates: gpd.GeoDataFrame,
    cells: Sequence[Weather],
    cell: npt.NDArray[np.int64],
    design: npt.NDArray[np.str_],
    turbines: dict[str, Turbine],
    chosen: _Chosen,
    progress: Progress | None,
) -> tuple[tuple[Variant, ...], list[_CellYield], tuple[str, ...]]:
    """Variant of each candidate, the yields of all cells in use, and what was assumed."""
    used = sorted(set(cell.tolist()))
    try:
        sites = site_variants(candidates, cells, cell, design, turbines.get, chosen.wind)
    except ValueError as error:
        raise _wind_error(cells[used[0]], error) from error
    results: list[_CellYield] = []
    for step, number in enumerate(used):
        if progress is not None:
            progress(f"yield {cells[number].cell_id}", step / len(used))
        wanted = {v.id: v for v in sites.variants if v.cell_id == cells[number].cell_id}
        try:
            results.append(_cell_yield(cells[number], [wanted[name] for name in sorted(wanted)], turbines, chosen))
        except ValueError as error:
            # heights below the roughness length, or calm weather that is to be scaled
            raise _wind_error(cells[number], error) from error
    if progress is not None:
        progress("yield", 1.0)
    return sites.variants, results, sites.assumptions


def _wind_error(weather: Weather, error: ValueError) -> InputError:
    remedy = "Correct the height, the roughness length or the wind speeds of the weather cell."
    return InputError([weather_finding(weather, "wind", "wind", "", f"{error}.", remedy)])


def _builds(
    candidates: gpd.GeoDataFrame, host_types: Sequence[HostType], tables: TechnologyTables
) -> tuple[dict[str, _Build], list[Finding]]:
    builds: dict[str, _Build] = {}
    findings: list[Finding] = []
    by_id = {host_type.host_type: host_type for host_type in host_types}
    for name in sorted(set(candidates["host_type"])):
        if name not in by_id:
            text, remedy = f"No host type {name!r}.", f"Known: {', '.join(sorted(by_id))}."
            findings.append(Finding("error", "host_type.unknown", "study", "candidates", name, name, text, remedy))
            continue
        try:
            builds[name] = _build(by_id[name], tables)
        except InputError as error:
            findings += error.findings
    return builds, findings


def _build(host_type: HostType, tables: TechnologyTables) -> _Build:
    technology = tables.technology(host_type.technology)
    if technology.kind == "wind":
        return _Build(technology, tables.turbine(technology.turbine).turbine, 1.0)
    variant = tables.pv_variant(host_type.pv_variant)
    return _Build(technology, variant.pv_variant, variant.dc_ac_ratio)


def _check_ratios(candidates: gpd.GeoDataFrame, builds: dict[str, _Build]) -> None:
    """A profile is per grid capacity of its design; a candidate with another DC/AC ratio would get a wrong yield."""
    stated = candidates["capacity_mw"].to_numpy(float) / candidates["grid_capacity_mw"].to_numpy(float)
    design = candidates["host_type"].map({name: build.dc_ac_ratio for name, build in builds.items()}).to_numpy(float)
    wrong = np.flatnonzero(np.abs(stated / design - 1) > _RATIO_TOLERANCE)
    if wrong.size:
        row = wrong[0]
        raise ContractError(
            f"{wrong.size} candidate(s) whose capacity_mw / grid_capacity_mw is not the DC/AC ratio of their design, "
            f"the first {candidates['candidate_id'].iloc[row]}: {stated[row]:.4f} instead of {design[row]:.4f}"
        )


def _cell_yield(
    weather: Weather, variants: Sequence[Variant], turbines: dict[str, Turbine], chosen: _Chosen
) -> _CellYield:
    solar = [v.design for v in variants if v.design not in turbines]
    power: dict[str, npt.NDArray[np.float64]] = {}
    stages: dict[str, pd.Series] = {}
    hub_mean: dict[str, float] = {}
    ground_light: dict[str, float] = {}
    alarms: list[Alarm] = []
    if solar:
        pv = pv_yield(weather, [chosen.tables.pv_variant(name) for name in solar], chosen.pv)
        for column, name in enumerate(solar):
            key = Variant(weather.cell_id, name).id
            power[key], stages[key] = pv.power[:, column], pv.stages[column]
            ground_light[key] = pv.ground_light_share[column]
        alarms += dark_alarm(weather, pv.dark_share)
    for variant in variants:
        if variant.design not in turbines:
            continue
        turbine = turbines[variant.design]
        own = variant.mean_speed_m_per_s
        stated = chosen.wind.mean_speed_m_per_s if math.isnan(own) else own
        mean = None if stated is None else mean_at_hub(weather, turbine, stated, chosen.wind)
        options = chosen.wind.options
        if not math.isnan(variant.wake_loss_share):
            options = replace(options, wake_loss_share=variant.wake_loss_share)
        wind = wind_yield(weather, turbine, mean_speed_m_per_s=mean, options=options)
        power[variant.id], stages[variant.id], hub_mean[variant.id] = wind.power, wind.stages, wind.hub_mean_m_per_s
        if not wind.losses_met:
            alarms.append(losses_alarm(variant.id))
    return _CellYield(
        tuple(variants),
        np.column_stack([power[v.id] for v in variants]),
        tuple(stages[v.id] for v in variants),
        tuple(hub_mean.get(v.id, math.nan) for v in variants),
        tuple(ground_light.get(v.id, math.nan) for v in variants),
        tuple(alarms),
    )


def _profiles(results: Sequence[_CellYield], index: pd.Index) -> pd.DataFrame:
    names = [v.id for result in results for v in result.variants]
    frame = pd.DataFrame(np.hstack([result.power for result in results]), index=index, columns=names)
    return frame[sorted(names)]


def _losses(results: Sequence[_CellYield]) -> pd.DataFrame:
    rows = []
    for result in results:
        for variant, stages in zip(result.variants, result.stages, strict=True):
            left = stages.to_numpy(float)
            before = np.concatenate([left[:1], left[:-1]])
            share = 1 - np.divide(left, before, out=np.ones_like(left), where=before > 0)
            rows.append(
                pd.DataFrame(
                    {
                        "variant_id": variant.id,
                        "item": stages.index.astype(str),
                        "kwh_per_kw": left,
                        "loss_share": share,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True).sort_values("variant_id", kind="stable", ignore_index=True)


def _yields(
    candidates: gpd.GeoDataFrame,
    builds: dict[str, _Build],
    profiles: pd.DataFrame,
    of_site: Sequence[Variant],
    factor: npt.NDArray[np.float64],
) -> pd.DataFrame:
    capacity = candidates["capacity_mw"].to_numpy(float)
    variant = pd.Series([v.id for v in of_site], dtype=object)
    full_load_hours = variant.map(profiles.sum()).to_numpy(float) * factor
    energy = full_load_hours * candidates["grid_capacity_mw"].to_numpy(float)
    capex, cost = np.empty_like(capacity), np.empty_like(capacity)
    host_type = candidates["host_type"].to_numpy(str)
    for name, build in builds.items():
        rows = host_type == name
        capex[rows] = capex_cny(build.technology, capacity[rows])
        cost[rows] = lcoe(build.technology, capacity[rows], energy[rows])
    return pd.DataFrame(
        {
            "candidate_id": candidates["candidate_id"].to_numpy(object),
            "variant_id": variant.to_numpy(object),
            "weather_cell": np.array([v.cell_id for v in of_site], dtype=object),
            "specific_yield_kwh_per_kw": energy / capacity,
            "energy_mwh": energy,
            "full_load_hours": full_load_hours,
            "capex_cny": capex,
            "lcoe_cny_per_kwh": cost,
        }
    )


def _details(
    candidates: gpd.GeoDataFrame,
    technologies: dict[str, Technology],
    yields: pd.DataFrame,
    results: Sequence[_CellYield],
    of_site: Sequence[Variant],
    factor: npt.NDArray[np.float64],
    outside: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    energy = yields["energy_mwh"].to_numpy(float)
    host_type = candidates["host_type"].to_numpy(str)
    p50, p75, p90, sigma, life = (np.empty(len(energy)) for _ in range(5))
    for name, technology in technologies.items():
        rows = host_type == name
        spread = exceedance(energy[rows], load_uncertainty_budget(technology.kind))
        p50[rows], p75[rows], p90[rows], sigma[rows] = spread.p50, spread.p75, spread.p90, spread.sigma_share
        life[rows] = energy_by_year(energy[rows], technology.degradation_per_a, round(technology.life_a)).mean(axis=0)
    wake, hub = {}, {}
    ground: dict[str, float] = {}
    for result in results:
        ground |= {v.id: light for v, light in zip(result.variants, result.ground_light, strict=True)}
        for variant, stages, mean in zip(result.variants, result.stages, result.hub_mean, strict=True):
            place = list(stages.index).index(_WAKE) if _WAKE in stages.index else 0
            before = float(stages.iloc[place - 1]) if place else 0.0
            wake[variant.id] = 1 - float(stages.iloc[place]) / before if before > 0 else math.nan
            hub[variant.id] = mean
    names = [v.id for v in of_site]
    return pd.DataFrame(
        {
            "candidate_id": yields["candidate_id"],
            "p50_mwh": p50,
            "p75_mwh": p75,
            "p90_mwh": p90,
            "sigma_share": sigma,
            "life_mean_mwh": life,
            "site_factor": factor,
            "wake_loss_share": np.array([wake[name] for name in names]),
            "hub_mean_m_per_s": np.array([hub[name] for name in names]),
            "ground_light_share": np.array([ground[name] for name in names]),
            "alarm": np.where(outside, IMPLIED_HOURS, "").astype(object),
        }
    )

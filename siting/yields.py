"""Yield, losses and cost of energy of all candidates.

What sites share is computed once: a *variant* is one weather cell with one PV variant or one turbine
(``variant_id = "<weather cell>/<pv variant or turbine>"``); candidates only look their variant up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, WEATHER_HOURS, Finding, InputError, Weather
from layers.tables import ContractError
from siting.contracts import CANDIDATES, LOSSES, YIELDS, HostType, YieldResult
from siting.cost import capex_cny, lcoe
from siting.pv import pv_yield
from siting.pv_options import PvOptions
from siting.technology_tables import Technology, TechnologyTables, load_technology_tables
from siting.wind import wind_yield

Progress = Callable[[str, float], None]

_HOURS_OF_A_YEAR = (8760, 8784)
_DARK_SHARE_ALARM = 0.005
_RATIO_TOLERANCE = 1e-3
_NO_MEAN_SPEED = "wind speed of the weather file as it is, without a long-run mean"


@dataclass(frozen=True)
class _Build:
    """How a host type is built: ``design`` is the id of a PV variant or turbine, ``dc_ac_ratio`` its
    capacity_mw by grid_capacity_mw (1 for wind)."""

    technology: Technology
    design: str
    dc_ac_ratio: float


@dataclass(frozen=True)
class _CellYield:
    """Result of one weather cell; ``power`` has shape (hours, designs), ``stages`` one series for each design."""

    designs: tuple[str, ...]
    power: npt.NDArray[np.float64]
    stages: tuple[pd.Series, ...]
    alarms: tuple[str, ...]


def compute_yields(
    candidates: gpd.GeoDataFrame,
    host_types: Sequence[HostType],
    weather: Sequence[Weather],
    *,
    wind_mean_speed: float | None = None,
    wind_mean_speed_source: str = "",
    tables: TechnologyTables | None = None,
    pv_options: PvOptions | None = None,
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
        Long-run mean wind speed at hub height [m/s] to which every cell is scaled; needs its source.
    tables : TechnologyTables, optional
        The program's own files where not given.
    pv_options : PvOptions, optional
        Models of the PV chain and skylines, see :mod:`siting.pv_options`.
    progress : callable, optional
        Called with a label and the share done, 0..1.

    Returns
    -------
    YieldResult
        ``profiles`` has the columns of the variants in use, sorted, on the weather's index (label = start of the
        hour, UTC+08:00). ``alarms`` tells of implausible yearly hours, of light recorded at night, and of wind
        losses that could not be taken.

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
    findings = _input_findings(candidates, host_types, weather, wind_mean_speed, wind_mean_speed_source)
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
    is_wind = {build.design: build.technology.kind == "wind" for build in builds.values()}

    results: dict[str, _CellYield] = {}
    used = sorted(set(cell.tolist()))
    for step, number in enumerate(used):
        if progress is not None:
            progress(f"yield {cells[number].cell_id}", step / len(used))
        designs = tuple(sorted(set(design[cell == number].tolist())))
        try:
            results[cells[number].cell_id] = _cell_yield(
                cells[number], designs, is_wind, known, wind_mean_speed, pv_options
            )
        except ValueError as error:
            # heights below the roughness length, or calm weather that is to be scaled
            remedy = "Correct the height, the roughness length or the wind speeds of the weather cell."
            raise InputError([_finding(cells[number], "wind", "wind", "", f"{error}.", remedy)]) from error
    if progress is not None:
        progress("yield", 1.0)

    profiles = _profiles(results, cells[0].hours.index)
    cell_id = np.array([cells[number].cell_id for number in cell])
    yields = _yields(candidates, builds, profiles, cell_id, design)
    alarms = [alarm for result in results.values() for alarm in result.alarms]
    alarms += _hours_alarms(candidates, builds, yields, wind_mean_speed, wind_mean_speed_source)
    return YieldResult(profiles, YIELDS.validate(yields), LOSSES.validate(_losses(results)), tuple(alarms))


def grid_share(host_type: HostType, tables: TechnologyTables | None = None) -> float:
    """``grid_capacity_mw`` by ``capacity_mw`` of a host type: 1 / DC-to-AC ratio of its PV variant, 1 for wind."""
    known = load_technology_tables() if tables is None else tables
    return 1 / _build(host_type, known).dc_ac_ratio


def nearest_cell(lon: npt.ArrayLike, lat: npt.ArrayLike, cells: Sequence[Weather]) -> npt.NDArray[np.int64]:
    """Number of the geodesically nearest weather cell (WGS-84) for each point; the first one at a tie."""
    from pyproj import Geod

    lon_, lat_ = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    geod = Geod(ellps="WGS84")
    distance = np.empty((len(cells), lon_.size))
    for number, cell in enumerate(cells):
        _, _, distance[number] = geod.inv(
            lon_, lat_, np.full(lon_.size, cell.longitude), np.full(lon_.size, cell.latitude)
        )
    return np.asarray(np.argmin(distance, axis=0), dtype=np.int64)


def check_weather(weather: Weather) -> list[Finding]:
    """Everything that keeps a weather cell from being used: columns, hours, zone, and values that are not numbers."""
    hours = weather.hours
    missing = [name for name in WEATHER_HOURS.columns if name not in hours.columns]
    found = [_finding(weather, "column_missing", name, "", "The column is missing.", "Add it.") for name in missing]
    index = hours.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        text = "The hours have no time zone."
        return [*found, _finding(weather, "zone", "index", str(index.dtype), text, "Use UTC+08:00.")]
    if any(stamp.utcoffset() != CHINA_STANDARD_TIME.utcoffset(None) for stamp in (index[:1].union(index[-1:]))):
        text = "The hours are not in China's standard time."
        found.append(_finding(weather, "zone", "index", str(index.tz), text, "Use UTC+08:00."))
    steps = np.diff(index.to_numpy())
    if len(index) not in _HOURS_OF_A_YEAR or not bool((steps == np.timedelta64(1, "h")).all()):
        text = f"{len(index)} rows that are not one year of whole hours without gap."
        found.append(_finding(weather, "hours", "index", str(len(index)), text, "Give 8760 hours."))
    for name in WEATHER_HOURS.columns:
        if name in hours.columns:
            found += _gaps(weather, name)
    return found


def _gaps(weather: Weather, name: str) -> list[Finding]:
    values = weather.hours[name].to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(values))
    if not bad.size:
        return []
    first = weather.hours.index[bad[0]]
    item = f"{first:%Y-%m-%d %H:%M} {name}"
    text = f"{bad.size} hour(s) without a value in {name}, the first at {first:%Y-%m-%d %H:%M}."
    return [_finding(weather, "not_a_number", item, str(values[bad[0]]), text, "Fill the gap, or use another file.")]


def _finding(weather: Weather, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"weather.{rule}", weather.title, weather.cell_id, item, value, message, remedy)


def _input_findings(
    candidates: gpd.GeoDataFrame,
    host_types: Sequence[HostType],
    weather: Sequence[Weather],
    mean_speed: float | None,
    source: str,
) -> list[Finding]:
    findings = [finding for cell in weather for finding in check_weather(cell)]
    if not weather and not candidates.empty:
        remedy = "Name a weather file."
        findings.append(
            Finding("error", "weather.none", "study", "weather", "", "", "There is no weather cell.", remedy)
        )
    ids = [cell.cell_id for cell in weather]
    for cell, position in zip(weather, range(len(ids)), strict=True):
        if cell.cell_id in ids[:position]:
            findings.append(_finding(cell, "repeated_id", "cell_id", cell.cell_id, "Id used twice.", "Rename one."))
        if not cell.hours.index.equals(weather[0].hours.index):
            text = f"The hours differ from those of {weather[0].cell_id}."
            findings.append(_finding(cell, "hours_differ", "index", "", text, "Use one calendar year for all cells."))
    if mean_speed is not None and not 2 <= mean_speed <= 15:
        text, remedy = "Implausible mean wind speed at hub height.", "State metres per second between 2 and 15."
        findings.append(
            Finding("error", "wind.mean_speed", "study", "wind", "mean_speed", f"{mean_speed}", text, remedy)
        )
    if mean_speed is not None and not source.strip():
        text, remedy = "The mean wind speed has no source.", "Say where the figure comes from."
        findings.append(Finding("error", "wind.mean_speed_source", "study", "wind", "source", "", text, remedy))
    return findings


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
    weather: Weather,
    designs: tuple[str, ...],
    is_wind: dict[str, bool],
    tables: TechnologyTables,
    mean_speed: float | None,
    pv_options: PvOptions | None,
) -> _CellYield:
    solar = [name for name in designs if not is_wind[name]]
    power: dict[str, npt.NDArray[np.float64]] = {}
    stages: dict[str, pd.Series] = {}
    alarms: list[str] = []
    if solar:
        pv = pv_yield(weather, [tables.pv_variant(name) for name in solar], pv_options)
        for column, name in enumerate(solar):
            power[name], stages[name] = pv.power[:, column], pv.stages[column]
        if pv.dark_share > _DARK_SHARE_ALARM:
            alarms.append(
                f"{weather.cell_id}: {100 * pv.dark_share:.1f} % of the irradiation falls in hours with the sun below "
                "the horizon and is dropped; the hour labels or the place are probably wrong"
            )
    for name in designs:
        if is_wind[name]:
            wind = wind_yield(weather, tables.turbine(name), mean_speed_m_per_s=mean_speed)
            power[name], stages[name] = wind.power, wind.stages
            if not wind.losses_met:
                alarms.append(f"{weather.cell_id}/{name}: hardly any part load, the stated losses are not met in full")
    return _CellYield(
        designs,
        np.column_stack([power[name] for name in designs]),
        tuple(stages[name] for name in designs),
        tuple(alarms),
    )


def _profiles(results: dict[str, _CellYield], index: pd.Index) -> pd.DataFrame:
    names = [f"{cell}/{name}" for cell, result in results.items() for name in result.designs]
    frame = pd.DataFrame(np.hstack([result.power for result in results.values()]), index=index, columns=names)
    return frame[sorted(names)]


def _losses(results: dict[str, _CellYield]) -> pd.DataFrame:
    rows = []
    for cell, result in results.items():
        for name, stages in zip(result.designs, result.stages, strict=True):
            left = stages.to_numpy(float)
            before = np.concatenate([left[:1], left[:-1]])
            share = 1 - np.divide(left, before, out=np.ones_like(left), where=before > 0)
            rows.append(
                pd.DataFrame(
                    {
                        "variant_id": f"{cell}/{name}",
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
    cell_id: npt.NDArray[np.str_],
    design: npt.NDArray[np.str_],
) -> pd.DataFrame:
    capacity = candidates["capacity_mw"].to_numpy(float)
    variant = pd.Series(cell_id, dtype=object) + "/" + pd.Series(design, dtype=object)
    full_load_hours = variant.map(profiles.sum()).to_numpy(float)
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
            "weather_cell": cell_id.astype(object),
            "specific_yield_kwh_per_kw": energy / capacity,
            "energy_mwh": energy,
            "full_load_hours": full_load_hours,
            "capex_cny": capex,
            "lcoe_cny_per_kwh": cost,
        }
    )


def _hours_alarms(
    candidates: gpd.GeoDataFrame,
    builds: dict[str, _Build],
    yields: pd.DataFrame,
    mean_speed: float | None,
    source: str,
) -> list[str]:
    """One alarm for each host type and weather cell whose yearly hours are implausible."""
    alarms = []
    host_type = candidates["host_type"].to_numpy(str)
    cells = yields["weather_cell"].to_numpy(str)
    specific_yield = yields["specific_yield_kwh_per_kw"].to_numpy(float)
    for name, cell in sorted(set(zip(host_type.tolist(), cells.tolist(), strict=True))):
        rows = (host_type == name) & (cells == cell)
        technology, hours = builds[name].technology, float(specific_yield[rows][0])
        if technology.hours_low <= hours <= technology.hours_high:
            continue
        basis = "kW AC" if technology.kind == "wind" else "kW DC"
        cause = "" if technology.kind == "pv" else f" ({_mean_speed_text(mean_speed, source)})"
        alarms.append(
            f"{name} in weather cell {cell}: {hours:.0f} kWh per {basis} lies outside the plausible "
            f"{technology.hours_low:.0f}-{technology.hours_high:.0f}{cause}; {int(rows.sum())} candidate(s)"
        )
    return alarms


def _mean_speed_text(mean_speed: float | None, source: str) -> str:
    return _NO_MEAN_SPEED if mean_speed is None else f"scaled to {mean_speed:g} m/s at hub height, {source}"

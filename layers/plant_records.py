"""Records of PV plants: power and weather every 15 minutes, with a quality control that names what it drops.

Made for the sites of the State Grid forecasting record. Their columns are to be read with care: "direct" plus "global"
is not "total"; ``total`` follows the power best (correlation 0.91 to 0.98) and is taken as the irradiance on the plane
of the modules. Places are not published. Longitude follows from solar noon, latitude from the swing of the day
length, both from the record itself; the clock is UTC+08:00, which every plant of China keeps.

References
----------
Chen and Xu 2022, Solar and wind power data from the Chinese State Grid renewable energy generation forecasting
competition, Scientific Data 9, 577.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, WEATHER_HOURS, Origin, Weather
from layers.weather_gaps import fill_gaps, runs
from layers.weather_raw import STATE, Report, limits
from layers.weather_resample import resample_mean

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

STEP = pd.Timedelta(minutes=15)

_COLUMNS = {
    "total_irr_w_m2": "irradiance_w_per_m2",
    "temp_air_c": "temp_air_c",
    "pressure_hpa": "pressure_pa",
    "power_mw": "power_mw",
}
_HPA = 100.0
_LIGHT = "irradiance_w_per_m2"
_DARK_W_PER_M2 = 20.0
_WIND_M_PER_S = 2.0
"""Wind is not recorded; light wind at 10 m is assumed for the cell temperature."""


@dataclass(frozen=True)
class Drop:
    """``count`` values of ``column`` dropped by ``rule``."""

    rule: str
    column: str
    count: int


@dataclass(frozen=True)
class PlantRecord:
    """One plant. ``table``: every 15 min, label = start in UTC+08:00; irradiance_w_per_m2 on the modules' plane,
    temp_air_c, pressure_pa, power_mw (negative at night: own use); NaN where dropped. ``drops`` names every drop."""

    name: str
    capacity_mw: float
    table: pd.DataFrame
    drops: tuple[Drop, ...]

    @property
    def noon_longitude(self) -> float:
        """Longitude at which the day's energy is centred on solar noon [degrees east], good to some 1.5 degrees."""
        from pvlib.solarposition import equation_of_time_spencer71

        index = pd.DatetimeIndex(self.table.index)
        light = np.nan_to_num(self.table["irradiance_w_per_m2"].to_numpy())
        clock = index.hour.to_numpy() * 60.0 + index.minute.to_numpy() + 7.5
        middle = clock + np.asarray(equation_of_time_spencer71(index.dayofyear.to_numpy()))
        return 120.0 + (720.0 - float((light * middle).sum() / light.sum())) / 4.0

    @property
    def day_length_latitude(self) -> float:
        """Latitude at which day lengths swing over the year as the record's [degrees north], to some 2 degrees.

        The record's day is the time above 5 W/m2, the ninth decile of a month's days. A constant difference to the
        astronomical day (threshold of the sensor, skyline) does not matter, only the swing does.
        """
        index = pd.DatetimeIndex(self.table.index)
        lit = (self.table["irradiance_w_per_m2"] > 5.0).groupby(index.date).sum() * 0.25
        month = pd.DatetimeIndex(lit.index).month
        hours = lit.groupby(month).quantile(0.9)
        day = 30.4 * (hours.index.to_numpy() - 0.5)
        candidates = np.arange(15.0, 50.5, 0.5)
        spread = [float(np.std(hours.to_numpy() - _day_length_h(latitude, day))) for latitude in candidates]
        return float(candidates[int(np.argmin(spread))])


def _day_length_h(latitude: float, day: Floats) -> Floats:
    from pvlib.solarposition import declination_spencer71

    product = np.tan(np.radians(latitude)) * np.tan(declination_spencer71(day))
    return np.asarray(24.0 / np.pi * np.arccos(np.clip(-product, -1.0, 1.0)))


def read_plant_record(path: Path, shown_path: str, capacity_mw: float) -> PlantRecord:
    """A plant's record from a Parquet file of the State Grid data, after quality control.

    Raises
    ------
    InputError
        ``plant.unreadable`` or ``plant.columns``.
    """
    report = Report(shown_path, "plant")
    remedy = "Use a site of the State Grid record as Parquet."
    try:
        raw = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        what = f"cannot be read ({type(error).__name__})."
        raise report.refuse("unreadable", "path", shown_path, what, remedy) from error
    lacking = [name for name in ("time", *_COLUMNS) if name not in raw.columns]
    if lacking:
        what = "these columns are missing."
        raise report.refuse("columns", "columns", ", ".join(lacking), what, remedy)
    index = pd.DatetimeIndex(raw["time"]).tz_localize(CHINA_STANDARD_TIME)
    table = raw[list(_COLUMNS)].rename(columns=_COLUMNS).astype(float).set_axis(index)
    return controlled(table, Path(shown_path).stem, capacity_mw)


def controlled(table: pd.DataFrame, name: str, capacity_mw: float) -> PlantRecord:
    """Quality control of a record by ``plant_record_rules.csv``; every drop is counted by rule.

    Parameters
    ----------
    table : DataFrame
        Columns as of :class:`PlantRecord`, pressure in hPa, regular 15-min DatetimeIndex in UTC+08:00.
    name : str
    capacity_mw : float
    """
    figures, result, drops = _figures(), table.copy(), []

    def drop(rule: str, column: str, flags: Flags) -> None:
        flags = flags & result[column].notna().to_numpy()
        if flags.any():
            result.loc[flags, column] = np.nan
            drops.append(Drop(rule, column, int(flags.sum())))

    sentinels = np.array(sorted({value for row in limits()["sentinels"] for value in row} - {999.0, 99.9}))
    for column in result:
        drop("sentinel", str(column), np.isin(np.round(result[column].to_numpy(), 2), np.round(sentinels, 2)))
    light = result["irradiance_w_per_m2"]
    drop("range", _LIGHT, ((light > figures["irradiance_max"]) | (light < figures["irradiance_min"])).to_numpy())
    air = result["temp_air_c"]
    drop("range", "temp_air_c", ((air > figures["temp_max"]) | (air < figures["temp_min"])).to_numpy())
    drop("range", "pressure_pa", ((result["pressure_pa"] < 500) | (result["pressure_pa"] > 1100)).to_numpy())
    drop("range", "power_mw", (result["power_mw"].abs() > 1.05 * capacity_mw).to_numpy())
    drop("stuck sensor", _LIGHT, _stuck(result["irradiance_w_per_m2"].to_numpy(), int(figures["stuck_steps"])))
    drop("dead sensor", _LIGHT, _dead(result, capacity_mw, figures["dark_day"]))
    dark = (result["irradiance_w_per_m2"] < _DARK_W_PER_M2).to_numpy()
    drop("power in the dark", _LIGHT,
         dark & (result["power_mw"] > figures["power_in_the_dark"] * capacity_mw).to_numpy())  # fmt: skip
    still = (result["power_mw"] < 0.01 * capacity_mw) & (result["irradiance_w_per_m2"] > figures["outage_light"])
    drop("outage", "power_mw", still.to_numpy())
    drop("curtailment plateau", "power_mw", _plateau(result, capacity_mw, int(figures["plateau_steps"])))
    result["pressure_pa"] *= _HPA
    return PlantRecord(name, capacity_mw, result, tuple(drops))


@cache
def _figures() -> dict[str, float]:
    table = pd.read_csv(Path(__file__).with_name("plant_record_rules.csv"))
    return dict(zip(table["rule"], table["value"].astype(float), strict=True))


def _stuck(values: Floats, steps: int) -> Flags:
    """Runs of at least ``steps`` equal values above the dark."""
    same = np.zeros(values.size, bool)
    same[1:] = (np.diff(values) == 0) & (values[1:] > _DARK_W_PER_M2)
    result = np.zeros(values.size, bool)
    for first, count in runs(same):
        if count + 1 >= steps:
            result[first - 1 : first + count] = True
    return result


def _dead(table: pd.DataFrame, capacity_mw: float, dark_day: float) -> Flags:
    """Daytimes of days on which the plant works and the sensor does not."""
    day = pd.DatetimeIndex(table.index).floor("D")
    light = table["irradiance_w_per_m2"].groupby(day).transform("max")
    power = table["power_mw"].groupby(day).transform("max")
    return ((light < dark_day) & (power > 0.1 * capacity_mw)).to_numpy()


def _plateau(table: pd.DataFrame, capacity_mw: float, steps: int) -> Flags:
    """Runs of at least ``steps`` of level power under changing light, below the plant's own ceiling."""
    power, light = table["power_mw"].to_numpy(), table["irradiance_w_per_m2"].to_numpy()
    ceiling = 0.95 * np.nanquantile(power, 0.9995)
    level = np.zeros(power.size, bool)
    level[1:] = (np.abs(np.diff(power)) <= 0.002 * capacity_mw) & (power[1:] > 0.05 * capacity_mw)
    result = np.zeros(power.size, bool)
    for first, count in runs(level):
        part = slice(first - 1, first + count)
        if count + 1 < steps or np.isnan(light[part]).all():
            continue
        if power[part].mean() < ceiling and np.nanmax(light[part]) > 1.1 * np.nanmin(light[part]) + 1:
            result[part] = True
    return result


@dataclass(frozen=True)
class RecordYear:
    """A year of a record as weather, and what it is compared with. ``power_mw``: hourly, NaN where anything of the
    hour was dropped (power, or irradiance or temperature, which the weather has filled)."""

    year: int
    weather: Weather
    power_mw: Floats


def record_years(
    record: PlantRecord, latitude: float, longitude: float, tilt_deg: float, *, calendar: int = 2023
) -> tuple[RecordYear, ...]:
    """Whole years of a record as weather: the plane's irradiance turned to the horizontal.

    Parameters
    ----------
    record : PlantRecord
    latitude, longitude : float
        [degrees]
    tilt_deg : float
        Tilt of the sensor and the modules, facing south; not published, an assumption.
    calendar : int
        Common year of the labels.

    Notes
    -----
    The horizontal irradiance is the one whose Erbs decomposition and Hay-Davies transposition give the measured
    irradiance on the plane (bisection), so that a yield with the same tilt sees what the sensor saw. Wind is not
    recorded and is 2 m/s.
    """
    hours = resample_mean(record.table, pd.Timedelta(hours=1))
    index = pd.DatetimeIndex(hours.index)
    common = pd.date_range(f"{calendar}-01-01", periods=8760, freq="h", tz=CHINA_STANDARD_TIME)
    result = []
    for year in sorted(set(index.year)):
        part = hours[(index.year == year) & ~((index.month == 2) & (index.day == 29))]
        if len(part) != len(common):
            continue
        part = part.set_axis(common)
        unknown = part[["irradiance_w_per_m2", "temp_air_c", "power_mw"]].isna().any(axis=1).to_numpy()
        ghi, dni, dhi = horizontal_from_plane(
            np.maximum(np.nan_to_num(part["irradiance_w_per_m2"].to_numpy()), 0.0),
            common,
            latitude,
            longitude,
            tilt_deg,
        )
        ghi = np.where(part["irradiance_w_per_m2"].isna(), np.nan, ghi)
        table = pd.DataFrame(
            {
                "ghi_w_per_m2": ghi,
                "dni_w_per_m2": np.where(np.isnan(ghi), np.nan, dni),
                "dhi_w_per_m2": np.where(np.isnan(ghi), np.nan, dhi),
                "temp_air_c": part["temp_air_c"],
                "wind_speed_m_per_s": _WIND_M_PER_S,
                "pressure_pa": part["pressure_pa"],
            },
            index=common,
        )
        filled = fill_gaps(table, latitude, longitude, ("ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2", *STATE))
        if filled.refused:
            continue
        weather = Weather(
            record.name, latitude, longitude, 0.0, 10.0, 0.1, WEATHER_HOURS.validate(filled.hours),
            Origin.MEASURED, f"{record.name}, {year}", years=(year,),
        )  # fmt: skip
        power = np.where(unknown, np.nan, np.maximum(part["power_mw"].to_numpy(), 0.0))
        result.append(RecordYear(int(year), weather, power))
    return tuple(result)


def horizontal_from_plane(
    plane: Floats, labels: pd.DatetimeIndex, latitude: float, longitude: float, tilt_deg: float, albedo: float = 0.2
) -> tuple[Floats, Floats, Floats]:
    """GHI, DNI, DHI whose transposition to a south-facing plane gives ``plane`` [W/m2].

    Parameters
    ----------
    plane : ndarray
        Means of the hour on the plane [W/m2].
    labels : DatetimeIndex
        Starts of the hours.
    latitude, longitude, tilt_deg : float
        [degrees]
    albedo : float

    Notes
    -----
    Bisection between 0 and the extraterrestrial horizontal irradiance, on the model that pvlib's
    ``ghi_from_poa_driesse_2024`` inverts too (Erbs and Hay-Davies), for all hours at once; with the sun below 3 degrees
    the plane's irradiance is taken as diffuse.
    """
    from pvlib import irradiance, solarposition

    middle = labels + pd.Timedelta(minutes=30)
    sun = solarposition.get_solarposition(middle, latitude, longitude)
    zenith, azimuth = sun["zenith"].to_numpy(), sun["azimuth"].to_numpy()
    extra = np.asarray(irradiance.get_extra_radiation(middle), np.float64)
    cosine = np.cos(np.radians(zenith))
    up = cosine > np.sin(np.radians(3.0))
    day = np.asarray(middle.dayofyear, np.float64)

    def components(ghi: Floats) -> tuple[Floats, Floats]:
        parts = irradiance.erbs(ghi, zenith, day)
        diffuse = np.clip(np.nan_to_num(np.asarray(parts["dhi"])), 0.0, ghi)
        beam = np.divide(ghi - diffuse, cosine, out=np.zeros_like(ghi), where=up)
        return beam, np.where(up, diffuse, ghi)

    def on_plane(ghi: Floats) -> Floats:
        dni, dhi = components(ghi)
        total = irradiance.get_total_irradiance(
            tilt_deg, 180.0, zenith, azimuth, dni, ghi, dhi, dni_extra=extra, albedo=albedo, model="haydavies"
        )
        return np.where(up, np.nan_to_num(np.asarray(total["poa_global"])), ghi)

    low, high = np.zeros_like(plane), np.where(up, extra * np.maximum(cosine, 0.0), np.minimum(plane, 200.0))
    for _ in range(40):
        centre = 0.5 * (low + high)
        above = on_plane(centre) > plane
        low, high = np.where(above, low, centre), np.where(above, centre, high)
    ghi = 0.5 * (low + high)
    dni, dhi = components(ghi)
    return ghi, np.minimum(dni, 1300.0), np.minimum(dhi, 1000.0)

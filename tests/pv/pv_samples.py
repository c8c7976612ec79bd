"""Weather and reference chains that the PV tests and benchmarks share. References use pvlib only."""

from __future__ import annotations

import dataclasses
import gzip
import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib

from layers.contracts import CHINA_STANDARD_TIME, Origin, Weather
from layers.generated import generate_weather
from siting.technologies.tables import Orientation, PvVariant, load_technology_tables

ROOT = Path(__file__).resolve().parents[2]
TABLES = load_technology_tables()
GROUND = TABLES.pv_variant("ground_fixed")
TRACKING = TABLES.pv_variant("ground_tracking")
SIDES = {"south": (25.0, 180.0), "east": (25.0, 90.0), "west": (25.0, 270.0), "flat": (0.0, 180.0)}
COLUMNS = ("ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2", "temp_air_c", "wind_speed_m_per_s", "pressure_pa")


def facing(tilt: float, azimuth: float, base: PvVariant = GROUND) -> PvVariant:
    return dataclasses.replace(base, orientations=(Orientation(tilt, azimuth, 1.0),))


def lone_tracker(base: PvVariant = TRACKING) -> PvVariant:
    """A tracker whose rows do not shade each other and have no rear: what ModelChain computes."""
    return dataclasses.replace(base, rows=dataclasses.replace(base.rows, shading=False))


@lru_cache(maxsize=4)
def bozhou(seed: int = 1) -> Weather:
    """A generated year with clouds."""
    table = pd.read_csv(ROOT / "data" / "raw" / "climate-normals.csv")
    rows = table[table["place"] == "Bozhou"]
    return generate_weather(rows, cell_id="Bozhou", latitude=33.87, longitude=115.77, altitude_m=37.7, seed=seed)


def year(hours: int = 8760) -> pd.DatetimeIndex:
    return pd.date_range("2023-01-01", periods=hours, freq="h", tz=CHINA_STANDARD_TIME)


def weather_of(values: np.ndarray, index: pd.DatetimeIndex, cell_id: str = "cell") -> Weather:
    hours = pd.DataFrame(values, index=index, columns=list(COLUMNS))
    return Weather(cell_id, 33.87, 115.77, 40.0, 10.0, 0.1, hours, Origin.GENERATED, "test weather")


def days(weather: Weather, start: int, count: int) -> Weather:
    """Some days of a record."""
    return dataclasses.replace(weather, hours=weather.hours.iloc[24 * start : 24 * (start + count)])


def read_station(path: Path) -> Weather:
    """A CSWD station as it is in the file: labels and values uncorrected, read by pvlib."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
        data, head = pvlib.iotools.read_epw(io.StringIO(lines.read()))
    names = ("ghi", "dni", "dhi", "temp_air", "wind_speed", "atmospheric_pressure")
    hours = pd.DataFrame(data[list(names)].to_numpy(float), index=year(), columns=list(COLUMNS))
    place = head["latitude"], head["longitude"], float(head["altitude"])
    return Weather(path.name.split(".")[1], *place, 10.0, 0.1, hours, Origin.MEASURED, path.name)


def model_chain(weather: Weather, variant: PvVariant, times: pd.DatetimeIndex) -> np.ndarray:
    """AC per grid capacity by pvlib's ModelChain, with the variant's parameters, at the given sun times."""
    side, rows = variant.orientations[0], variant.rows
    if rows is not None and rows.tracking == "single_axis":
        mount = pvlib.pvsystem.SingleAxisTrackerMount(
            0, side.azimuth_deg, max_angle=rows.max_rotation_deg, backtrack=rows.backtracking, gcr=rows.gcr
        )
    else:
        mount = pvlib.pvsystem.FixedMount(side.tilt_deg, side.azimuth_deg)
    array = pvlib.pvsystem.Array(
        mount,
        albedo=variant.albedo,
        module_parameters={"pdc0": variant.dc_ac_ratio, "gamma_pdc": variant.gamma_pdc_per_k},
        temperature_model_parameters={
            "u_c": variant.mounting.u_c_w_per_m2_k,
            "u_v": variant.mounting.u_v_w_s_per_m3_k,
        },
    )
    names = {"light_induced_degradation": "lid", "nameplate": "nameplate_rating"}
    losses = {names.get(loss.item, loss.item): 100 * loss.loss_share for loss in variant.losses}
    system = pvlib.pvsystem.PVSystem(
        [array],
        inverter_parameters={"pdc0": 1 / variant.inverter_efficiency, "eta_inv_nom": variant.inverter_efficiency},
        losses_parameters={"shading": 0} | losses,
    )
    chain = pvlib.modelchain.ModelChain(
        system,
        pvlib.location.Location(weather.latitude, weather.longitude, altitude=weather.altitude_m),
        dc_model="pvwatts",
        ac_model="pvwatts",
        aoi_model="physical",
        spectral_model="no_loss",
        temperature_model="pvsyst",
        losses_model="pvwatts",
        transposition_model="haydavies",
    )
    data = weather.hours.iloc[:, :5].set_axis(["ghi", "dni", "dhi", "temp_air", "wind_speed"], axis=1)
    return chain.run_model(data.set_axis(times)).results.ac.to_numpy(float)

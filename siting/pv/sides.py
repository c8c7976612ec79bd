"""Variants and weather as the plain arrays that :mod:`siting.pv.kernels` runs on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Finding, InputError, Weather
from siting.pv.options import CellTemperature, ModuleModel, PvOptions
from siting.pv.shading import Horizon, sky_share, sun_is_free
from siting.pv.sun import Sun, sun_of_hours
from siting.pv.transposition import Transposition, sky_parts
from siting.technologies.pv import Mounting, PvModule, PvRows, PvVariant
from siting.wind.chain import speed_at_height

Floats = npt.NDArray[np.float64]

_WIND_HEIGHT_M = 10.0
_NO_DIODE = np.zeros(9)
_TURBIDITY = 3.0
_HIGH_SUN_DEG = 75.0
_CLEAREST = 0.9
_ENOUGH_HOURS = 30
_LIGHT = ("ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2")
_NEEDED = (*_LIGHT, "temp_air_c", "wind_speed_m_per_s")


@dataclass(frozen=True)
class PvCell:
    """One weather cell prepared for any number of planes.

    ``hours`` has the kernel's arrays but for the heating, which depends on the mountings; ``wind_m_per_s`` (at 10 m)
    and ``temp_air_c`` are those of the lit hours. ``count`` is the number of hours of the record,
    ``reference_wh_per_m2`` its global irradiation, in hours without sun (``dark``) and with (``lit``).
    """

    cell_id: str
    count: int
    row: npt.NDArray[np.int64]
    light: tuple[Floats, ...]
    temp_air_c: Floats
    wind_m_per_s: Floats
    reference_wh_per_m2: float
    dark_wh_per_m2: float
    lit_wh_per_m2: float


def pv_cell(weather: Weather, options: PvOptions | None = None, *, sun: Sun | None = None) -> PvCell:
    """Sun and split of the light of one weather cell, computed once for all planes.

    Parameters
    ----------
    weather : Weather
        One weather cell.
    options : PvOptions, optional
        The defaults where not given.
    sun : Sun, optional
        Of the same hours and place; computed where not given.

    Raises
    ------
    InputError
        Where a value that is needed is not a number.
    """
    chosen = PvOptions() if options is None else options
    hours = weather.hours
    column = {name: hours[name].to_numpy(float) for name in _NEEDED}
    _refuse_gaps(weather, column)
    ghi, dni, dhi = (column[name] for name in _LIGHT)
    air = column["temp_air_c"]
    wind = speed_at_height(
        column["wind_speed_m_per_s"], weather.wind_height_m, _WIND_HEIGHT_M, weather.roughness_length_m
    )
    horizon = chosen.horizon(weather.cell_id)
    simple = chosen.transposition != "perez" and horizon is None and not chosen.subhourly_clipping
    if sun is None:
        place = weather.latitude, weather.longitude, weather.altitude_m
        sun = sun_of_hours(pd.DatetimeIndex(hours.index), *place, angles=not simple)
    if simple:
        row, light, lit_air, lit_wind = _split(sun, (ghi, dni, dhi, air, wind), chosen.transposition)
    else:
        row = np.flatnonzero(sun.lit_share > 0)
        months = np.asarray(pd.DatetimeIndex(hours.index).month, dtype=np.int64)[row]
        record = _Record(ghi[row], dni[row], dhi[row], months, weather.altitude_m)
        light = _light(_pick(sun, row), record, horizon, chosen)
        lit_air, lit_wind = air[row], wind[row]
    total, lit = float(ghi.sum()), float(light[7].sum())
    return PvCell(weather.cell_id, len(hours), row, light, lit_air, lit_wind, total, total - lit, lit)


@dataclass(frozen=True)
class _Record:
    """What the weather has in the lit hours."""

    ghi: Floats
    dni: Floats
    dhi: Floats
    month: npt.NDArray[np.int64]
    altitude_m: float


def _split(
    sun: Sun, weather: tuple[Floats, Floats, Floats, Floats, Floats], model: Transposition
) -> tuple[npt.NDArray[np.int64], tuple[Floats, ...], Floats, Floats]:
    """Lit hours, their light, air temperature and wind in one compiled pass: no skyline, no sub-hourly clipping."""
    from siting.pv.kernels import split_hours

    row = np.empty(np.count_nonzero(sun.lit_share > 0), dtype=np.int64)
    out = np.empty((10, row.size))
    ghi, dni, dhi, air, wind = (np.ascontiguousarray(values) for values in weather)
    plain, anisotropic = (ghi, dni, dhi, air, wind), model == "haydavies"
    split_hours(sun.lit_share, sun.vector(), sun.extra_w_per_m2, plain, anisotropic, row, out)
    east, north, up, beam, circumsolar, isotropic, ground, air, wind, none = out
    open_sky = (beam, circumsolar, isotropic, none, ground)
    return row, (east, north, up, *open_sky, beam, circumsolar, ground, none), air, wind


def _light(sun: Sun, record: _Record, horizon: Horizon | None, options: PvOptions) -> tuple[Floats, ...]:
    """Light of the lit hours for any model, with skyline and clear-sky beam."""
    parts = sky_parts(sun, record.ghi, record.dni, record.dhi, options.transposition)
    beam_h, circumsolar_h, ground_h = parts.beam, parts.circumsolar, parts.ground
    if horizon is not None:
        free = sun_is_free(horizon, sun)
        beam_h, circumsolar_h = np.where(free, parts.beam, 0.0), np.where(free, parts.circumsolar, 0.0)
        flat = float(sky_share(horizon, np.zeros(1), np.zeros(1))[0])
        ground_h = np.where(free, np.maximum(parts.ground - parts.isotropic, 0.0), 0.0) + flat * parts.isotropic
    clear = _clear_beam(record, sun) if options.subhourly_clipping else np.zeros_like(record.dni)
    open_sky = (parts.beam, parts.circumsolar, parts.isotropic, parts.band, parts.ground)
    return (*sun.vector(), *open_sky, beam_h, circumsolar_h, ground_h, clear)


def hour_arrays(cell: PvCell, mountings: Sequence[Mounting], options: PvOptions) -> tuple[npt.NDArray[np.generic], ...]:
    """Arguments of :class:`siting.pv.kernels.HourArrays` for the mountings in use."""
    heating = np.stack([heating_per_light(mounting, cell.wind_m_per_s, options) for mounting in mountings])
    return (cell.row, *cell.light, cell.temp_air_c, heating)


def heating_per_light(mounting: Mounting, wind_m_per_s: Floats, options: PvOptions) -> Floats:
    """Cell above air temperature by irradiance [K m2/W], same shape as the wind at 10 m.

    All three models are linear in the irradiance; pvlib's functions are asked at 1 W/m2 and 0 degC.

    Raises
    ------
    InputError
        Where the mounting has no coefficients for the model.
    """
    from pvlib import temperature

    findings = heating_findings(mounting, options.cell_temperature)
    if findings:
        raise InputError(findings)
    models = {"pvsyst": temperature.pvsyst_cell, "faiman": temperature.faiman, "sapm": temperature.sapm_cell}
    coefficients = _coefficients(mounting, options.cell_temperature)
    model = models[options.cell_temperature]
    if options.cell_temperature != "sapm" and coefficients[1] == 0:  # no term with the wind: one figure for all hours
        return np.full(wind_m_per_s.shape, float(model(1.0, 0.0, 1.0, *coefficients)))
    return np.asarray(model(1.0, 0.0, wind_m_per_s, *coefficients), dtype=float) + np.zeros_like(wind_m_per_s)


def heating_findings(mounting: Mounting, model: CellTemperature) -> list[Finding]:
    """What keeps a mounting from being used with a model of the cell temperature."""
    if np.isfinite(_coefficients(mounting, model)).all():
        return []
    message = f"There are no coefficients of the {model} model for this mounting."
    remedy = 'Add them to pv_mountings.csv, or choose cell_temperature = "pvsyst".'
    return [Finding("error", "pv.cell_temperature", "study", "pv", mounting.mounting, model, message, remedy)]


def _coefficients(mounting: Mounting, model: CellTemperature) -> tuple[float, ...]:
    return {
        "pvsyst": (mounting.u_c_w_per_m2_k, mounting.u_v_w_s_per_m3_k),
        "faiman": (mounting.faiman_u0_w_per_m2_k, mounting.faiman_u1_w_s_per_m3_k),
        "sapm": (mounting.sapm_a, mounting.sapm_b, mounting.sapm_delta_t_k),
    }[model]


@dataclass(frozen=True)
class Sides:
    """Sides of variants: ``arrays`` are the arguments of :class:`siting.pv.kernels.SideArrays`, ``mountings`` the
    mountings they refer to; ``variant`` and ``share`` (shape ``(sides,)``) say whose side it is."""

    arrays: tuple[npt.NDArray[np.generic], ...]
    mountings: tuple[Mounting, ...]
    variant: npt.NDArray[np.int64]
    share: Floats


def sides_of(variants: Sequence[PvVariant], cell_horizon: Horizon | None, options: PvOptions) -> Sides:
    """Arrays of all sides of all variants, one column of power for each variant; kept for the cells to come."""
    if cell_horizon is None:
        return _open_sides(tuple(variants), options.cell_temperature, options.module_model)
    return _sides_of(variants, cell_horizon, options)


@lru_cache(maxsize=64)
def _open_sides(variants: tuple[PvVariant, ...], model: CellTemperature, module: ModuleModel) -> Sides:
    """Sides under an open sky: the same for every weather cell. Nobody may write into them."""
    sides = _sides_of(variants, None, PvOptions(cell_temperature=model, module_model=module))
    for array in sides.arrays:
        array.flags.writeable = False
    return sides


def _sides_of(variants: Sequence[PvVariant], cell_horizon: Horizon | None, options: PvOptions) -> Sides:
    pairs = [(k, variant, side) for k, variant in enumerate(variants) for side in variant.orientations]
    owner = np.array([k for k, _, _ in pairs], dtype=np.int64)
    share = np.array([side.share for _, _, side in pairs])
    return planes_of(
        [variant for _, variant, _ in pairs],
        np.array([side.tilt_deg for _, _, side in pairs], dtype=float),
        np.array([side.azimuth_deg for _, _, side in pairs], dtype=float),
        owner,
        share,
        cell_horizon,
        options,
    )


def planes_of(
    bases: Sequence[PvVariant],
    tilt_deg: Floats,
    azimuth_deg: Floats,
    column: npt.NDArray[np.int64],
    weight: Floats,
    cell_horizon: Horizon | None,
    options: PvOptions,
) -> Sides:
    """Arrays of single planes, each built like its base variant (whose own orientations do not matter)."""
    ids = [id(base) for base in bases]
    distinct = dict(zip(ids, bases, strict=True))
    known = {key: _Build.of(base, options) for key, base in distinct.items()}
    mountings = tuple({base.mounting: None for base in bases})
    number = {key: mountings.index(base.mounting) for key, base in distinct.items()}

    def each(name: str, kind: type = float) -> npt.NDArray[np.generic]:
        return np.array([getattr(known[key], name) for key in ids], dtype=kind)

    tilt, azimuth = np.deg2rad(tilt_deg), np.deg2rad(azimuth_deg)
    seen = np.ones(tilt.size)
    if cell_horizon is not None:
        seen = sky_share(cell_horizon, tilt_deg, azimuth_deg)
    arrays = (
        np.cos(tilt), np.sin(tilt), np.cos(azimuth), np.sin(azimuth),
        each("tracking", np.int64), each("backtracking", np.int64), each("max_rotation"), each("gcr"),
        each("shade_rows", np.int64), each("blocks"), each("rear"), seen, each("albedo"),
        np.array([number[key] for key in ids], dtype=np.int64), each("gamma"),
        np.stack([known[key].diode for key in ids]), each("into_ac"), each("inverter_efficiency"),
        column.astype(np.int64), weight.astype(float),
    )  # fmt: skip
    return Sides(arrays, mountings, column, weight)


@dataclass(frozen=True)
class _Build:
    """Scalars of one variant as the kernel wants them."""

    tracking: int
    backtracking: int
    max_rotation: float
    gcr: float
    shade_rows: int
    blocks: float
    rear: float
    albedo: float
    gamma: float
    diode: Floats
    into_ac: float
    inverter_efficiency: float

    @classmethod
    def of(cls, variant: PvVariant, options: PvOptions) -> _Build:
        rows, module = variant.rows, variant.module
        left = float(np.prod([1 - loss.loss_share for loss in variant.losses]))
        return cls(
            int(rows is not None and rows.tracking == "single_axis"),
            int(rows is not None and rows.backtracking),
            float(np.deg2rad(rows.max_rotation_deg)) if rows else 0.0,
            rows.gcr if rows else 0.5,
            int(rows is not None and rows.shading),
            rows.cell_blocks if rows else 0.0,
            _rear_share(rows, module),
            variant.albedo,
            variant.gamma_pdc_per_k,
            _diode(variant) if options.module_model == "single_diode" else _NO_DIODE,
            left * variant.dc_ac_ratio,
            variant.inverter_efficiency,
        )


def _rear_share(rows: PvRows | None, module: PvModule | None) -> float:
    if rows is None or module is None or not rows.shading:
        return 0.0
    return module.bifaciality * (1 - rows.structure_shading_share)


def diode_parameters(module: PvModule) -> Floats:
    """alpha_sc, a_ref, I_L, I_o, R_s, R_sh, Eg, dEg/dT and 1 / power at standard conditions [1/W].

    The CEC model is De Soto's with alpha_sc corrected by ``adjust``.
    """
    from siting.pv.kernels import diode_power

    alpha = module.alpha_sc_a_per_k * (1 - module.adjust_percent / 100)
    values = [
        alpha, module.a_ref_v, module.i_l_ref_a, module.i_o_ref_a, module.r_s_ohm, module.r_sh_ref_ohm,
        module.eg_ref_ev, module.eg_slope_per_k, 0.0,
    ]  # fmt: skip
    found = np.array(values)
    found[8] = 1 / diode_power(1000.0, 25.0, found)
    return found


def _diode(variant: PvVariant) -> Floats:
    if variant.module is None:
        message, remedy = "The single diode model needs a module.", "Name a row of pv_modules.csv in pv_variants.csv."
        raise InputError([Finding("error", "pv.module", "study", "pv", variant.pv_variant, "", message, remedy)])
    return diode_parameters(variant.module)


def _clear_beam(record: _Record, sun: Sun) -> Floats:
    """Beam [W/m2] while no cloud is before the sun, in the lit hours.

    Ineichen's clear sky scaled to the record: by its share that the beam reaches or stays below in nine of ten hours
    of the month, so that haze is not taken for broken clouds.
    """
    from pvlib import atmosphere, clearsky

    dni, month, altitude_m = record.dni, record.month, record.altitude_m
    zenith = np.minimum(sun.zenith_deg, 89.9)
    air_mass = atmosphere.get_absolute_airmass(atmosphere.get_relative_airmass(zenith), atmosphere.alt2pres(altitude_m))
    sky = clearsky.ineichen(zenith, air_mass, _TURBIDITY, altitude_m, sun.extra_w_per_m2)
    clear: Floats = np.maximum(np.asarray(sky["dni"], dtype=float), 1.0)
    high = (zenith < _HIGH_SUN_DEG) & (dni > 0)
    if not high.any():
        return np.asarray(clear, dtype=float)
    share = dni / clear
    scale = np.full(dni.size, np.quantile(share[high], _CLEAREST))
    for number in np.unique(month):
        mine = high & (month == number)
        if mine.sum() >= _ENOUGH_HOURS:
            scale[month == number] = np.quantile(share[mine], _CLEAREST)
    return np.asarray(clear * scale)


def _pick(sun: Sun, row: npt.NDArray[np.int64]) -> Sun:
    angles = sun.zenith_deg[row], sun.azimuth_deg[row]
    return Sun(*angles, sun.extra_w_per_m2[row], sun.lit_share[row], np.ascontiguousarray(sun.vector()[:, row]))


def _refuse_gaps(weather: Weather, column: Mapping[str, Floats]) -> None:
    findings = []
    for name, values in column.items():
        if math.isfinite(values.sum()):  # it is not where one of the values is not
            continue
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            item = f"{weather.hours.index[bad[0]]:%Y-%m-%d %H:%M} {name}"
            text = f"{bad.size} hour(s) without a value in {name}."
            value = str(weather.hours[name].iloc[bad[0]])
            remedy = "Fill the gap, or use another file."
            findings.append(
                Finding("error", "weather.not_a_number", weather.title, weather.cell_id, item, value, text, remedy)
            )
    if findings:
        raise InputError(findings)

"""PV from light to AC power as one compiled loop over (sides x daylight hours), one thread.

Every formula is that of the pvlib function named beside it; the tests hold the whole to pvlib within 1e-6. The parts
of the sky (:mod:`siting.pv.transposition`) and the heating of the cell per W/m2 are prepared per hour, so that the loop
holds geometry, reflection, module and inverter only.

Rows of modules are endless and level, ``gcr`` is slant length by pitch. Cut across the rows::

        /|        /|        sun
       / |       / |       /          u: share of the row's slant, from the bottom
      /  |      /  |      /
     /tilt     /tilt     / phi from the vertical, projected across the rows
    --------------------------- ground
    |<- pitch ->|

Views between endless rows have closed forms (crossed strings): a row sees the share ``row_view`` of the sky, and of the
ground the same with the tilt turned over. What the sky plane loses to both faces of a row the ground does not get, so
``ground_sky_view = 1 - gcr (front + back)``: exact and free of the height. pvlib leaves out the sky below five degrees.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_RAD = math.pi / 180
_KELVIN = 273.15
_BOLTZMANN_EV = 8.617333262e-05
_STEEPEST_SHADOW = math.tan(85 * _RAD)
"""Beyond 85 degrees across the rows no beam reaches the ground (pvlib ``max_zenith``)."""

_LEAST_COS_ZENITH = 0.01745
"""cos(89 degree): the bound of Hay and Davies' division, as pvlib has it."""

IAM_NONE, IAM_PHYSICAL, IAM_ASHRAE = 0, 1, 2
_GLASS_N, _GLASS_K, _GLASS_L = 1.526, 4.0, 0.002
_ASHRAE_B = 0.05
_CONTRAST = 0.5
"""Share of the contrast between full sun and no beam that lies within an hour; 0.5 brings the yearly loss at a DC/AC
ratio of 2 near the 3 % that NREL/CP-7A40-90054 reports (engineering choice)."""

STEPS = ("plane", "horizon", "rows", "rear", "effective", "dc", "unlimited", "power", "ground_light")
"""Columns of the kernel's energy table."""


class HourArrays(NamedTuple):
    """Daylight hours; every array has shape ``(lit hours,)`` except ``heating`` (mountings, lit hours) [K m2/W].

    ``sun_*`` is the unit vector to the sun (east, north, up). The parts with ``_h`` have the horizon taken out.
    ``clear_beam`` [W/m2] is the beam of a cloudless sky, 0 where sub-hourly clipping is not asked for. ``row`` is the
    hour's place in the year.
    """

    row: Ints
    sun_east: Floats
    sun_north: Floats
    sun_up: Floats
    beam: Floats
    circumsolar: Floats
    isotropic: Floats
    band: Floats
    ground: Floats
    beam_h: Floats
    circumsolar_h: Floats
    ground_h: Floats
    clear_beam: Floats
    temp_air: Floats
    heating: Floats


class SideArrays(NamedTuple):
    """Sides of variants; every array has shape ``(sides,)`` except ``diode`` (sides, 9).

    ``tracking`` 1: a level axis towards ``azimuth``, turned to the sun within ``max_rotation`` [rad], with
    ``backtracking`` 1 never into the shade. ``gcr`` is used by backtracking, and by shading where ``shade_rows`` is 1.
    ``sky_share`` is the part of the isotropic sky above the horizon. ``rear`` is the bifaciality times what the
    structure lets through. ``into_ac`` = loss chain x DC/AC ratio. ``column`` and ``weight`` say where the power goes.
    ``diode`` holds alpha_sc, a_ref, I_L, I_o, R_s, R_sh, Eg, dEg/dT and 1 / power at standard conditions; the last is
    0 for PVWatts.
    """

    cos_tilt: Floats
    sin_tilt: Floats
    cos_azimuth: Floats
    sin_azimuth: Floats
    tracking: Ints
    backtracking: Ints
    max_rotation: Floats
    gcr: Floats
    shade_rows: Ints
    blocks: Floats
    rear: Floats
    sky_share: Floats
    albedo: Floats
    mounting: Ints
    gamma: Floats
    diode: Floats
    into_ac: Floats
    inverter_efficiency: Floats
    column: Ints
    weight: Floats


@njit(cache=True, nogil=True)
def hay_davies(dni: float, dhi: float, extra: float, cos_zenith: float) -> tuple[float, float]:
    """Circumsolar (facing the sun, not yet limited) and isotropic part of an hour. pvlib ``irradiance.haydavies``."""
    anisotropy = dni / extra
    circumsolar = dhi * anisotropy / max(cos_zenith, _LEAST_COS_ZENITH)
    return max(circumsolar, 0.0), max(dhi * (1 - anisotropy), 0.0)


@njit(cache=True, nogil=True)
def split_hours(
    lit_share: Floats,
    towards: Floats,
    extra: Floats,
    weather: tuple[Floats, Floats, Floats, Floats, Floats],
    anisotropic: bool,
    row: Ints,
    out: Floats,
) -> int:
    """Gather the lit hours' sun, sky, air and wind into ``out`` (10, hours); returns their number.

    Rows: east, north, up, beam, circumsolar, isotropic, global, air temperature, wind, 0 for the band. ``weather`` is
    GHI, DNI, DHI, air temperature and wind. Isotropic sky where not ``anisotropic``, else Hay and Davies.
    """
    ghi, dni, dhi, air, wind = weather
    count = 0
    for i in range(lit_share.size):
        if lit_share[i] <= 0:
            continue
        circumsolar, isotropic = 0.0, dhi[i]
        if anisotropic:
            circumsolar, isotropic = hay_davies(dni[i], dhi[i], extra[i], towards[2, i])
        row[count] = i
        out[0, count], out[1, count], out[2, count] = towards[0, i], towards[1, i], towards[2, i]
        out[3, count] = dni[i]
        out[4, count] = min(circumsolar, max(extra[i] - dni[i], 0.0))
        out[5, count] = isotropic
        out[6, count] = ghi[i]
        out[7, count] = air[i]
        out[8, count] = wind[i]
        out[9, count] = 0.0
        count += 1
    return count


@njit(cache=True, nogil=True)
def row_view(gcr: float, cos_tilt: float) -> float:
    """Mean view of the sky from one face of endless rows; of the ground with ``-cos_tilt``.

    Crossed strings: with a = 1 / gcr the diagonals are ``a`` and ``sqrt(a2 - 2 a cos + 1)``.
    pvlib ``vf_row_sky_2d_integ``.
    """
    a = 1 / gcr
    return 0.5 * (1 + a - math.sqrt(max(a * a - 2 * a * cos_tilt + 1, 0.0)))


@njit(cache=True, nogil=True)
def shaded_share(gcr: float, cos_tilt: float, sin_tilt: float, shadow: float) -> float:
    """Share of the slant (from the bottom) in the shade of the next row while the sun is in front of the face.

    ``shadow`` = tangent of the sun's zenith across the rows. pvlib ``infinite_sheds._shaded_fraction``.
    """
    reach = gcr * (sin_tilt * shadow + cos_tilt)
    return 1 - 1 / reach if reach > 1 else 0.0


@njit(cache=True, nogil=True)
def ground_beam_share(gcr: float, cos_tilt: float, sin_tilt: float, shadow: float) -> float:
    """Share of the ground between rows that the beam reaches. pvlib ``_unshaded_ground_fraction``."""
    if abs(shadow) > _STEEPEST_SHADOW:
        return 0.0
    return max(0.0, 1 - gcr * abs(cos_tilt + sin_tilt * shadow))


@njit(cache=True, nogil=True)
def block_share(shaded: float, blocks: float) -> float:
    """What a partly shaded row keeps of its beam; ``1 - shaded`` without blocks (0). pvlib ``direct_martinez``."""
    if blocks <= 0:
        return 1 - shaded
    return (1 - shaded) * (1 - math.ceil(blocks * shaded) / (1 + blocks))


@njit(cache=True, nogil=True)
def reflection(cos_aoi: float, model: int) -> float:
    """Beam that passes the glass, by that at normal incidence. pvlib ``iam.physical``, ``iam.ashrae``."""
    if cos_aoi <= 0:
        return 0.0
    if model == IAM_PHYSICAL:
        inside = math.sqrt(1 - (1 - min(cos_aoi, 1.0) ** 2) / _GLASS_N**2)
        across = (cos_aoi - _GLASS_N * inside) / (cos_aoi + _GLASS_N * inside)
        along = (inside - _GLASS_N * cos_aoi) / (inside + _GLASS_N * cos_aoi)
        normal = 1 - ((1 - _GLASS_N) / (1 + _GLASS_N)) ** 2
        through = (1 - 0.5 * (across * across + along * along)) / normal
        # exp of the way through the glass: its exponent lies in -0.0026..0, a cubic is exact to 2e-12
        way = -_GLASS_K * _GLASS_L * (1 / inside - 1)
        return through * (1 + way * (1 + way * (0.5 + way / 6)))
    if model == IAM_ASHRAE:
        return max(1 - _ASHRAE_B * (1 / cos_aoi - 1), 0.0)
    return 1.0


@njit(cache=True, nogil=True)
def tracker_rotation(
    across: float, up: float, gcr: float, cos_limit: float, sin_limit: float, backtracking: int
) -> tuple[float, float]:
    """Cosine and sine of the rotation of a level single-axis tracker; the sun is up.

    ``across`` and ``up`` are the sun's vector across the axis; the rotation is positive towards ``across``. Turning
    back by ``acos(cos(rotation) / gcr)`` is done on cosine and sine. pvlib ``tracking.singleaxis`` with level axis and
    ground.
    """
    length = math.sqrt(across * across + up * up)
    cosine, sine = up / length, abs(across) / length
    if backtracking == 1 and cosine < gcr:
        room = cosine / gcr
        back = math.sqrt(1 - room * room)
        cosine, sine = cosine * room + sine * back, sine * room - cosine * back
    if cosine < cos_limit:
        cosine, sine = cos_limit, sin_limit
    return cosine, math.copysign(sine, across)


@njit(cache=True, nogil=True)
def diode_power(effective: float, temp_cell: float, diode: Floats) -> float:
    """DC power [W] at the maximum power point of De Soto's single diode model.

    ``effective`` [W/m2], ``temp_cell`` [degC]; ``diode`` as in :class:`SideArrays`. Newton's method on the voltage of
    the diode (Bishop), where power has one top. pvlib ``calcparams_desoto`` and ``max_power_point``.
    """
    if effective <= 0:
        return 0.0
    alpha, a_ref, light_ref, dark_ref = diode[0], diode[1], diode[2], diode[3]
    series, shunt_ref, gap_ref, gap_slope = diode[4], diode[5], diode[6], diode[7]
    reference = 25 + _KELVIN
    kelvin = temp_cell + _KELVIN
    gap = gap_ref * (1 + gap_slope * (kelvin - reference))
    thermal = a_ref * kelvin / reference
    light = effective / 1000 * (light_ref + alpha * (kelvin - reference))
    dark = (
        dark_ref
        * (kelvin / reference) ** 3
        * math.exp(gap_ref / (_BOLTZMANN_EV * reference) - gap / (_BOLTZMANN_EV * kelvin))
    )
    leak = effective / (1000 * shunt_ref)
    if light <= 0:
        return 0.0
    open_circuit = thermal * math.log(light / dark + 1)
    v = max(open_circuit - thermal * math.log(1 + open_circuit / thermal), 0.0)
    for _ in range(50):
        grown = dark * math.exp(v / thermal)
        current = light - (grown - dark) - v * leak
        d1 = -grown / thermal - leak
        d2 = -grown / (thermal * thermal)
        terminal = v - current * series
        d_terminal = 1 - d1 * series
        slope = current * d_terminal + terminal * d1
        bend = 2 * d1 * d_terminal + current * (-d2 * series) + terminal * d2
        step = slope / bend
        v -= step
        if abs(step) < 1e-10 * thermal:
            break
    current = light - dark * (math.exp(v / thermal) - 1) - v * leak
    watts = current * (v - current * series)
    return watts if watts > 0 else 0.0


@njit(cache=True, nogil=True)
def inverter_power(into: float, efficiency: float) -> float:
    """AC per AC rating from DC per AC rating. pvlib ``inverter.pvwatts`` with ``pdc0 = 1 / efficiency``."""
    if into <= 0:
        return 0.0
    # eta * into with eta = efficiency / 0.9637 (-0.0162 load - 0.0059 / load + 0.9858) and load = into * efficiency
    power = efficiency / 0.9637 * (into * (0.9858 - 0.0162 * into * efficiency) - 0.0059 / efficiency)
    return min(max(power, 0.0), 1.0)


@njit(cache=True, nogil=True)
def pv_hours(
    hour: HourArrays,
    side: SideArrays,
    iam: int,
    use_horizon: bool,
    power: Floats,
    energy: Floats,
) -> None:
    """Add the AC power of all sides to ``power`` (columns, hours) and their sums to ``energy`` (sides, STEPS).

    Sums of irradiation are in Wh/m2, of power per DC rating (``dc``) or AC rating (``unlimited``, ``power``) in h;
    ``ground_light`` is the irradiation of the ground between rows, 0 without rows.
    """
    for j in range(side.weight.size):
        cos_t, sin_t = side.cos_tilt[j], side.sin_tilt[j]
        east, north = side.sin_azimuth[j], side.cos_azimuth[j]
        gcr, rear_share, albedo = side.gcr[j], side.rear[j], side.albedo[j]
        gamma, into_ac, eta = side.gamma[j], side.into_ac[j], side.inverter_efficiency[j]
        tracked, shade = side.tracking[j] == 1, side.shade_rows[j] == 1
        mounting, column, weight, sky_share = side.mounting[j], side.column[j], side.weight[j], side.sky_share[j]
        diode = side.diode[j]
        with_diode = diode[8] > 0
        e_plane = e_horizon = e_rows = e_rear = e_effective = e_dc = e_unlimited = e_power = e_ground = 0.0
        limit, cos_limit, sin_limit = 1 / eta, math.cos(side.max_rotation[j]), math.sin(side.max_rotation[j])
        view_sky = view_ground = 0.0
        if shade and not tracked:
            view_sky, view_ground = row_view(gcr, cos_t), row_view(gcr, -cos_t)
        for i in range(hour.row.size):
            up = hour.sun_up[i]
            if tracked:
                # across the axis: east of a north axis, west of a south axis
                across = hour.sun_east[i] * side.cos_azimuth[j] - hour.sun_north[i] * side.sin_azimuth[j]
                cos_t, turn = tracker_rotation(across, up, gcr, cos_limit, sin_limit, side.backtracking[j])
                sin_t = abs(turn)
                sign = 1.0 if turn >= 0 else -1.0
                east, north = sign * side.cos_azimuth[j], -sign * side.sin_azimuth[j]
                if shade:
                    view_sky, view_ground = row_view(gcr, cos_t), row_view(gcr, -cos_t)
            towards = hour.sun_east[i] * east + hour.sun_north[i] * north
            projection = min(max(towards * sin_t + up * cos_t, -1.0), 1.0)
            facing = max(projection, 0.0)
            sky_view, ground_view = 0.5 * (1 + cos_t), 0.5 * (1 - cos_t)

            isotropic, band = hour.isotropic[i], hour.band[i]
            beam = hour.beam[i] * facing
            sky = hour.circumsolar[i] * facing + isotropic * sky_view + band * sin_t
            diffuse = max(sky, 0.0) + hour.ground[i] * albedo * ground_view
            e_plane += beam + diffuse
            beam_normal, circumsolar_normal, ground = hour.beam[i], hour.circumsolar[i], hour.ground[i]
            if use_horizon:
                beam_normal, circumsolar_normal, ground = hour.beam_h[i], hour.circumsolar_h[i], hour.ground_h[i]
                isotropic *= sky_share
                band *= sky_share
                beam = beam_normal * facing
                sky = circumsolar_normal * facing + isotropic * sky_view + band * sin_t
                diffuse = max(sky, 0.0) + ground * albedo * ground_view
            e_horizon += beam + diffuse

            rear_beam = rear_diffuse = 0.0
            if shade:
                shadow = towards / max(up, 1e-9)
                kept = block_share(shaded_share(gcr, cos_t, sin_t, shadow), side.blocks[j])
                lit_ground = ground_beam_share(gcr, cos_t, sin_t, shadow) * max(ground - isotropic, 0.0)
                lit_ground += (1 - gcr * (view_sky + view_ground)) * isotropic
                e_ground += lit_ground
                beam *= kept
                sky = circumsolar_normal * facing * kept + isotropic * view_sky + band * sin_t * view_sky / sky_view
                diffuse = max(sky, 0.0) + lit_ground * albedo * view_ground
                if rear_share > 0:
                    behind = max(-projection, 0.0)
                    kept = block_share(shaded_share(gcr, -cos_t, sin_t, -shadow), side.blocks[j])
                    rear_beam = rear_share * beam_normal * behind * kept
                    rear_diffuse = rear_share * (
                        circumsolar_normal * behind * kept + isotropic * view_ground + lit_ground * albedo * view_sky
                    )
            incident = beam + diffuse
            e_rows += incident
            incident += rear_beam + rear_diffuse
            e_rear += incident

            if beam > 0:
                beam *= reflection(projection, iam)
            if rear_share > 0:
                beam += rear_beam * reflection(-projection, iam)
                diffuse += rear_diffuse
            effective = beam + diffuse
            e_effective += effective
            temp_cell = hour.temp_air[i] + incident * hour.heating[mounting, i]
            if with_diode:
                dc = diode_power(effective, temp_cell, diode) * diode[8]
            else:
                dc = max(effective / 1000 * (1 + gamma * (temp_cell - 25)), 0.0)
            e_dc += dc
            into = dc * into_ac
            ac = inverter_power(into, eta)
            e_unlimited += into * eta if into > limit else ac
            clear = hour.clear_beam[i]
            if clear > 0 and effective > 0 and beam > 0 and beam_normal < clear:
                sunny = max(beam_normal / clear, 0.01)
                scale = into / effective
                bright = inverter_power(scale * (diffuse + beam * (1 + _CONTRAST * (1 / sunny - 1))), eta)
                if bright >= 1.0:
                    dull = inverter_power(scale * (diffuse + beam * (1 - _CONTRAST)), eta)
                    ac = min(ac, sunny * bright + (1 - sunny) * dull)
            e_power += ac
            power[column, hour.row[i]] += weight * ac
        energy[j, 0] += e_plane
        energy[j, 1] += e_horizon
        energy[j, 2] += e_rows
        energy[j, 3] += e_rear
        energy[j, 4] += e_effective
        energy[j, 5] += e_dc
        energy[j, 6] += e_unlimited
        energy[j, 7] += e_power
        energy[j, 8] += e_ground

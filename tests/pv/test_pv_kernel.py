"""The fused kernel against pvlib's functions on arrays: 1e-6 of the rating in every hour, for every choice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pvlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_samples import GROUND, SIDES, TABLES, TRACKING, bozhou, days, facing, lone_tracker
from pvlib.bifacial import infinite_sheds, utils

from siting.pv.chain import PvOptions, pv_cell, pv_yield, sun_of_hours
from siting.pv.kernels import block_share, diode_power, ground_beam_share, row_view, shaded_share, tracker_rotation
from siting.pv.shading import Horizon
from siting.pv.sides import diode_parameters
from siting.technologies.tables import PvVariant

WEATHER = days(bozhou(), 60, 120)
BIFACIAL = TABLES.pv_variant("ground_bifacial")


class Reference:
    """The chain written with pvlib's functions at the same sun; ``usable`` are hours where no bound of ours acts."""

    def __init__(self, options: PvOptions) -> None:
        self.options = options
        hours = WEATHER.hours
        self.ghi, self.dni, self.dhi = (hours[f"{n}_w_per_m2"].to_numpy() for n in ("ghi", "dni", "dhi"))
        self.air, self.wind = hours["temp_air_c"].to_numpy(), hours["wind_speed_m_per_s"].to_numpy()
        place = WEATHER.latitude, WEATHER.longitude, WEATHER.altitude_m
        self.sun = sun_of_hours(pd.DatetimeIndex(hours.index), *place)
        self.lit = self.sun.lit_share > 0
        self.zenith = np.where(self.lit, self.sun.zenith_deg, 60.0)
        up = np.cos(np.deg2rad(self.zenith))
        aureole = self.dhi * self.dni / self.sun.extra_w_per_m2 / up
        self.usable = self.lit & (self.zenith < 85) & (aureole < self.sun.extra_w_per_m2 - self.dni)

    def plane(self, variant: PvVariant) -> tuple[np.ndarray | float, np.ndarray | float]:
        side, rows = variant.orientations[0], variant.rows
        if rows is None or rows.tracking == "fixed":
            return side.tilt_deg, side.azimuth_deg
        turned = pvlib.tracking.singleaxis(
            self.zenith, self.sun.azimuth_deg, 0, side.azimuth_deg, rows.max_rotation_deg, rows.backtracking, rows.gcr
        )
        return turned["surface_tilt"], turned["surface_azimuth"]

    def open_plane(self, variant: PvVariant) -> tuple[np.ndarray, np.ndarray]:
        """Incident and effective irradiance without rows."""
        tilt, azimuth = self.plane(variant)
        poa = pvlib.irradiance.get_total_irradiance(
            tilt, azimuth, self.zenith, self.sun.azimuth_deg, self.dni, self.ghi, self.dhi,
            dni_extra=self.sun.extra_w_per_m2, airmass=pvlib.atmosphere.get_relative_airmass(self.zenith),
            albedo=variant.albedo, model=self.options.transposition,
        )  # fmt: skip
        aoi = pvlib.irradiance.aoi(tilt, azimuth, self.zenith, self.sun.azimuth_deg)
        iam = {
            "physical": lambda: pvlib.iam.physical(aoi),
            "ashrae": lambda: pvlib.iam.ashrae(aoi),
            "none": lambda: np.ones_like(aoi),
        }[self.options.reflection]()
        return poa["poa_global"], poa["poa_direct"] * iam + poa["poa_diffuse"]

    def rows(self, variant: PvVariant) -> np.ndarray:
        """Front and rear together, without reflection."""
        tilt, azimuth = self.plane(variant)
        rows = variant.rows
        sheds = infinite_sheds.get_irradiance(
            tilt, azimuth, self.zenith, self.sun.azimuth_deg, rows.gcr, 1.5, 4.0, self.ghi, self.dhi, self.dni,
            variant.albedo, model="haydavies", dni_extra=self.sun.extra_w_per_m2,
            bifaciality=variant.module.bifaciality, shade_factor=-rows.structure_shading_share,
        )  # fmt: skip
        return np.asarray(sheds["poa_global"])

    def power(self, variant: PvVariant, incident: np.ndarray, effective: np.ndarray) -> np.ndarray:
        mounting = variant.mounting
        cell = {
            "pvsyst": lambda: pvlib.temperature.pvsyst_cell(
                incident, self.air, self.wind, mounting.u_c_w_per_m2_k, mounting.u_v_w_s_per_m3_k
            ),
            "faiman": lambda: pvlib.temperature.faiman(
                incident, self.air, self.wind, mounting.faiman_u0_w_per_m2_k, mounting.faiman_u1_w_s_per_m3_k
            ),
            "sapm": lambda: pvlib.temperature.sapm_cell(
                incident, self.air, self.wind, mounting.sapm_a, mounting.sapm_b, mounting.sapm_delta_t_k
            ),
        }[self.options.cell_temperature]()
        if self.options.module_model == "pvwatts":
            dc = pvlib.pvsystem.pvwatts_dc(effective, cell, 1.0, variant.gamma_pdc_per_k)
        else:
            dc = single_diode(variant, effective, cell) / single_diode(variant, np.array([1000.0]), np.array([25.0]))
        left = np.prod([1 - loss.loss_share for loss in variant.losses])
        eta = variant.inverter_efficiency
        return pvlib.inverter.pvwatts(np.maximum(dc, 0) * left * variant.dc_ac_ratio, 1 / eta, eta)


def single_diode(variant: PvVariant, effective: np.ndarray, cell: np.ndarray) -> np.ndarray:
    m = variant.module
    five = pvlib.pvsystem.calcparams_cec(
        np.maximum(effective, 1e-9), cell, m.alpha_sc_a_per_k, m.a_ref_v, m.i_l_ref_a, m.i_o_ref_a, m.r_sh_ref_ohm,
        m.r_s_ohm, m.adjust_percent, m.eg_ref_ev, m.eg_slope_per_k,
    )  # fmt: skip
    return np.asarray(pvlib.pvsystem.max_power_point(*five)["p_mp"])


CHOICES = [
    PvOptions(),
    PvOptions(transposition="perez"),
    PvOptions(transposition="isotropic", reflection="ashrae"),
    PvOptions(reflection="none", cell_temperature="sapm"),
    PvOptions(cell_temperature="faiman"),
    PvOptions(module_model="single_diode"),
]


def label(options: PvOptions) -> str:
    return f"{options.transposition}-{options.reflection}-{options.cell_temperature}-{options.module_model}"


@pytest.mark.parametrize("options", CHOICES, ids=label)
def test_kernel_is_pvlib_on_fixed_planes(options: PvOptions):
    reference = Reference(options)
    variants = [facing(*side) for side in SIDES.values()] + [facing(90, 180), facing(35, 20)]
    ours = pv_yield(WEATHER, variants, options).power
    assert reference.usable.sum() > 1200
    for column, variant in enumerate(variants):
        theirs = reference.power(variant, *reference.open_plane(variant))
        assert theirs[reference.usable].max() > 0.3
        assert np.abs(ours[:, column] - theirs)[reference.usable].max() < 1e-6


@pytest.mark.parametrize("backtracking", [True, False])
@pytest.mark.parametrize("axis", [180.0, 0.0, 150.0, 90.0])
def test_kernel_is_pvlib_on_a_tracker(axis: float, backtracking: bool):
    reference = Reference(PvOptions())
    base = lone_tracker()
    variant = facing(0, axis, dataclasses.replace(base, rows=dataclasses.replace(base.rows, backtracking=backtracking)))
    ours = pv_yield(WEATHER, [variant]).power[:, 0]
    theirs = reference.power(variant, *reference.open_plane(variant))
    assert np.abs(ours - theirs)[reference.usable].max() < 1e-6


@pytest.mark.parametrize("name", ["ground_bifacial", "agri_raised", "ground_tracking", "no backtracking", "upright"])
def test_kernel_is_pvlib_between_rows(name: str, monkeypatch: pytest.MonkeyPatch):
    """Against infinite sheds, whose ground view (cut after 20 rows, edges moved by 1e-4) is replaced by the exact one:
    what a face sees of the ground is what it would see of the sky were it turned over."""

    def exact(tilt, gcr, *args, **kwargs):
        return utils.vf_row_sky_2d_integ(180 - np.asarray(tilt), gcr, 0.0, 1.0)

    monkeypatch.setattr(infinite_sheds.utils, "vf_row_ground_2d_integ", exact)
    variant = {
        "no backtracking": dataclasses.replace(TRACKING, rows=dataclasses.replace(TRACKING.rows, backtracking=False)),
        "upright": facing(90, 90, BIFACIAL),
    }.get(name) or TABLES.pv_variant(name)
    options = PvOptions(reflection="none")
    reference = Reference(options)
    incident = reference.rows(variant)
    tilt = np.broadcast_to(reference.plane(variant)[0], incident.shape)
    # nearly level rows let the ground see the sky close to the horizon, which infinite sheds cut off
    usable = reference.usable & (tilt > 15)
    ours = pv_yield(WEATHER, [variant], options).power[:, 0]
    theirs = reference.power(variant, incident, incident)
    assert usable.sum() > 1000
    assert np.abs(ours - theirs)[usable].max() < 1e-6


@pytest.mark.parametrize("name", ["ground_bifacial", "ground_tracking"])
def test_pvlib_itself_is_within_a_thousandth_between_rows(name: str):
    options, variant = PvOptions(reflection="none"), TABLES.pv_variant(name)
    reference = Reference(options)
    incident = reference.rows(variant)
    usable = reference.usable & (np.broadcast_to(reference.plane(variant)[0], incident.shape) > 0.01)
    ours = pv_yield(WEATHER, [variant], options).power[:, 0]
    assert np.abs(ours - reference.power(variant, incident, incident))[usable].max() < 1e-3


@pytest.mark.parametrize("module", ["perc_mono", "perc_bifacial", "topcon_bifacial", "cdte"])
def test_diode_power_is_that_of_pvlib(module: str):
    from siting.technologies.pv import PV_MODULES, PvModule
    from siting.technologies.reader import TableReader
    from siting.technologies.tables import TECHNOLOGIES_FOLDER

    rows = TableReader(TECHNOLOGIES_FOLDER, "t").read(PV_MODULES)
    record = next(PvModule(**row) for row in rows if row["module"] == module)
    variant = dataclasses.replace(GROUND, module=record)
    parameters = diode_parameters(record)
    light, heat = (a.ravel() for a in np.meshgrid([1.0, 20.0, 200.0, 600.0, 1000.0, 1400.0], [-30.0, 0.0, 25.0, 70.0]))
    theirs = single_diode(variant, light, heat)
    ours = np.array([diode_power(g, t, parameters) for g, t in zip(light, heat, strict=True)])
    nominal = record.v_mp_v * record.i_mp_a
    assert np.abs(ours - theirs).max() / nominal < 1e-6
    assert ours[light == 1000][2] == pytest.approx(nominal, rel=2e-3)  # the 1000 W/m2, 25 degC point


def test_dark_or_hopeless_diodes_give_nothing():
    parameters = diode_parameters(TRACKING.module)
    assert diode_power(0.0, 25.0, parameters) == 0.0
    assert diode_power(-5.0, 25.0, parameters) == 0.0


@settings(max_examples=100, deadline=None)
@given(gcr=st.floats(0.1, 0.95), tilt=st.floats(0, 180))
def test_views_between_rows(gcr: float, tilt: float):
    """Against pvlib's point views summed along the slant; views of sky, ground and other rows stay below one."""
    cos_tilt = float(np.cos(np.deg2rad(tilt)))
    along = (np.arange(4000) + 0.5) / 4000
    sky, ground = row_view(gcr, cos_tilt), row_view(gcr, -cos_tilt)
    assert sky == pytest.approx(utils.vf_row_sky_2d(tilt, gcr, along).mean(), abs=1e-5)
    assert ground == pytest.approx(utils.vf_row_ground_2d(tilt, gcr, along).mean(), abs=1e-5)
    assert 0 <= sky + ground <= 1 + 1e-12
    assert row_view(1e-6, cos_tilt) == pytest.approx((1 + cos_tilt) / 2, abs=1e-5)


@pytest.mark.parametrize("tilt", [5.0, 25.0, 60.0, 90.0])
@pytest.mark.parametrize("gcr", [0.2, 0.5, 0.9])
def test_ground_sees_what_rows_leave_of_the_sky(tilt: float, gcr: float):
    cos_tilt = float(np.cos(np.deg2rad(tilt)))
    ours = 1 - gcr * (row_view(gcr, cos_tilt) + row_view(gcr, -cos_tilt))
    assert ours == pytest.approx(utils.vf_ground_sky_2d_integ(tilt, gcr, 3.0, 4.0, max_rows=400), abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(gcr=st.floats(0.1, 0.95), tilt=st.floats(0.5, 90), zenith=st.floats(0, 84), turn=st.floats(-89, 89))
def test_shade_of_rows(gcr: float, tilt: float, zenith: float, turn: float):
    cos_tilt, sin_tilt = float(np.cos(np.deg2rad(tilt))), float(np.sin(np.deg2rad(tilt)))
    shadow = float(np.tan(np.deg2rad(zenith)) * np.cos(np.deg2rad(turn)))
    theirs = infinite_sheds._shaded_fraction(zenith, 180.0 + turn, tilt, 180.0, gcr)
    assert shaded_share(gcr, cos_tilt, sin_tilt, shadow) == pytest.approx(float(theirs), abs=1e-9)
    phi = float(np.rad2deg(np.arctan(shadow)))
    ground = utils._unshaded_ground_fraction(tilt, phi, gcr)
    assert ground_beam_share(gcr, cos_tilt, sin_tilt, shadow) == pytest.approx(float(ground), abs=1e-9)


@pytest.mark.parametrize(("shaded", "blocks"), [(0.0, 3), (0.2, 3), (0.34, 3), (0.9, 6), (1.0, 3)])
def test_shaded_blocks_are_those_of_martinez(shaded: float, blocks: int):
    beam = 600.0
    theirs = pvlib.shading.direct_martinez(beam, beam, shaded, np.ceil(blocks * shaded), blocks)
    assert block_share(shaded, blocks) == pytest.approx(1 - float(theirs), abs=1e-12)
    assert block_share(shaded, 0) == 1 - shaded


@settings(max_examples=200, deadline=None)
@given(zenith=st.floats(0, 89.5), azimuth=st.floats(0, 359), gcr=st.floats(0.15, 0.9), limit=st.floats(20, 90))
def test_tracker_rotation_is_that_of_pvlib(zenith: float, azimuth: float, gcr: float, limit: float):
    across = float(-np.sin(np.deg2rad(zenith)) * np.sin(np.deg2rad(azimuth)))  # a south axis turns west at plus
    up = float(np.cos(np.deg2rad(zenith)))
    bound = np.deg2rad(limit)
    for backtracking in (0, 1):
        theirs = pvlib.tracking.singleaxis(zenith, azimuth, 0, 180, limit, bool(backtracking), gcr)["tracker_theta"]
        cosine, sine = tracker_rotation(across, up, gcr, float(np.cos(bound)), float(np.sin(bound)), backtracking)
        assert np.rad2deg(np.arctan2(sine, cosine)) == pytest.approx(float(theirs[0]), abs=1e-5)


@pytest.mark.parametrize("model", ["haydavies", "isotropic"])
def test_the_compiled_split_is_that_of_the_arrays(model: str):
    """The quick way into a cell and the general one, which a bare skyline takes, give the same light."""
    quick = pv_cell(WEATHER, PvOptions(transposition=model))
    around = tuple(np.arange(0.0, 360.0, 30.0).tolist())
    bare = Horizon(around, (-10.0,) * 12)
    general = pv_cell(WEATHER, PvOptions(transposition=model, horizons={"": bare}))
    np.testing.assert_array_equal(quick.row, general.row)
    for one, other in zip(quick.light, general.light, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(quick.temp_air_c, general.temp_air_c)
    assert quick.lit_wh_per_m2 == pytest.approx(general.lit_wh_per_m2)


def test_a_given_sun_is_taken():
    place = WEATHER.latitude, WEATHER.longitude, WEATHER.altitude_m
    sun = sun_of_hours(pd.DatetimeIndex(WEATHER.hours.index), *place)
    given, own = pv_cell(WEATHER, sun=sun), pv_cell(WEATHER)
    for one, other in zip(given.light, own.light, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)

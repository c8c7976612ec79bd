"""The split of the sky against pvlib's transposition models on any plane, and its bounds at a low sun."""

from __future__ import annotations

import numpy as np
import pvlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siting.pv.sun import Sun
from siting.pv.transposition import TRANSPOSITIONS, plane_irradiance, sky_parts

EXTRA = 1367.0


def sun_at(zenith: np.ndarray, azimuth: np.ndarray) -> Sun:
    return Sun(zenith, azimuth, np.full(zenith.size, EXTRA), np.ones(zenith.size))


def hours(seed: int, count: int = 400, steepest: float = 84.0) -> tuple[Sun, np.ndarray, np.ndarray, np.ndarray]:
    """Possible light: beam below the extraterrestrial, diffuse in proportion to the sun's height."""
    rng = np.random.default_rng(seed)
    sun = sun_at(rng.uniform(0, steepest, count), rng.uniform(0, 360, count))
    up = np.cos(np.deg2rad(sun.zenith_deg))
    dni = rng.uniform(0, 1000, count) * rng.integers(0, 2, count)
    dhi = rng.uniform(0, 450, count) * up
    return sun, dni * up + dhi, dni, dhi


@pytest.mark.parametrize("model", TRANSPOSITIONS)
@pytest.mark.parametrize(("tilt", "azimuth"), [(0.0, 180.0), (25.0, 180.0), (10.0, 90.0), (60.0, 250.0), (90.0, 0.0)])
def test_planes_are_those_of_pvlib(model: str, tilt: float, azimuth: float):
    sun, ghi, dni, dhi = hours(7)
    free = dhi * dni / EXTRA / np.maximum(np.cos(np.deg2rad(sun.zenith_deg)), 0.01745) < EXTRA - dni
    theirs = pvlib.irradiance.get_total_irradiance(
        tilt, azimuth, sun.zenith_deg, sun.azimuth_deg, dni, ghi, dhi, dni_extra=sun.extra_w_per_m2,
        airmass=pvlib.atmosphere.get_relative_airmass(sun.zenith_deg), albedo=0.2, model=model,
    )  # fmt: skip
    ours = plane_irradiance(sun, ghi, dni, dhi, np.array([tilt]), np.array([azimuth]), np.array([0.2]), model=model)
    assert free.mean() > 0.95
    np.testing.assert_allclose((ours.beam + ours.diffuse)[free, 0], theirs["poa_global"][free], atol=1e-6)
    np.testing.assert_allclose(ours.beam[:, 0], theirs["poa_direct"], atol=1e-9)


@pytest.mark.parametrize("model", TRANSPOSITIONS)
def test_the_parts_add_up_on_the_horizontal(model: str):
    """Seen from the horizontal the split gives back the diffuse light."""
    sun, ghi, dni, dhi = hours(8)
    parts = sky_parts(sun, ghi, dni, dhi, model)
    up = np.cos(np.deg2rad(sun.zenith_deg))
    free = parts.circumsolar < EXTRA - dni - 1e-9
    np.testing.assert_allclose((parts.circumsolar * up + parts.isotropic)[free], dhi[free], atol=1e-9)


def test_an_unknown_model_is_refused():
    sun, ghi, dni, dhi = hours(1, 3)
    with pytest.raises(ValueError, match="haydavies, perez, isotropic"):
        sky_parts(sun, ghi, dni, dhi, "klucher")


@pytest.mark.parametrize("model", TRANSPOSITIONS)
@settings(max_examples=80, deadline=None)
@given(
    zenith=st.floats(0, 90),
    turn=st.floats(0, 360),
    tilt=st.floats(0, 90),
    ghi=st.floats(0, 1500),
    dni=st.floats(0, 1367),
    dhi=st.floats(0, 1000),
)
def test_low_sun_blow_up_trap_in_every_model(model, zenith, turn, tilt, ghi, dni, dhi):
    """However bad the record: beam and aureole stay below the sun outside the air, the rest near what is there."""
    sun = sun_at(np.array([zenith]), np.array([180.0]))
    light = (np.array([ghi]), np.array([dni]), np.array([dhi]))
    plane = plane_irradiance(sun, *light, np.array([tilt]), np.array([turn]), np.array([0.2]), model=model)
    total = float((plane.beam + plane.diffuse)[0, 0])
    # Perez' band adds at most a third of the diffuse light on a wall
    assert 0 <= total <= EXTRA + (1.4 if model == "perez" else 1.0) * dhi + 0.2 * ghi + 1e-6


@pytest.mark.parametrize("model", TRANSPOSITIONS)
def test_poa_above_1600_at_a_low_sun_trap(model: str):
    """Sun below five degrees, full beam and bright haze: pvlib's own plane exceeds 1 600 W/m2, ours does not."""
    zenith = np.linspace(85, 90, 60)
    sun = sun_at(zenith, np.full(60, 180.0))
    dni, dhi, ghi = np.full(60, 1100.0), np.full(60, 180.0), np.full(60, 280.0)
    ours = plane_irradiance(sun, ghi, dni, dhi, np.array([90.0]), np.array([180.0]), np.array([0.2]), model=model)
    assert (ours.beam + ours.diffuse).max() < 1600
    if model == "haydavies":
        theirs = pvlib.irradiance.haydavies(90, 180, dhi, dni, EXTRA, zenith, 180.0)
        assert (theirs + dni).max() > 1600

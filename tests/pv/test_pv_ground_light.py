"""Light left for crops below raised rows: the sum of the kernel, limits and seasons."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pv_samples import GROUND, TABLES, TRACKING, bozhou, facing

from layers.contracts import InputError
from siting.pv.bifacial import ground_light
from siting.pv.chain import PvOptions, pv_yield

AGRI = TABLES.pv_variant("agri_raised")


def rows(gcr: float, tilt: float = 20.0):
    return facing(tilt, 180.0, dataclasses.replace(AGRI, rows=dataclasses.replace(AGRI.rows, gcr=gcr)))


@pytest.mark.parametrize("options", [PvOptions(), PvOptions(transposition="isotropic")])
def test_the_year_is_the_kernel_s_sum(options: PvOptions):
    """Two ways to the same figure: array expressions here, the compiled loop in the yield."""
    (kernel,) = pv_yield(bozhou(), [AGRI], options).ground_light_share
    assert ground_light(bozhou(), AGRI, options)["year"] == pytest.approx(kernel, rel=1e-9)


def test_level_rows_leave_what_they_do_not_cover():
    """Level rows of cover g stand in the way of g of the beam at any sun, and of as much of the sky: 1 - g.

    Only the sun beyond 85 degrees across the rows is lost on top.
    """
    assert ground_light(bozhou(), rows(0.4, 0.0))["year"] == pytest.approx(0.6, abs=0.005)


def test_more_cover_leaves_less_light():
    shares = [ground_light(bozhou(), rows(gcr))["year"] for gcr in (0.1, 0.3, 0.5, 0.8)]
    assert (np.diff(shares) < 0).all()


def test_raised_agri_pv_leaves_half_to_four_fifths():
    light = ground_light(bozhou(), AGRI)
    assert list(light.index) == [*range(1, 13), "year"]
    assert 0.5 < light["year"] < 0.8
    assert light[6] > light[12]


def test_rows_without_shade_or_with_turning_modules_are_refused():
    for variant in (GROUND, TRACKING):
        with pytest.raises(InputError, match="needs fixed rows"):
            ground_light(bozhou(), variant)
    assert np.isnan(pv_yield(bozhou(), [GROUND]).ground_light_share[0])

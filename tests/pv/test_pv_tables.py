"""PV tables: module parameters are those of their source, every row is sound."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pvlib
import pytest

from siting.technologies.pv import PV_MODULES, PvModule
from siting.technologies.reader import TableReader
from siting.technologies.tables import TECHNOLOGIES_FOLDER

MODULES = {row["module"]: PvModule(**row) for row in TableReader(TECHNOLOGIES_FOLDER, "t").read(PV_MODULES)}
CEC = {
    "perc_mono": "LONGi_Green_Energy_Technology_Co___Ltd__LR6_72PH_370M",
    "perc_bifacial": "LONGi_Green_Energy_Technology_Co___Ltd__LR6_72HBD_380M",
    "cdte": "First_Solar__Inc__FS_6430A",
}


@lru_cache(maxsize=1)
def cec_list() -> pd.DataFrame:
    return pvlib.pvsystem.retrieve_sam("CECMod")


@pytest.mark.parametrize("name", CEC)
def test_cec_modules_are_those_of_the_list(name: str):
    ours, theirs = MODULES[name], cec_list()[CEC[name]]
    assert ours.fit == "cec"
    for field, column in {
        "v_mp_v": "V_mp_ref", "i_mp_a": "I_mp_ref", "v_oc_v": "V_oc_ref", "i_sc_a": "I_sc_ref",
        "cells_in_series": "N_s", "alpha_sc_a_per_k": "alpha_sc", "beta_voc_v_per_k": "beta_oc", "a_ref_v": "a_ref",
        "i_l_ref_a": "I_L_ref", "i_o_ref_a": "I_o_ref", "r_s_ohm": "R_s", "r_sh_ref_ohm": "R_sh_ref",
        "adjust_percent": "Adjust",
    }.items():  # fmt: skip
        assert getattr(ours, field) == pytest.approx(theirs[column], rel=1e-12), field
    assert ours.gamma_pdc_per_k == pytest.approx(theirs["gamma_r"] / 100)


def test_topcon_parameters_are_fitted_to_its_data_sheet():
    m = MODULES["topcon_bifacial"]
    assert m.fit == "desoto"
    guess = {"a_0": 1.75, "IL_0": m.i_sc_a, "Io_0": 1e-12, "Rs_0": 0.1, "Rsh_0": 300}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the solver tries impossible values on its way
        fitted, _ = pvlib.ivtools.sdm.fit_desoto(
            m.v_mp_v, m.i_mp_a, m.v_oc_v, m.i_sc_a, m.alpha_sc_a_per_k, m.beta_voc_v_per_k,
            int(m.cells_in_series), init_guess=guess,
        )  # fmt: skip
    names = {"a_ref_v": "a_ref", "i_l_ref_a": "I_L_ref", "r_s_ohm": "R_s", "r_sh_ref_ohm": "R_sh_ref"}
    for field, key in names.items():
        assert getattr(m, field) == pytest.approx(fitted[key], rel=1e-4), field


@pytest.mark.parametrize("name", sorted(MODULES))
def test_temperature_coefficient_of_the_model_is_that_of_the_data_sheet(name: str):
    from siting.pv.kernels import diode_power
    from siting.pv.sides import diode_parameters

    m = MODULES[name]
    parameters = diode_parameters(m)
    slope = (diode_power(1000.0, 45.0, parameters) - diode_power(1000.0, 25.0, parameters)) * parameters[8] / 20
    assert slope == pytest.approx(m.gamma_pdc_per_k, abs=3e-4)
    assert diode_power(1000.0, 25.0, parameters) * parameters[8] == pytest.approx(1)
    assert m.i_mp_a < m.i_sc_a
    assert m.v_mp_v < m.v_oc_v


def test_the_three_cell_types_of_the_market_are_there():
    assert {m.cell for m in MODULES.values()} == {"mono_perc", "topcon", "cdte"}
    assert all(np.isfinite(m.r_s_ohm) and m.source for m in MODULES.values())

"""windpowerlib behind one door: its turbine library, its wind profiles, its density of air.

No other module of the program imports windpowerlib, and this one does so only inside its functions.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_TEMPERATURE_HEIGHT_M = 2.0
_ANY_HUB_M = 100.0


@lru_cache(maxsize=64)
def library_points(library_type: str) -> tuple[Floats, Floats, float] | None:
    """Power curve of a turbine type: speeds [m/s], power [W] and rating [W]; None where the library has none.

    The arrays are shared and not to be written to.
    """
    from windpowerlib import WindTurbine
    from windpowerlib.tools import WindpowerlibUserWarning

    with warnings.catch_warnings():
        # windpowerlib only warns of an unknown type; here the caller makes it an error.
        warnings.simplefilter("ignore", WindpowerlibUserWarning)
        known = WindTurbine(turbine_type=library_type, hub_height=_ANY_HUB_M)
    if known.power_curve is None:
        return None
    curve = known.power_curve.astype(float).sort_values("wind_speed", kind="stable")
    speed, power = curve["wind_speed"].to_numpy(float).copy(), curve["value"].to_numpy(float).copy()
    speed.flags.writeable = power.flags.writeable = False
    return speed, power, float(known.nominal_power)


def logarithmic_profile(speed: Floats, measured_height_m: float, target_height_m: float, roughness_m: float) -> Floats:
    """``v ln(h / z0) / ln(h_m / z0)``; the caller vouches for heights above the roughness length."""
    from windpowerlib import wind_speed

    return np.asarray(
        wind_speed.logarithmic_profile(speed, measured_height_m, target_height_m, roughness_m), dtype=float
    )


def hellman_profile(
    speed: Floats, measured_height_m: float, target_height_m: float, roughness_m: float, exponent: float | None
) -> Floats:
    """``v (h / h_m)**exponent``; without an exponent ``1 / ln(h / z0)``."""
    from windpowerlib import wind_speed

    return np.asarray(wind_speed.hellman(speed, measured_height_m, target_height_m, roughness_m, exponent), dtype=float)


def air_density(temp_air_c: Floats, pressure_pa: Floats, hub_height_m: float) -> Floats:
    """Density of dry air at hub height [kg/m3] from temperature at 2 m and station pressure.

    Temperature falls by 6.5 K/km, pressure by 1/8 hPa/m; ideal gas with 287.058 J/(kg K).
    """
    from windpowerlib import density, temperature

    kelvin = temperature.linear_gradient(temp_air_c + 273.15, _TEMPERATURE_HEIGHT_M, hub_height_m)
    return np.asarray(density.ideal_gas(pressure_pa, 0.0, hub_height_m, kelvin), dtype=float)

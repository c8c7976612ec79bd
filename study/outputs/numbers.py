"""How numbers leave the program: few digits, no exponents, the same on every machine."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

_DEGREE_COLUMNS = frozenset({"lon", "lat", "longitude", "latitude"})


def human(value: float, *, degree: bool = False) -> float:
    """``value`` with 6 significant digits; from 100 000 upwards the nearest whole number.

    Geographic degrees keep 6 decimals instead (0.1 m), because 6 significant digits of a longitude are 100 m.
    NaN stays NaN, minus zero becomes zero. Differences in the last bits between machines vanish here.
    """
    if not math.isfinite(value):
        return value
    spec = ".6f" if degree else (".0f" if abs(value) >= 99_999.95 else ".6g")
    return float(format(value, spec)) + 0.0


def human_table(table: pd.DataFrame) -> pd.DataFrame:
    """Copy of ``table`` with :func:`human` applied to every float column; ``lon`` and ``lat`` count as degrees."""
    tidy = table.copy()
    for column in tidy.columns:
        if pd.api.types.is_float_dtype(tidy[column].dtype):
            degree = column in _DEGREE_COLUMNS
            values = tidy[column].to_numpy(dtype=float, na_value=np.nan)
            tidy[column] = np.array([human(v, degree=degree) for v in values.tolist()], dtype=float)
    return tidy


def text(value: float) -> str:
    """A float without exponent and with a decimal point, so that a reader sees a float: ``10.0``, ``0.000012``."""
    if math.isnan(value):
        return ""
    return np.format_float_positional(value, trim="0") if math.isfinite(value) else str(value)

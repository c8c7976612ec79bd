"""Limits that do not hold before anything is added."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.capacity.contracts import BROKEN_BASE
from grid.capacity.kernels import NEVER, ROOM
from grid.capacity.rows import row_name
from grid.capacity.scenarios import Basis

MOST_KEPT = 10_000


def broken_base(basis: Basis, case: str) -> pd.DataFrame:
    """Table :data:`BROKEN_BASE` of one operating point: intact and after each outage; outages without a solution
    are rows of the kind ``diverged`` without a value."""
    rows, records = basis.rows, []
    for k, one in enumerate(basis.scenarios):
        limit, high, low, reverse = rows.limits(one.branch >= 0)
        v = one.voltage
        vf, vt = v[rows.f], v[rows.t]
        i_f = (rows.yf[0] + 1j * rows.yf[1]) * vf + (rows.yf[2] + 1j * rows.yf[3]) * vt
        i_t = (rows.yt[0] + 1j * rows.yt[1]) * vf + (rows.yt[2] + 1j * rows.yt[3]) * vt
        on = ~one.dead[rows.f] & ~one.dead[rows.t] & (np.arange(rows.n_branch) != one.at)
        loading = np.maximum(np.abs(i_f), np.abs(i_t)) ** 2 * rows.scale
        over = np.flatnonzero(on & (rows.scale > 0) & (loading > limit + ROOM))
        name, size = basis.outage_name(k), np.abs(v)
        for at in over.tolist():
            shown = 100 * float(np.sqrt(loading[at] / limit[at]))
            records.append((case, name, *row_name(rows, basis.case, at), shown, 100.0))
        backward = -rows.reverse_sign * (vf * np.conj(i_f)).real
        for at in np.flatnonzero(on & (reverse < NEVER) & (backward > reverse + ROOM)).tolist():
            kind = row_name(rows, basis.case, 2 * rows.n_branch + 2 * rows.n_node + at)
            records.append((case, name, *kind, 100 * float(backward[at] / reverse[at]), 100.0))
        first = 2 * rows.n_branch
        for at in np.flatnonzero(~one.dead & (size > high + ROOM)).tolist():
            records.append((case, name, *row_name(rows, basis.case, first + at), float(size[at]), float(high[at])))
        for at in np.flatnonzero(~one.dead & (size < low - ROOM)).tolist():
            kind = row_name(rows, basis.case, first + rows.n_node + at)
            records.append((case, name, *kind, float(size[at]), float(low[at])))
    records += [(case, name, "diverged", "", np.nan, np.nan) for name in basis.diverged]
    if not records:
        return BROKEN_BASE.empty()
    table = pd.DataFrame(records, columns=list(BROKEN_BASE.columns))
    with np.errstate(invalid="ignore"):
        worse = (table["value"] / table["limit_value"] - 1).abs().fillna(9.0)
    order = worse.sort_values(ascending=False, kind="stable").index[:MOST_KEPT]
    return BROKEN_BASE.validate(table.loc[order].reset_index(drop=True))

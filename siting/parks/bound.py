"""The least that a park's year can cost: a linear programme that is free in sizes and dispatch.

::

    min   sum_c k_c x_c + k_s h P + p_in sum i_t - p_out sum e_t + fee (L - U - sum i_t)
    s.t.  own_t + i_t - e_t - c_t + d_t - w_t = l_t           every hour, w_t >= 0 what is curtailed
          s_t = s_t-1 + r c_t - d_t / r,   s_-1 = 0           content of the storage
          c_t + d_t <= P,   s_t <= h P                        its limits
          own = sum_c x_c (variants of c),   0 <= x_c <= free of c
          rules and green share, in MWh of the year

It may take sites in any order, foresee the year, and export now what is stored later: every design of the sizing with
its rule of an hour is one of its points, so that its least cost is a bound below them. ``U`` is the load that no
design of the sizing serves; ``r`` the root of the circle's efficiency.
"""

from __future__ import annotations

import highspy
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from siting.parks.contracts import LEAST_COST, PARK_SIZING
from siting.parks.sizing import SizingCase

Floats = npt.NDArray[np.float64]
_MILLION = 1e6


def with_bounds(case: SizingCase, sizing: pd.DataFrame) -> pd.DataFrame:
    """PARK_SIZING with ``bound_cny_per_mwh`` and ``gap_percent`` in every row that is reached."""
    bound = np.full(len(sizing), np.nan)
    columns = (sizing[name] for name in ("aim", "reached", "target_share", "unserved_mwh"))
    for k, (aim, reached, share, unserved) in enumerate(zip(*columns, strict=True)):
        if reached == "yes":
            cost = least_cost_cny(case, share, rules=aim != LEAST_COST, unserved_mwh=unserved)
            bound[k] = cost / (case.load_mwh - unserved)
    gap = (sizing["cost_cny_per_mwh"].to_numpy(float) - bound) / np.abs(bound) * 100
    return PARK_SIZING.validate(sizing.assign(bound_cny_per_mwh=bound, gap_percent=gap))


def least_cost_cny(
    case: SizingCase, green_share: float = 0.0, *, rules: bool = True, unserved_mwh: float = 0.0
) -> float:
    """Least yearly cost of the park [CNY] with at least a green share, within the rules or without them.

    Capacities end where the sizing's end, so that both look at the same designs.

    Raises
    ------
    ValueError
        If no sizes reach the share within the rules, or the solver ends without an optimum.
    """
    lp = _programme(case, green_share, rules, unserved_mwh)
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (("output_flag", False), ("threads", 1), ("solver", "ipm"), ("run_crossover", "off")):
        highs.setOptionValue(option, value)
    highs.passModel(lp)
    highs.run()
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise ValueError(f"park {case.park_id!r}: no least cost, the programme is {highs.modelStatusToString(status)}")
    return float(highs.getInfo().objective_function_value) * _MILLION


def _programme(case: SizingCase, green_share: float, rules: bool, unserved_mwh: float) -> highspy.HighsLp:
    """Columns: candidates, variants, P; hours of charge, discharge, content, import, export, curtailed, unserved."""
    load, supply, grid, hours = case.load_mw, case.supply, case.grid, len(case.load_mw)
    n, variants = supply.weights.shape
    one, none = sp.identity(hours, format="csr"), sp.csr_matrix((hours, hours))
    step = sp.diags([np.ones(hours), -np.ones(hours - 1)], [0, -1], format="csr")
    r, h = float(np.sqrt(case.storage_efficiency)), case.storage_hours
    blank, power = sp.csr_matrix((hours, n + variants)), sp.csr_matrix(np.ones((hours, 1)))
    no_power = sp.csr_matrix((hours, 1))
    own = sp.hstack([sp.csr_matrix((hours, n)), sp.csr_matrix(supply.power.T)])
    flows = 7 * hours
    rows: list[tuple[sp.csr_matrix, Floats | float, Floats | float]] = [
        (sp.hstack([own, no_power, -one, one, none, one, -one, -one, one]), load, load),
        (sp.hstack([blank, no_power, -r * one, one / r, step, none, none, none, none]), 0.0, 0.0),
        (sp.hstack([blank, -power, one, one, none, none, none, none, none]), -np.inf, 0.0),
        (sp.hstack([blank, -h * power, none, none, one, none, none, none, none]), -np.inf, 0.0),
        (sp.hstack([sp.csr_matrix(supply.weights.T), -sp.identity(variants), sp.csr_matrix((variants, 1 + flows))]),
         0.0, 0.0),
    ]  # fmt: skip
    rows += _yearly_rows(case, green_share, rules, unserved_mwh)
    matrix = sp.vstack([row[0] for row in rows]).tocsr()
    counts = [row[0].shape[0] for row in rows]
    lower = np.concatenate([np.broadcast_to(row[1], count) for row, count in zip(rows, counts, strict=True)])
    above = np.concatenate([np.broadcast_to(row[2], count) for row, count in zip(rows, counts, strict=True)])
    fee, price = grid.own_use_fee_cny_per_mwh, grid.price_cny_per_mwh
    per_mw = supply.cost_cny_per_mw
    cost = np.r_[
        per_mw, np.zeros(variants), h * case.storage_cny_per_mwh, np.zeros(3 * hours),
        np.full(hours, price - fee), np.full(hours, -grid.export_price_cny_per_mwh), np.zeros(2 * hours),
    ]  # fmt: skip
    upper = np.r_[
        supply.free_mw, np.full(variants, np.inf), case.most_storage_mw, np.full(3 * hours, np.inf),
        np.full(hours, grid.import_limit_mw), np.full(hours, grid.export_limit_mw), np.full(hours, np.inf), load,
    ]  # fmt: skip
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(cost), matrix.shape[0]
    lp.offset_ = fee * (case.load_mwh - unserved_mwh) / _MILLION
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost / _MILLION, np.zeros(len(cost)), upper
    lp.row_lower_, lp.row_upper_ = lower, above
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    return lp


def _yearly_rows(
    case: SizingCase, green_share: float, rules: bool, unserved_mwh: float
) -> list[tuple[sp.csr_matrix, Floats | float, Floats | float]]:
    """Capacity of each kind, unserved load, green share, and the rules, over the year.

    Own use is ``L - U - import``; a share of it is counted by the load, or by what the variants could generate.
    """
    supply, hours, load = case.supply, len(case.load_mw), case.load_mwh
    served = load - unserved_mwh

    def row(candidates: Floats, generation: float, bought: float, sold: float, unserved: float = 0.0) -> sp.csr_matrix:
        of_variants = generation * supply.power.sum(axis=1)
        flows = np.repeat([0.0, 0.0, 0.0, bought, sold, 0.0, unserved], hours)
        return sp.csr_matrix(np.r_[candidates, of_variants, 0.0, flows])

    nothing = np.zeros(len(supply.table))
    rows: list[tuple[sp.csr_matrix, Floats | float, Floats | float]] = [
        (row((supply.is_wind == wind).astype(float), 0, 0, 0), -np.inf, case.most_mw(wind)) for wind in (False, True)
    ]
    rows.append((row(nothing, 0, 0, 0, 1), -np.inf, unserved_mwh))
    rows.append((row(nothing, 0, 1, 0), -np.inf, served - green_share * load))
    for rule in case.rules if rules else ():
        limit = rule.limit_share
        if rule.measure == "green_share":
            rows.append((row(nothing, 0, 1, 0), -np.inf, served - limit * load))
        elif rule.measure == "self_use_share":
            rows.append((row(nothing, limit, 1, 0), -np.inf, served))
        else:
            rows.append((row(nothing, -limit, 0, 1), -np.inf, 0.0))
    return rows

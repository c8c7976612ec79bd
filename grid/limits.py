"""Which limits a study holds the network to, and how close a state is to them.

==================== ============================================ ==========================================
limit                before any outage (N-0)                      after an outage (N-1)
==================== ============================================ ==========================================
line loading         current <= 100 % of the season's rating       the same
transformer loading  current <= 100 % of rated current at each end 120 % for two hours ('firm': 100 %)
reverse flow         low to high side <= 80 % of the unit's MVA    not applied
voltage              the bus's own band                            the wider of that and the post-fault band
==================== ============================================ ==========================================

The figures are rows of ``standards/study_limits.csv`` and ``standards/voltage_limits.csv`` with their sources. A
value that is at its limit, or beyond it, before a new plant exists may get worse by 0.001 pu or 1 % and no more:
the plant is not blamed for what it does not worsen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from grid.admittance import Complexes, Floats, GridModel
from grid.standards_tables import cached_by_standards, standard_table, voltage_band

NO_LIMIT = 1e9


@cached_by_standards
def _figures() -> dict[str, float]:
    table = standard_table("study_limits")
    return {str(name): float(value) for name, value in zip(table["limit"], table["value"], strict=True)}


@dataclass(frozen=True)
class LimitSettings:
    """Figures of one study; see the module's table. ``reverse_percent`` None switches the rule off."""

    line_percent: float
    line_n_1_percent: float
    transformer_percent: float
    transformer_n_1_percent: float
    reverse_percent: float | None
    base_slack_pu: float
    base_slack_percent: float
    search_cap_factor: float
    far_influence_share: float
    far_influence_pu: float
    plant_power_factor: float
    post_fault_voltage: bool = True

    @property
    def plant_power(self) -> complex:
        """Complex power of a new plant per MW: it absorbs ``tan(acos(power factor))``."""
        return 1.0 - 1j * float(np.tan(np.arccos(self.plant_power_factor)))

    @classmethod
    def standard(cls, transformer_n_1: Literal["short_time", "firm"] = "short_time") -> LimitSettings:
        """The figures of ``study_limits.csv``; 'firm' allows no short-time overload of transformers."""
        figure = _figures()
        option = "transformer_n_1_percent" if transformer_n_1 == "short_time" else "transformer_n_1_firm_percent"
        return cls(
            line_percent=figure["line_percent"],
            line_n_1_percent=figure["line_n_1_percent"],
            transformer_percent=figure["transformer_percent"],
            transformer_n_1_percent=figure[option],
            reverse_percent=figure["reverse_percent"],
            base_slack_pu=figure["base_slack_pu"],
            base_slack_percent=figure["base_slack_percent"],
            search_cap_factor=figure["search_cap_factor"],
            far_influence_share=figure["far_influence_share"],
            far_influence_pu=figure["far_influence_pu"],
            plant_power_factor=figure["plant_power_factor"],
        )


@dataclass(frozen=True)
class Rows:
    """The constraint rows of a model, all of the form value <= limit, in blocks of fixed order.

    ``current_f`` and ``current_t`` [% of rating, per branch], ``voltage_high`` [pu, per bus], ``voltage_low``
    [minus pu, per bus], ``reverse`` [% of MVA, per branch].
    """

    n_branch: int
    n_bus: int

    @property
    def count(self) -> int:
        return 3 * self.n_branch + 2 * self.n_bus

    @property
    def currents(self) -> slice:
        return slice(0, 2 * self.n_branch)

    @property
    def high(self) -> slice:
        return slice(2 * self.n_branch, 2 * self.n_branch + self.n_bus)

    @property
    def low(self) -> slice:
        return slice(2 * self.n_branch + self.n_bus, 2 * self.n_branch + 2 * self.n_bus)

    @property
    def reverse(self) -> slice:
        return slice(2 * self.n_branch + 2 * self.n_bus, self.count)

    def name(self, row: int, model: GridModel) -> tuple[str, str]:
        """(kind of limit, element or bus) of one row."""
        if row < 2 * self.n_branch or row >= self.reverse.start:
            branch = row % self.n_branch if row < 2 * self.n_branch else row - self.reverse.start
            kind = "transformer_loading" if model.is_transformer[branch] else "line_loading"
            return kind, model.element_ids[branch]
        offset = row - self.high.start
        return ("voltage_high" if offset < self.n_bus else "voltage_low"), model.bus_ids[offset % self.n_bus]


def rows_of(model: GridModel) -> Rows:
    return Rows(model.n_branch, model.n_bus)


def nominal_limits(model: GridModel, settings: LimitSettings, after_outage: bool) -> Floats:
    """Limit of each row before the tolerance for what already stands there, shape (rows,)."""
    line = settings.line_n_1_percent if after_outage else settings.line_percent
    unit = settings.transformer_n_1_percent if after_outage else settings.transformer_percent
    current = np.where(model.is_transformer, unit, line)
    reverse = np.full(model.n_branch, NO_LIMIT)
    if settings.reverse_percent is not None and not after_outage:
        reverse = np.where(model.is_transformer, settings.reverse_percent, NO_LIMIT)
    low, high = model.vm_min_pu, model.vm_max_pu
    if after_outage and settings.post_fault_voltage:
        bands = np.array([post_fault_band(vn) for vn in model.vn_kv.tolist()])
        low, high = np.minimum(low, bands[:, 0]), np.maximum(high, bands[:, 1])
    return np.concatenate([current, current, high, -low, reverse])


@cached_by_standards
def post_fault_band(vn_kv: float) -> tuple[float, float]:
    """Post-fault band of a level; where none is listed, one that widens nothing."""
    try:
        return voltage_band(vn_kv, "post_fault")
    except KeyError:
        return np.inf, -np.inf


def effective_limits(nominal: Floats, base_values: Floats, rows: Rows, settings: LimitSettings) -> Floats:
    """Limits that a new plant has to keep: the nominal ones, or the base value plus the slack where that is more.

    ``nominal`` and ``base_values`` have the shape (rows, states), and so has the result.
    """
    slack = np.full(rows.count, settings.base_slack_percent)
    slack[rows.high] = settings.base_slack_pu
    slack[rows.low] = settings.base_slack_pu
    return np.asarray(np.maximum(nominal, base_values + slack[:, None]), dtype=np.float64)


def row_values(model: GridModel, voltage: Complexes, out: np.ndarray, dead: np.ndarray) -> Floats:
    """Value of every row in every state.

    Parameters
    ----------
    voltage
        Complex voltages, shape (buses, states).
    out
        Branch that is out in each state, -1 for none, shape (states,).
    dead
        True where a bus is cut off, shape (buses, states).

    Returns
    -------
    Array of shape (rows, states). Rows of what is out or cut off are minus :data:`NO_LIMIT`.
    """
    rows = rows_of(model)
    vf, vt = voltage[model.f], voltage[model.t]
    i_f = model.yff[:, None] * vf + model.yft[:, None] * vt
    i_t = model.ytf[:, None] * vf + model.ytt[:, None] * vt
    off = dead[model.f] | dead[model.t]
    states = np.flatnonzero(out >= 0)
    off[out[states], states] = True
    values = np.empty((rows.count, voltage.shape[1]))
    b = model.n_branch
    values[:b] = np.where(off, -NO_LIMIT, np.abs(i_f) * model.percent_f[:, None])
    values[b : 2 * b] = np.where(off, -NO_LIMIT, np.abs(i_t) * model.percent_t[:, None])
    vm = np.abs(voltage)
    values[rows.high] = np.where(dead, -NO_LIMIT, vm)
    values[rows.low] = np.where(dead, -NO_LIMIT, -vm)
    reverse = -(vf * np.conj(i_f)).real * (100 * 100 / model.rating_mva)[:, None]
    values[rows.reverse] = np.where(off | ~model.is_transformer[:, None], -NO_LIMIT, reverse)
    return values

"""Sizes of wind, PV and storage that reach a green share at least cost, and those that keep the rules.

Every combination of a coarse set of sizes runs through the whole year by the same rule of an hour as the park's own
match; around the best of each aim the sizes are then taken finer, three times. What was tried for one aim counts for
all. No combination is left out by a model: what the table says of a row, :func:`siting.parks.matching.match_park`
says of the same sizes. :mod:`siting.parks.bound` tells how far from the best of all plans that is.

Tried are designs that could keep the rule of own use at all: ``own use <= load``, so beside a least share ``s`` of the
generation ``generation <= load / s``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from siting.parks.contracts import BY_RULES, BY_SHARE, LEAST_COST, PARK_SIZING
from siting.parks.matching import GridPoint
from siting.parks.rules import ParkRule, tightest
from siting.parks.supply import Level, Supply

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Green shares of the curve."""
MOST_STORAGE = 4.0
"""Greatest storage power tried, by the peak load."""
COARSE, FINE, ROUNDS = (17, 17, 13), 7, 3
"""Sizes of PV, wind and storage of the first try; of each around a best one; how often that is made finer."""
NO_OWN_USE_RULE = 0.3
"""Least share of the generation used in the park that is tried where no rule names one."""
_NEAR = 0.005
"""Green shares that count as the greatest one where an aim is not reached: the cheapest of them is shown."""
_SLACK = 1e-6


@dataclass(frozen=True)
class SizingCase:
    """A park whose sizes are open: hourly load [MW], what may serve it, storage by its length, grid point, rules.

    ``storage_cny_per_mwh`` is the yearly cost of a MWh of content.
    """

    park_id: str
    load_mw: Floats
    supply: Supply
    grid: GridPoint
    rules: tuple[ParkRule, ...]
    storage_hours: float = 2.0
    storage_efficiency: float = 0.85
    storage_cny_per_mwh: float = 0.0

    @property
    def load_mwh(self) -> float:
        return float(self.load_mw.sum())

    def most_mw(self, wind: bool) -> float:
        """Greatest capacity of a kind that is tried, see the module."""
        table = self.supply.table[self.supply.is_wind == wind]
        if table.empty:
            return 0.0
        least_own = tightest(self.rules, "self_use_share")
        most_mwh = self.load_mwh / (least_own if least_own > 0 else NO_OWN_USE_RULE)
        per_mw = (table["energy_mwh"] / table["grid_capacity_mw"]).to_numpy(float)
        poorest = float(per_mw[per_mw > 0].min()) if (per_mw > 0).any() else np.inf
        return float(min(self.supply.most_mw(wind), most_mwh / poorest))

    @property
    def most_storage_mw(self) -> float:
        return MOST_STORAGE * float(self.load_mw.max())


@dataclass(frozen=True)
class Designs:
    """What sizes come to, arrays of shape (designs,): MW, MWh of the year, CNY of the year."""

    pv_mw: Floats
    wind_mw: Floats
    storage_mw: Floats
    green_mwh: Floats
    import_mwh: Floats
    export_mwh: Floats
    curtailed_mwh: Floats
    unserved_mwh: Floats
    import_peak_mw: Floats
    annual_cost_cny: Floats
    load_mwh: float

    @property
    def own_use_mwh(self) -> Floats:
        return np.asarray(np.maximum(self.load_mwh - self.unserved_mwh - self.import_mwh, 0.0))

    def share(self, measure: str) -> Floats:
        """A measure of the rules; NaN where there is nothing to take a share of."""
        part = self.export_mwh if measure == "export_share" else self.own_use_mwh
        whole = np.full(len(part), self.load_mwh) if measure == "green_share" else self.green_mwh
        share = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
        return np.asarray(np.clip(share, 0.0, 1.0))

    def plus(self, other: Designs) -> Designs:
        names = [name for name in self.__dataclass_fields__ if name != "load_mwh"]
        both = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        return Designs(**both, load_mwh=self.load_mwh)


def size_park(case: SizingCase, shares: tuple[float, ...] = SHARES) -> pd.DataFrame:
    """Table PARK_SIZING of a park: least cost of all, least cost within the rules, and the curve over green shares.

    A share is looked for within the rules; a row that is not reached holds the cheapest of what comes nearest to it,
    and ends the curve. Costs never fall along the curve.
    """
    aims = [(LEAST_COST, 0.0), (BY_RULES, _least_green(case.rules)), *((BY_SHARE, share) for share in shares)]
    axes = _coarse_axes(case)
    tried = evaluate(case, *axes)
    windows = dict.fromkeys(aims, axes)
    for _ in range(ROUNDS):
        for aim in aims:
            at = _best(tried, case.rules, aim)[0]
            windows[aim] = _finer(windows[aim], (tried.pv_mw[at], tried.wind_mw[at], tried.storage_mw[at]))
            tried = tried.plus(evaluate(case, *windows[aim]))
    rows = _until_out_of_reach([_row(case, tried, aim) for aim in aims])
    return PARK_SIZING.validate(pd.DataFrame(rows, columns=list(PARK_SIZING.columns)))


def evaluate(case: SizingCase, pv_mw: Floats, wind_mw: Floats, storage_mw: Floats) -> Designs:
    """The year of every combination of sizes."""
    from siting.parks.kernels import sweep_sizes

    pv, wind = case.supply.level(False, pv_mw), case.supply.level(True, wind_mw)
    found = sweep_sizes(
        np.asarray(case.load_mw, float), pv.green_mw, wind.green_mw, np.asarray(storage_mw, float),
        float(case.storage_hours), float(np.sqrt(case.storage_efficiency)),
        float(case.grid.import_limit_mw), float(case.grid.export_limit_mw),
    )  # fmt: skip
    shape = found.shape[:3]
    flows = [found[..., k].ravel() for k in range(5)]
    return _priced(case, pv, wind, np.broadcast_to(storage_mw, shape).ravel(), shape, flows)


def _priced(
    case: SizingCase, pv: Level, wind: Level, storage_mw: Floats, shape: tuple[int, ...], flows: list[Floats]
) -> Designs:
    def spread(of_pv: Floats, of_wind: Floats) -> Floats:
        return np.asarray(np.broadcast_to((of_pv[:, None] + of_wind[None, :])[:, :, None], shape).ravel())

    nothing = np.zeros(len(pv.capacity_mw)), np.zeros(len(wind.capacity_mw))
    bought, sold, lost, lacking, peak = flows
    own_use = np.maximum(case.load_mwh - lacking - bought, 0.0)
    cost = (
        spread(pv.annual_cost_cny, wind.annual_cost_cny)
        + storage_mw * case.storage_hours * case.storage_cny_per_mwh
        + own_use * case.grid.own_use_fee_cny_per_mwh
        + bought * case.grid.price_cny_per_mwh
        - sold * case.grid.export_price_cny_per_mwh
    )
    return Designs(
        pv_mw=spread(pv.capacity_mw, nothing[1]),
        wind_mw=spread(nothing[0], wind.capacity_mw),
        storage_mw=storage_mw,
        green_mwh=spread(pv.green_mw.sum(axis=1), wind.green_mw.sum(axis=1)),
        import_mwh=bought,
        export_mwh=sold,
        curtailed_mwh=lost,
        unserved_mwh=lacking,
        import_peak_mw=peak,
        annual_cost_cny=cost,
        load_mwh=case.load_mwh,
    )


def _coarse_axes(case: SizingCase) -> tuple[Floats, Floats, Floats]:
    """First sizes of PV, wind and storage; those of storage lie closer where it is small."""
    pv, wind = (np.unique(np.linspace(0.0, case.most_mw(w), n)) for w, n in zip((False, True), COARSE, strict=False))
    return pv, wind, np.unique(case.most_storage_mw * np.linspace(0.0, 1.0, COARSE[2]) ** 2)


def _finer(axes: tuple[Floats, ...], best: tuple[float, ...]) -> tuple[Floats, Floats, Floats]:
    """Sizes between the neighbours of the best one on each axis."""
    finer = []
    for axis, at in zip(axes, best, strict=True):
        below, above = axis[axis < at - 1e-9], axis[axis > at + 1e-9]
        low, high = (below[-1] if len(below) else at), (above[0] if len(above) else at)
        finer.append(np.unique(np.linspace(low, high, FINE)))
    return finer[0], finer[1], finer[2]


def _least_green(rules: tuple[ParkRule, ...]) -> float:
    least = tightest(rules, "green_share")
    return least if np.isfinite(least) else 0.0


def _kept(tried: Designs, rules: tuple[ParkRule, ...]) -> Bools:
    """Designs that keep every rule; one without own power keeps none of a least share."""
    kept = np.ones(len(tried.pv_mw), dtype=bool)
    for rule in rules:
        share = tried.share(rule.measure)
        if rule.sense == "least":
            kept &= np.nan_to_num(share, nan=0.0) >= rule.limit_share
        else:
            kept &= np.nan_to_num(share, nan=0.0) <= rule.limit_share
    return kept


def _best(tried: Designs, rules: tuple[ParkRule, ...], aim: tuple[str, float]) -> tuple[int, bool]:
    """(the design of an aim, whether it is reached): the cheapest, or else what comes nearest in green share."""
    name, share = aim
    least = float(tried.unserved_mwh.min())
    served = tried.unserved_mwh <= max(least, 0.0) + _SLACK * tried.load_mwh
    within = served if name == LEAST_COST else served & _kept(tried, rules)
    green = tried.share("green_share")
    reached = within & (np.nan_to_num(green) >= share)
    if reached.any():
        return int(np.where(reached, tried.annual_cost_cny, np.inf).argmin()), True
    green = np.where(within if within.any() else served, np.nan_to_num(green), -1.0)
    near = green >= green.max() - _NEAR
    return int(np.where(near, tried.annual_cost_cny, np.inf).argmin()), False


def _until_out_of_reach(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The curve up to the first share that is not reached."""
    missed = [k for k, row in enumerate(rows) if row["aim"] == BY_SHARE and row["reached"] == "no"]
    return rows[: missed[0] + 1] if missed else rows


def _row(case: SizingCase, tried: Designs, aim: tuple[str, float]) -> dict[str, object]:
    at, reached = _best(tried, case.rules, aim)
    served = case.load_mwh - tried.unserved_mwh[at]
    per_mwh = float(tried.annual_cost_cny[at] / served) if served > 0 else np.nan
    return {
        "park_id": case.park_id,
        "aim": aim[0],
        "target_share": float(aim[1]),
        "reached": "yes" if reached else "no",
        **{name: float(getattr(tried, name)[at]) for name in ("pv_mw", "wind_mw", "storage_mw")},
        "storage_mwh": float(tried.storage_mw[at] * case.storage_hours),
        **{name: float(tried.share(name)[at]) for name in ("green_share", "self_use_share", "export_share")},
        **{f"{name}_mwh": float(getattr(tried, f"{name}_mwh")[at])
           for name in ("import", "export", "curtailed", "unserved")},
        "import_peak_mw": float(tried.import_peak_mw[at]),
        "annual_cost_cny": float(tried.annual_cost_cny[at]),
        "cost_cny_per_mwh": per_mwh,
        "saving_cny_per_mwh": case.grid.price_cny_per_mwh - per_mwh,
        "co2_t": float(tried.import_mwh[at] * case.grid.co2_t_per_mwh),
        "bound_cny_per_mwh": np.nan,
        "gap_percent": np.nan,
    }  # fmt: skip

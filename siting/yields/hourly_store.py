"""Hourly power of all sites in one compact store: variants x hours, and which site points to which variant.

::

    power (variants x hours, float32, may lie on disk)         sites
    Bozhou/ground_fixed  | 0 0 .1 .4 .7 ...  |  <----------  BZ-1, 40 MW
    Bozhou/roof_flat     | 0 0 .1 .3 .6 ...  |  <----------  BZ-2, 6 MW; BZ-3, 2 MW

A site's series is its capacity times its variant; the sum of a hundred thousand sites is one product of a small matrix
(groups x variants) with the store. Sums are taken hour by hour and peaks of the sums after that: peaks of sites that do
not happen together do not add up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, Finding, InputError
from layers.tables import Table, column
from siting.yields.contracts import YieldResult

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

SITE_VARIANTS = Table(
    "site_variants",
    "Which variant each site follows, and with how many megawatts.",
    {
        "candidate_id": column(str, "", "site", unique=True),
        "variant_id": column(str, "", "row of the store"),
        "capacity_mw": column(float, "MW", "AC capacity times the site's own yield factor", ge=0),
    },
)
COINCIDENT_PEAKS = Table(
    "coincident_peaks",
    "Highest hour of each group's sum, beside the sum of its sites' own peaks.",
    {
        "group": column(str, "", "group", unique=True),
        "capacity_mw": column(float, "MW", "sum of the sites' capacity", ge=0),
        "peak_mw": column(float, "MW", "highest hour of the sum", ge=0),
        "peak_hour": column(float, "", "number of that hour, from 0", ge=0),
        "sum_of_peaks_mw": column(float, "MW", "sum of the highest hour of each site: never the group's peak", ge=0),
    },
)

_POWER, _FACTS, _SITES = "power.npy", "store.json", "sites.parquet"
_TIME = "hour_start"
_MONTH_ROWS = 730
_BLOCK = 64


@dataclass(frozen=True)
class HourlyStore:
    """Hourly power by AC capacity of each variant, and the sites that follow them.

    ``power`` has shape (variants, hours), float32, 0..1; it may be a memory map. ``index`` holds the starts of the
    intervals in UTC+08:00. ``sites`` follows :data:`SITE_VARIANTS`.
    """

    variants: tuple[str, ...]
    index: pd.DatetimeIndex
    power: Singles
    sites: pd.DataFrame

    def rows(self, variants: Sequence[str]) -> npt.NDArray[np.int64]:
        """Row numbers of variants; KeyError for one that is not there."""
        place = {name: row for row, name in enumerate(self.variants)}
        return np.array([place[name] for name in variants], dtype=np.int64)

    def block(self, hours: slice = slice(None), variants: Sequence[str] | None = None) -> Singles:
        """Part of the store, shape (variants, hours); only this part is read from disk."""
        if variants is None:
            return np.asarray(self.power[:, hours])
        return np.asarray(self.power[self.rows(variants), hours])

    def site_series(self, candidate_id: str) -> Floats:
        """Hourly power of one site [MW], shape (hours,)."""
        site = self.sites.loc[self.sites["candidate_id"] == candidate_id]
        if site.empty:
            raise KeyError(f"no site {candidate_id!r} in the store")
        row = self.rows([str(site["variant_id"].iloc[0])])[0]
        return np.asarray(self.power[row], dtype=float) * float(site["capacity_mw"].iloc[0])

    def sum_by(self, group: pd.Series, *, hours: slice = slice(None)) -> pd.DataFrame:
        """Hourly power of groups of sites [MW], one column a group, sorted by name.

        Parameters
        ----------
        group : Series
            Group of each site by candidate id (a station, a district); sites that are not named, or whose group is
            missing, belong to none.
        hours : slice, optional
            Hours to sum.

        Notes
        -----
        Capacity by group and variant, times the store in blocks of variants: memory follows the groups and the
        variants, never the sites.
        """
        names, capacity = self._capacity(group)
        count = len(range(*hours.indices(len(self.index))))
        total = np.zeros((len(names), count))
        for start in range(0, len(self.variants), _BLOCK):
            part = slice(start, start + _BLOCK)
            total += capacity[:, part] @ np.asarray(self.power[part, hours], dtype=float)
        return pd.DataFrame(total.T, index=self.index[hours], columns=names)

    def peaks_by(self, group: pd.Series) -> pd.DataFrame:
        """Coincident peak of each group, see :data:`COINCIDENT_PEAKS`: sum first, then the highest hour."""
        names, capacity = self._capacity(group)
        series = self.sum_by(group)
        own = np.array([float(row.max()) if row.size else 0.0 for row in self.power])
        table = pd.DataFrame(
            {
                "group": np.array(names, dtype=object),
                "capacity_mw": capacity.sum(axis=1),
                "peak_mw": series.max().to_numpy(float),
                "peak_hour": series.to_numpy().argmax(axis=0).astype(float) if len(names) else np.zeros(0),
                "sum_of_peaks_mw": capacity @ own,
            }
        )
        return COINCIDENT_PEAKS.validate(table)

    def require_hours(self, index: pd.DatetimeIndex, of: str) -> None:
        """Refuse to be added to series of other hours.

        Raises
        ------
        InputError
            If ``index`` is not hour by hour the store's own; ``of`` names what it belongs to.
        """
        if self.index.equals(index):
            return
        first = index[0] if len(index) else "nothing"
        raise InputError(
            [
                Finding(
                    "error",
                    "hours.differ",
                    "study",
                    of,
                    "hours",
                    f"{len(index)} from {first}",
                    f"The hours of {of} are not those of the generation ({len(self.index)} from {self.index[0]}).",
                    "Use one calendar year and one step for weather and demand, or resample one of them.",
                )
            ]
        )

    def resampled(self, step: pd.Timedelta) -> HourlyStore:
        """The same energy in intervals of another length; what peaks together still does."""
        from layers.weather_resample import resample_mean

        frame = pd.DataFrame(np.asarray(self.power, dtype=float).T, index=self.index)
        changed = resample_mean(frame, step)
        power = changed.to_numpy(np.float32).T.copy()
        return HourlyStore(self.variants, pd.DatetimeIndex(changed.index), power, self.sites)

    def _capacity(self, group: pd.Series) -> tuple[list[str], Floats]:
        """Names of the groups and their capacity by variant [MW], shape (groups, variants)."""
        of_site = self.sites["candidate_id"].map(group)
        known = of_site.notna().to_numpy()
        names = sorted(set(of_site[known].astype(str)))
        place = {name: row for row, name in enumerate(names)}
        capacity = np.zeros((len(names), len(self.variants)))
        rows = of_site[known].astype(str).map(place).to_numpy(np.int64)
        columns = self.rows(self.sites.loc[known, "variant_id"].tolist())
        np.add.at(capacity, (rows, columns), self.sites.loc[known, "capacity_mw"].to_numpy(float))
        return names, capacity


def store_of(result: YieldResult, grid_capacity_mw: pd.Series) -> HourlyStore:
    """Store of the yields of a study.

    Parameters
    ----------
    result : YieldResult
    grid_capacity_mw : Series
        AC capacity by candidate id.
    """
    yields = result.yields
    capacity = yields["candidate_id"].map(grid_capacity_mw).to_numpy(float)
    factor = np.ones(len(yields))
    if len(result.details):
        factor = yields["candidate_id"].map(result.details.set_index("candidate_id")["site_factor"]).to_numpy(float)
    sites = pd.DataFrame(
        {
            "candidate_id": yields["candidate_id"].to_numpy(object),
            "variant_id": yields["variant_id"].to_numpy(object),
            "capacity_mw": capacity * factor,
        }
    )
    power = np.ascontiguousarray(result.profiles.to_numpy(np.float32).T)
    names = tuple(str(name) for name in result.profiles.columns)
    return HourlyStore(names, pd.DatetimeIndex(result.profiles.index), power, SITE_VARIANTS.validate(sites))


def save_store(store: HourlyStore, folder: Path) -> None:
    """Write a store as a folder: the array as it is, its hours, its sites. The same store gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / _POWER, np.ascontiguousarray(store.power, dtype=np.float32))
    step = store.index[1] - store.index[0] if len(store.index) > 1 else pd.Timedelta(hours=1)
    facts = {
        "start": store.index[0].isoformat(),
        "step_s": int(step.total_seconds()),
        "count": len(store.index),
        "variants": list(store.variants),
    }
    (folder / _FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", "utf-8")
    store.sites.to_parquet(folder / _SITES, index=False)


def open_store(folder: Path) -> HourlyStore:
    """Open a saved store; the array stays on disk until a part of it is read."""
    facts = json.loads((folder / _FACTS).read_text("utf-8"))
    start = pd.Timestamp(facts["start"]).tz_convert(CHINA_STANDARD_TIME)
    index = pd.date_range(start, periods=facts["count"], freq=pd.Timedelta(seconds=facts["step_s"]))
    sites = pd.read_parquet(folder / _SITES)
    return HourlyStore(tuple(facts["variants"]), index, np.load(folder / _POWER, mmap_mode="r"), sites)


def open_run_store(profiles: Path, sites: Path) -> HourlyStore:
    """Store of a finished run, from its ``yield/profiles.parquet`` and ``yield/profile_sites.csv``."""
    power = read_profiles(profiles)
    table = pd.read_csv(
        sites, encoding="utf-8-sig", dtype={"candidate_id": str, "variant_id": str, "capacity_mw": float}
    )
    names = tuple(str(name) for name in power.columns)
    values = np.ascontiguousarray(power.to_numpy(np.float32).T)
    return HourlyStore(names, pd.DatetimeIndex(power.index), values, SITE_VARIANTS.validate(table))


def write_profiles(store: HourlyStore, path: Path) -> None:
    """Write the variants as Parquet, one column each (float32) beside ``hour_start``; a row group is about a month.

    The same store gives the same bytes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    time = pa.array(store.index.tz_convert(CHINA_STANDARD_TIME).as_unit("ms"))
    columns = [pa.array(np.ascontiguousarray(row)) for row in store.power]
    table = pa.table([time, *columns], names=[_TIME, *store.variants])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=_MONTH_ROWS, compression="zstd", use_dictionary=False)


def read_profiles(path: Path, variants: Sequence[str] | None = None) -> pd.DataFrame:
    """Hours x variants of a written file, float32; only the named columns are read."""
    import pyarrow.parquet as pq

    wanted = None if variants is None else [_TIME, *variants]
    frame: pd.DataFrame = pq.read_table(path, columns=wanted).to_pandas().set_index(_TIME)
    return frame.set_axis(pd.DatetimeIndex(frame.index).tz_convert(CHINA_STANDARD_TIME).as_unit("ns"))

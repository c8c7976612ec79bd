"""Plausibility band: provincial hours of PyPSA-China's 2020 series (ERA5 through atlite) beside our typical years.

Neither is the truth. ERA5 PV is known to be some 15 % high and ERA5 wind over the plains far too low; what must agree
is the day's course, and the level within that knowledge.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from wind_samples import GENERIC, TABLES

from layers.contracts import FindingLog, Origin, SourceCard, Weather
from layers.epw import read_epw
from siting.pv.chain import pv_yield
from siting.wind.chain import wind_yield

pytestmark = pytest.mark.real_data

STATIONS = {
    "Anhui": ["Anhui.Hefei.583210", "Anhui.Boxian.581020"],
    "Henan": ["Henan.Zhengzhou.570830"],
    "Zhejiang": ["Zhejiang.Hangzhou.584570"],
    "Jiangsu": ["Jiangsu.Nanjing.582380"],
    "Chongqing": ["Chongqing.Chongqing.Shapingba.575160"],
}


@lru_cache(maxsize=8)
def station(folder: Path, name: str) -> Weather:
    path = folder / "weather-cswd-epw" / f"CHN_{name}_CSWD.epw.gz"
    return read_epw(SourceCard(name, path, path.name, "test", Origin.MEASURED), name, 2023, log=FindingLog())


@lru_cache(maxsize=8)
def solar(folder: Path, name: str) -> np.ndarray:
    return pv_yield(station(folder, name), [TABLES.pv_variant("ground_fixed")]).power[:, 0]


def provincial(folder: Path, kind: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "load-cf-china-provinces" / f"cf_{kind}_2020_provinces.parquet")


def test_pv_follows_the_same_day_in_local_time(real_data: Path):
    """Correlation of the mean day above 0.99 and its centre within a quarter of an hour, once their stamps are read
    for what the sun says they are: China's time (as UTC they would peak in the evening), at the end of the hour."""
    theirs = provincial(real_data, "solar")
    clock = np.arange(24)
    for province, names in STATIONS.items():
        filed = theirs[province].to_numpy(float).reshape(-1, 24).mean(axis=0)
        day = np.roll(filed, -1)
        for name in names:
            ours = solar(real_data, name).reshape(-1, 24).mean(axis=0)
            centre = float((ours * clock).sum() / ours.sum() - (day * clock).sum() / day.sum())
            assert np.corrcoef(ours, day)[0, 1] > 0.99, name
            assert abs(centre) < 0.4, (name, centre)
            assert np.corrcoef(ours, np.roll(filed, 8))[0, 1] < 0


def test_pv_level_lies_in_the_band(real_data: Path):
    """Ours by theirs 0.78 to 1.10: below one on the whole, as the known excess of ERA5 has it."""
    theirs = provincial(real_data, "solar")
    ratio = {}
    for province, names in STATIONS.items():
        hours = np.mean([solar(real_data, name).sum() / 1.25 for name in names])
        ratio[province] = hours / 8760 / float(theirs[province].mean())
    assert all(0.75 < value < 1.1 for value in ratio.values()), ratio
    assert np.mean(list(ratio.values())) < 1.0


def test_wind_of_the_plains_is_too_low_in_theirs_and_scaled_in_ours(real_data: Path):
    """885 h in Anhui and 823 h in Henan are below what any plant there has (1 200 h raises our alarm; the country had
    1 728 to 1 948 h a year). To get them our generic turbine needs a mean of 3.0 to 3.9 m/s at 140 m."""
    theirs = provincial(real_data, "onwind")
    for province in ("Anhui", "Henan"):
        share = float(theirs[province].mean())
        assert share * 8760 < TABLES.technology("wind_onshore").hours_low
        weather = station(real_data, STATIONS[province][0])
        means = np.arange(2.5, 6.01, 0.25)
        hours = np.array([wind_yield(weather, GENERIC, mean_speed_m_per_s=m).power.sum() / 8760 for m in means])
        assert (np.diff(hours) > 0).all()
        assert 3.0 < float(np.interp(share, hours, means)) < 3.9
        assert 1200 < float(np.interp(5.5, means, hours)) * 8760 < 3200

"""The weather contract: promised columns, and columns that may be absent but keep their promise when present."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from layers.contracts import WEATHER_HOURS
from layers.tables import ContractError, Table, column


def hours(**more: list[float]) -> pd.DataFrame:
    base = {name: [float(promise.ge or 0)] * 2 for name, promise in WEATHER_HOURS.columns.items()}
    return pd.DataFrame(base | more)


def test_optional_columns_may_be_absent() -> None:
    WEATHER_HOURS.validate(hours())


def test_optional_columns_may_be_unknown() -> None:
    WEATHER_HOURS.validate(hours(wind_from_degree=[np.nan, 360.0], albedo=[0.2, np.nan]))


@pytest.mark.parametrize(
    "more", [{"wind_from_degree": [-1.0, 0.0]}, {"wind_from_degree": [0.0, 361.0]}, {"albedo": [0.2, 1.2]}]
)
def test_optional_columns_keep_their_promise(more: dict[str, list[float]]) -> None:
    with pytest.raises(ContractError):
        WEATHER_HOURS.validate(hours(**more))


def test_columns_beyond_both_are_refused() -> None:
    with pytest.raises(ContractError, match="snow_depth"):
        WEATHER_HOURS.validate(hours(snow_depth=[0.0, 0.0]))


def test_a_table_without_optional_columns_is_as_before() -> None:
    table = Table("t", "", {"a": column(float, "", "")})
    assert table.optional == {}
    with pytest.raises(ContractError):
        table.validate(pd.DataFrame({"a": [1.0], "b": [1.0]}))
    with pytest.raises(ContractError):
        table.validate(pd.DataFrame({"b": [1.0]}))

"""Tables that cross a package border: one promise per column, checked without repairing anything.

A :class:`Table` is a pandera schema (no coercion, all failures at once) that also carries units and
descriptions, so that the data dictionary is derived from the same lines that check the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pandas as pd
import pandera.errors
import pandera.pandas as pa

Frame_ = TypeVar("Frame_", bound=pd.DataFrame)


class ContractError(Exception):
    """A table broke its promise. This is a fault of the program, not of the user's input."""


@dataclass(frozen=True)
class Column:
    """Promise about one column; ``dtype`` None leaves the type open (geometry)."""

    dtype: type | None
    unit: str
    description: str
    nullable: bool
    unique: bool
    ge: float | None
    gt: float | None
    le: float | None
    isin: tuple[str, ...] | None

    def to_pandera(self, *, required: bool = True) -> pa.Column:
        checks = []
        if self.ge is not None:
            checks.append(pa.Check.ge(self.ge))
        if self.gt is not None:
            checks.append(pa.Check.gt(self.gt))
        if self.le is not None:
            checks.append(pa.Check.le(self.le))
        if self.isin is not None:
            checks.append(pa.Check.isin(self.isin))
        return pa.Column(
            self.dtype,
            checks,
            nullable=self.nullable,
            unique=self.unique,
            coerce=False,
            required=required,
            description=self.description,
        )


def column(
    dtype: type | None,
    unit: str,
    description: str,
    *,
    nullable: bool = False,
    unique: bool = False,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    isin: Sequence[str] | None = None,
) -> Column:
    """Promise about one column, in one line."""
    return Column(dtype, unit, description, nullable, unique, ge, gt, le, None if isin is None else tuple(isin))


@dataclass(frozen=True)
class Table:
    """Name, meaning and columns of a table. ``optional`` columns may be absent; present, they keep their promise."""

    name: str
    description: str
    columns: Mapping[str, Column]
    optional: Mapping[str, Column] = field(default_factory=dict)

    @property
    def every_column(self) -> dict[str, Column]:
        """The promised columns, then the optional ones."""
        return {**self.columns, **self.optional}

    def validate(self, frame: Frame_) -> Frame_:
        """Return ``frame`` unchanged, or raise :class:`ContractError` with every broken promise.

        Columns beyond the promised ones are refused as well.
        """
        promises = {name: promise.to_pandera() for name, promise in self.columns.items()}
        promises |= {name: promise.to_pandera(required=False) for name, promise in self.optional.items()}
        schema = pa.DataFrameSchema(
            promises,
            strict=True,
            coerce=False,
            name=self.name,
        )
        try:
            schema.validate(pd.DataFrame(frame), lazy=True)
        except pandera.errors.SchemaErrors as error:
            broken = error.failure_cases[["column", "check", "failure_case"]].drop_duplicates().head(20)
            raise ContractError(f"table {self.name}:\n{broken.to_string(index=False)}") from error
        return frame

    def empty(self) -> pd.DataFrame:
        """A table with the promised columns and no row."""
        return pd.DataFrame(
            {name: pd.Series(dtype=object if c.dtype in (None, str) else c.dtype) for name, c in self.columns.items()}
        )

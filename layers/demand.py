"""Hourly electricity demand of the region, from that of its province."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Demand, Finding, InputError, SourceCard
from layers.source_file import card_finding, file_findings

_HOURS = 8760


def read_provincial_demand(card: SourceCard, column: str, share: float, *, growth: float = 1.0, title: str) -> Demand:
    """Demand of a region as a share of its province's.

    Parameters
    ----------
    card : SourceCard
        Parquet table of 8760 rows [MW], hours of a common year in local time, label = start of the hour.
    column : str
        The province's column, e.g. ``ZJ``.
    share : float
        Part of the province's demand, above 0 and at most 1; for instance its part of the inhabitants.
    growth : float
        Factor from the year of the data to the year of the study, above 0.
    title : str
        How the demand is named in results.

    Returns
    -------
    Demand
        ``p_mw = province_mw * share * growth``; share and growth stand in ``assumptions``.

    Raises
    ------
    InputError
        With everything wrong: file, column, number of rows, missing, negative or zero hours, share, growth.
    """
    findings = [*file_findings(card), *_factor_findings(card, share, growth)]
    hours: npt.NDArray[np.float64] | None = None
    if not any(f.rule == "source.file_missing" for f in findings):
        hours, more = _province(card, column)
        findings += more
    if findings or hours is None:
        raise InputError(findings)
    return Demand(
        p_mw=hours * (share * growth),
        origin=card.origin,
        title=title,
        assumptions=(
            f"the region's demand is {share:.4g} of the province's ({column}) in every hour",
            f"demand grows by the factor {growth:.4g} from the year of the data to the year of the study",
        ),
    )


def _factor_findings(card: SourceCard, share: float, growth: float) -> list[Finding]:
    found = []
    if not 0 < share <= 1:
        found.append(
            card_finding(
                card,
                "error",
                "demand.share",
                "share",
                share,
                "the share must be above 0, at most 1.",
                "Divide the inhabitants of the region by those of the province.",
            )
        )
    if not (np.isfinite(growth) and growth > 0):
        found.append(
            card_finding(
                card,
                "error",
                "demand.growth",
                "growth",
                growth,
                "the growth factor must be above 0.",
                "Give demand in the study year over demand in the data's year.",
            )
        )
    return found


def _province(card: SourceCard, column: str) -> tuple[npt.NDArray[np.float64] | None, list[Finding]]:
    try:
        table = pd.read_parquet(card.path)
    except (OSError, ValueError) as error:
        reason = type(error).__name__
        message = f"the file is no Parquet table ({reason})."
        return None, [
            card_finding(card, "error", "demand.unreadable", "path", card.shown_path, message, "Give a Parquet file.")
        ]
    if column not in table.columns:
        known = ", ".join(str(name) for name in table.columns)
        message, remedy = f"there is no such column; the file has: {known}.", "Name one of these."
        return None, [card_finding(card, "error", "demand.column_missing", "column", column, message, remedy)]
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
    return values, _hour_findings(card, column, values)


def _hour_findings(card: SourceCard, column: str, values: npt.NDArray[np.float64]) -> list[Finding]:
    found = []
    if len(values) != _HOURS:
        message = f"a year has {_HOURS} hours, the table {len(values)} rows."
        found.append(
            card_finding(card, "error", "demand.hours", column, len(values), message, "Give one common year by hours.")
        )
    for rule, wrong, what in (
        ("demand.gap", ~np.isfinite(values), "is missing"),
        ("demand.not_positive", values <= 0, "is zero or negative"),
    ):
        if wrong.any():
            first = ", ".join(str(row) for row in np.flatnonzero(wrong)[:5])
            message = f"demand {what} in {wrong.sum()} hours, first rows {first}."
            remedy = "Fill the hours in the source; a province is never without demand."
            found.append(card_finding(card, "error", rule, f"{column} row {first}", wrong.sum(), message, remedy))
    return found

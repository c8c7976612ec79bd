"""Very many roofs, each with an orientation of its own, on few weather cells.

The sun and the sky of a cell are computed once; each roof is one run of the compiled loop. Hourly power is summed by
cell as it is made, so that memory does not grow with the number of roofs but for a few numbers each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layers.contracts import Finding, InputError, Weather
from siting.pv.chain import run_sides
from siting.pv.options import PvOptions
from siting.pv.sides import planes_of, pv_cell
from siting.technologies.pv import PvVariant

Floats = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]

_BLOCK = 2048


@dataclass(frozen=True)
class Roofs:
    """Roofs as columns of equal length: number of the weather cell, tilt and azimuth [degree], capacity [kW DC]."""

    cell: npt.NDArray[np.int64]
    tilt_deg: Floats
    azimuth_deg: Floats
    capacity_kw: Floats


@dataclass(frozen=True)
class FleetYield:
    """``specific_yield_kwh_per_kw``: yearly AC energy by DC capacity, shape (roofs,). ``power_mw``: AC of all roofs of
    a cell together, shape (hours, cells)."""

    specific_yield_kwh_per_kw: Floats
    power_mw: Floats


def pv_fleet(
    weather: Sequence[Weather],
    roofs: Roofs,
    base: PvVariant,
    options: PvOptions | None = None,
    *,
    progress: Progress | None = None,
) -> FleetYield:
    """Yearly yield of every roof and hourly power of every weather cell.

    Parameters
    ----------
    weather : sequence of Weather
        Cells with the same number of hours.
    roofs : Roofs
        ``cell`` counts in ``weather``.
    base : PvVariant
        How the roofs are built; its own orientations do not matter. Roofs of one cell with the same tilt and azimuth
        are computed once.

    Raises
    ------
    InputError
        With every finding about the columns: lengths, numbers of cells, tilts and azimuths out of range, capacities
        that are no numbers.
    """
    chosen = PvOptions() if options is None else options
    _check(roofs, len(weather))
    count = len(weather[0].hours) if weather else 0
    power = np.zeros((len(weather), count))
    yearly = np.empty(roofs.cell.size)
    for number, record in enumerate(weather):
        if progress is not None:
            progress(f"roofs {record.cell_id}", number / len(weather))
        mine = np.flatnonzero(roofs.cell == number)
        if not mine.size:
            continue
        cell = pv_cell(record, chosen)
        sky = chosen.horizon(record.cell_id)
        planes, which = np.unique(
            np.column_stack([roofs.tilt_deg[mine], roofs.azimuth_deg[mine] % 360]), axis=0, return_inverse=True
        )
        which = which.ravel()
        capacity = np.bincount(which, roofs.capacity_kw[mine], len(planes))
        energy = np.empty(len(planes))
        for start in range(0, len(planes), _BLOCK):
            block = slice(start, start + _BLOCK)
            size = len(planes[block])
            column = np.full(size, number, dtype=np.int64)
            weight = capacity[block] / base.dc_ac_ratio / 1000
            sides = planes_of([base] * size, planes[block, 0], planes[block, 1], column, weight, sky, chosen)
            energy[block] = run_sides(cell, sides, chosen, power)[:, 7] / base.dc_ac_ratio
        yearly[mine] = energy[which]
    return FleetYield(yearly, power.T)


def _check(roofs: Roofs, cells: int) -> None:
    findings: list[Finding] = []

    def report(rule: str, column: str, bad: npt.NDArray[np.bool_], values: Floats, remedy: str) -> None:
        rows = np.flatnonzero(bad)
        if rows.size:
            item, message = f"roof {rows[0]}, {column}", f"{rows.size} roof(s) with a {column} that cannot be."
            findings.append(
                Finding("error", f"pv_fleet.{rule}", "study", "roofs", item, str(values[rows[0]]), message, remedy)
            )

    columns = (roofs.cell, roofs.tilt_deg, roofs.azimuth_deg, roofs.capacity_kw)
    sizes = {column.size for column in columns}
    if len(sizes) > 1:
        message, remedy = "The columns differ in length.", "Give one value for each roof."
        raise InputError(
            [Finding("error", "pv_fleet.length", "study", "roofs", "", str(sorted(sizes)), message, remedy)]
        )
    report("cell", "cell", (roofs.cell < 0) | (roofs.cell >= cells), roofs.cell.astype(float), f"Use 0..{cells - 1}.")
    report("tilt", "tilt_deg", ~((roofs.tilt_deg >= 0) & (roofs.tilt_deg <= 90)), roofs.tilt_deg, "Use 0..90.")
    report("azimuth", "azimuth_deg", ~((roofs.azimuth_deg >= 0) & (roofs.azimuth_deg <= 360)), roofs.azimuth_deg,
           "Use 0..360.")  # fmt: skip
    known = np.isfinite(roofs.capacity_kw) & (roofs.capacity_kw >= 0)
    report("capacity", "capacity_kw", ~known, roofs.capacity_kw, "Give kilowatts.")
    if findings:
        raise InputError(findings)

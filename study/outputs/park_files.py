"""What a run writes of its parks."""

from __future__ import annotations

from pathlib import Path

from siting.parks.matching import write_park_hours
from study.outputs.exports import write_table
from study.sites.parks import ParkResults


def write_parks(parks: ParkResults, folder: Path) -> None:
    """``parks.csv`` and the hours of each park as ``parks/<id>.parquet``; nothing where there is no park."""
    if parks.parks.empty:
        return
    write_table(parks.parks, folder / "parks.csv")
    for name, match in zip(parks.parks["park_id"], parks.matches, strict=True):
        write_park_hours(match.hours, folder / "parks" / f"{name}.parquet")

"""What a run writes of its parks."""

from __future__ import annotations

from pathlib import Path

from siting.parks.matching import write_park_hours
from study.outputs.exports import write_table
from study.sites.parks import ParkResults


def write_parks(parks: ParkResults, folder: Path) -> None:
    """``parks.csv``; in ``parks/`` sites, rules and sizing as CSV and the hours of each park; nothing without one."""
    if parks.parks.empty:
        return
    write_table(parks.parks, folder / "parks.csv")
    (folder / "parks").mkdir(parents=True, exist_ok=True)
    for name, table in (("sites", parks.sites), ("rules", parks.rules), ("sizing", parks.sizing)):
        write_table(table, folder / "parks" / f"{name}.csv")
    for name, match in zip(parks.parks["park_id"], parks.matches, strict=True):
        write_park_hours(match.hours, folder / "parks" / f"{name}.parquet")

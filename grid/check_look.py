"""What every check of a network works with: its rows, the limits, and the findings so far."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from grid.contracts import Network
from grid.standards_tables import cached_by_standards, standard_table
from layers.contracts import Finding, Severity

Row = dict[str, Any]

IDS = {
    "stations": "station_id",
    "buses": "bus_id",
    "lines": "line_id",
    "transformers": "transformer_id",
    "loads": "load_id",
    "generators": "generator_id",
    "infeeds": "infeed_id",
}
BUS_COLUMNS = {
    "lines": ("from_bus", "to_bus"),
    "transformers": ("hv_bus", "lv_bus"),
    "loads": ("bus_id",),
    "generators": ("bus_id",),
    "infeeds": ("bus_id",),
}
BRANCHES = ("lines", "transformers")


@cached_by_standards
def limits() -> Mapping[str, float]:
    """Value of each row of ``standards/network_checks.csv``."""
    table = standard_table("network_checks")
    return {str(name): float(value) for name, value in zip(table["check"], table["value"], strict=True)}


@dataclass
class Look:
    """A network as rows, with its findings so far."""

    name: str
    rows: Mapping[str, list[Row]]
    stations: Mapping[str, Row]
    buses: Mapping[str, Row]
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def at(cls, network: Network) -> Look:
        rows = {table: cast("list[Row]", getattr(network, table).to_dict("records")) for table in IDS}
        by_id = {table: {row[IDS[table]]: row for row in rows[table]} for table in ("stations", "buses")}
        return cls(network.name, rows, by_id["stations"], by_id["buses"])

    def error(self, table: str, item: str, rule: str, value: object, message: str, remedy: str) -> None:
        self.add("error", table, item, rule, value, message, remedy)

    def warning(self, table: str, item: str, rule: str, value: object, message: str, remedy: str) -> None:
        self.add("warning", table, item, rule, value, message, remedy)

    def add(
        self, severity: Severity, table: str, item: str, rule: str, value: object, message: str, remedy: str
    ) -> None:
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        self.findings.append(
            Finding(severity, f"network.{rule}", f"{table}.csv", self.name, item, shown, message, remedy)
        )

    def items(self, table: str) -> Iterator[tuple[str, Row]]:
        for row in self.rows[table]:
            yield row[IDS[table]], row

    def sound(self, table: str) -> Iterator[tuple[str, Row, tuple[Row, ...]]]:
        """Rows whose buses all exist and differ: id, row, the buses' rows."""
        for item, row in self.items(table):
            names = [row[column] for column in BUS_COLUMNS[table]]
            if all(name in self.buses for name in names) and len(set(names)) == len(names):
                yield item, row, tuple(self.buses[name] for name in names)

    def position(self, bus: Row) -> tuple[float, float] | None:
        """lon, lat of a bus's station; None where it has none."""
        station = self.stations.get(bus["station_id"])
        return None if station is None else coordinates(station)


def coordinates(station: Row) -> tuple[float, float] | None:
    """lon, lat of a station; None where they are not known (NaN, or 0 and 0) or on no globe."""
    lon, lat = float(station["lon"]), float(station["lat"])
    known = math.isfinite(lon) and math.isfinite(lat) and (lon, lat) != (0.0, 0.0)
    return (lon, lat) if known and abs(lon) <= 180 and abs(lat) <= 90 else None


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like ``name``; empty where none is like it."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return found[0] if found else ""


def near(name: str, known: Iterable[str]) -> str:
    """The nearest known name as the end of a remedy."""
    found = nearest(name, known)
    return f" Did you mean {found}?" if found else ""


def times(factor: float) -> str:
    """A factor in words."""
    limit = limits()
    over, large = ("larger", factor) if factor >= 1 else ("smaller", 1 / factor if factor > 0 else math.inf)
    if limit["factor_of_ten_min"] <= large <= limit["factor_of_ten_max"]:
        return f"about ten times {over} ({large:.3g} times), as if the decimal point were misplaced"
    return f"{large:.3g} times {over}"

"""Which plants count as distributed generation: the scope of the edition as data, or a list of the user's own."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from grid.contracts import Assumption
from grid.rulebook.areas import Plant, SolvedNetwork, connection_kv
from grid.rulebook.book import Confidence, EditionName, graded_voltage_kv, table_rows, weakest
from grid.rulebook.inputs import fault
from layers.contracts import FindingLog


@dataclass(frozen=True)
class ScopeRule:
    """Plants of one fuel count up to a voltage and a size; ``p_max_mw`` is infinite where the size does not matter."""

    edition: str
    fuel: str
    vn_max_kv: float
    p_max_mw: float
    clause: str
    source: str
    confidence: Confidence

    def covers(self, plant: Plant, vn_kv: float) -> bool:
        """Whether a plant that connects at that voltage [kV] is in scope."""
        fits = plant.fuel == self.fuel and plant.installed_mw <= self.p_max_mw
        return fits and graded_voltage_kv(vn_kv) <= self.vn_max_kv


def scope_rules(edition: EditionName) -> tuple[ScopeRule, ...]:
    """Rows of ``distributed.csv`` for one edition, in file order."""
    return tuple(
        ScopeRule(
            row["edition"],
            row["fuel"],
            float(row["vn_max_kv"]),
            float(row["p_max_mw"] or math.inf),
            row["clause"],
            row["source"],
            row["confidence"],  # type: ignore[arg-type]
        )
        for row in table_rows("distributed")
        if row["edition"] == edition
    )


@dataclass(frozen=True)
class Distributed:
    """Ids of the plants that count, and how that was decided."""

    plant_ids: frozenset[str]
    assumptions: tuple[Assumption, ...]


def distributed_by_scope(network: SolvedNetwork, edition: EditionName) -> Distributed:
    """The plants in the scope of the edition, by fuel, connection voltage and size.

    A plant behind step-up units of its own connects at their high side. A plant of unknown size counts where its size
    does not matter. Base voltages below every level are in.
    """
    at_kv = connection_kv(network)
    lowest = min(float(row["from_kv"]) for row in table_rows("voltage_bands"))
    ids, used = set(), []
    for plant in network.plants:
        vn_kv = max(at_kv[plant.bus], lowest)
        rule = next((rule for rule in scope_rules(edition) if rule.covers(plant, vn_kv)), None)
        if rule is not None:
            ids.add(plant.plant_id)
            used.append(rule.confidence)
    zh, en = f"按规则范围认定分布式电源 {len(ids)} 座", f"{len(ids)} plants count as distributed by the edition's scope"
    source, sure = "grid/rulebook/distributed.csv", weakest(used)
    noted = Assumption("rulebook/distributed", "distributed generation", zh, en, str(len(ids)), source, sure)
    return Distributed(frozenset(ids), (noted,))


def distributed_by_list(network: SolvedNetwork, ids: Sequence[str], *, file: str) -> Distributed:
    """The plants of the user's list.

    Raises
    ------
    InputError
        Every id that is no plant of the network.
    """
    log, known = FindingLog(), {plant.plant_id for plant in network.plants}
    for item in dict.fromkeys(ids):
        if item not in known:
            near = difflib.get_close_matches(item, sorted(known), 1)
            remedy = f"Did you mean {near[0]}?" if near else "Correct the id."
            fault(log, "unknown_id", (file, "distributed"), item, item, "there is no such generator.", remedy)
    log.raise_errors()
    count = str(len(set(ids)))
    zh, en = f"分布式电源按清单认定 {count} 座", f"{count} plants count as distributed by the list given"
    noted = Assumption("rulebook/distributed", "distributed generation", zh, en, count, file, "A")
    return Distributed(frozenset(ids), (noted,))

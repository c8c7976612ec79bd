"""The plan's figures beside what land and network offer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from layers.tables import ContractError
from maps.contracts import TARGETS
from siting.technologies.tables import Technology, load_technology_tables

TechnologyGroup = Literal["pv", "wind", "renewable", "storage"]

_KINDS: dict[TechnologyGroup, tuple[str, ...]] = {
    "pv": ("pv",),
    "wind": ("wind",),
    "renewable": ("pv", "wind"),
    "storage": (),
}
"""Kinds of technology whose candidates count towards a group. Storage is not sited, so it has none."""


@dataclass(frozen=True)
class Target:
    """One figure of a plan.

    ``target_mw`` counts everything that stands in the target year, so ``installed_mw`` (NaN where not known) is
    taken off it. ``districts`` holds the codes of the districts the figure speaks of; empty: the whole study.
    """

    region: str
    quantity_zh: str
    quantity_en: str
    technology_group: TechnologyGroup
    year: int
    target_mw: float
    installed_mw: float = math.nan
    source: str = ""
    districts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Installed:
    """Capacity that stands in the whole study region already, where a target itself does not say."""

    technology_group: TechnologyGroup
    installed_mw: float
    source: str


def accepted_capacity_mw(projects: pd.DataFrame) -> pd.Series:
    """Accepted power on the basis of ``capacity_mw`` [MW], one value a project, same index.

    The network accepts AC power at the connection point (``accepted_mw``, at most ``grid_capacity_mw``), while PV
    capacity is DC at standard test conditions. Beside a candidate's DC figure an AC figure would look like a
    refusal of the difference, so it is scaled back by the project's own ratio::

        accepted capacity = accepted_mw * capacity_mw / grid_capacity_mw

    A fully accepted project then counts with its full ``capacity_mw``; for wind both bases are AC.
    """
    return projects["accepted_mw"] * projects["capacity_mw"] / projects["grid_capacity_mw"]


def target_table(
    targets: Sequence[Target],
    projects: pd.DataFrame,
    installed: Sequence[Installed] = (),
    *,
    technologies: Sequence[Technology] | None = None,
) -> pd.DataFrame:
    """Compare each target with the candidates and with what the network accepts of them.

    Parameters
    ----------
    targets
        The plan's figures, in the order in which they are shown.
    projects
        :data:`maps.contracts.PROJECTS` (a geometry column does no harm).
    installed
        Capacity per group for targets over the whole study that do not state their own; it is named in ``source``.
    technologies
        Tell by their kind which group a project counts towards; None: those that come with the program.

    Returns
    -------
    pandas.DataFrame
        :data:`maps.contracts.TARGETS`, one row a target. ``candidates_mw`` and ``accepted_mw`` are both installed
        capacity (PV DC, wind AC; see :func:`accepted_capacity_mw`). Storage has no candidates, so both are 0.
        "renewable" sums PV and wind. ``gap_mw = target - installed (0 where not known) - accepted``; negative is a
        surplus.

    Raises
    ------
    ContractError
        If a project's technology is none of ``technologies``.

    Notes
    -----
    A plan that counts PV on the AC side asks for more than its figure says here: the candidates' DC capacity covers
    it only after division by the DC/AC ratio. Plans rarely state the side.
    """
    if not targets:
        return TARGETS.empty()
    listed = pd.DataFrame(
        {
            "district_code": projects["district_code"],
            "kind": _kinds(projects["technology"], technologies),
            "candidates_mw": projects["capacity_mw"],
            "accepted_mw": accepted_capacity_mw(projects),
        }
    )
    return TARGETS.validate(pd.DataFrame([_row(target, listed, installed) for target in targets]))


def _kinds(used: pd.Series, technologies: Sequence[Technology] | None) -> list[str]:
    known = load_technology_tables().technologies if technologies is None else technologies
    kinds: dict[str, str] = {technology.technology: technology.kind for technology in known}
    strange = sorted({technology for technology in used if technology not in kinds})
    if strange:
        raise ContractError(f"table projects: technologies {', '.join(strange)} are not known")
    return [kinds[technology] for technology in used]


def _row(target: Target, listed: pd.DataFrame, installed: Sequence[Installed]) -> dict[str, object]:
    mine = listed["kind"].isin(_KINDS[target.technology_group])
    if target.districts:
        mine &= listed["district_code"].isin(target.districts)
    # fsum: the sum does not depend on the order of the list
    candidates_mw = math.fsum(listed.loc[mine, "candidates_mw"])
    accepted_mw = math.fsum(listed.loc[mine, "accepted_mw"])
    installed_mw, source = _installed(target, installed)
    known_mw = 0.0 if math.isnan(installed_mw) else installed_mw
    return {
        "region": target.region,
        "quantity_zh": target.quantity_zh,
        "quantity_en": target.quantity_en,
        "technology_group": target.technology_group,
        "year": target.year,
        "target_mw": float(target.target_mw),
        "installed_mw": installed_mw,
        "candidates_mw": candidates_mw,
        "accepted_mw": accepted_mw,
        "gap_mw": target.target_mw - known_mw - accepted_mw,
        "source": source,
    }


def _installed(target: Target, installed: Sequence[Installed]) -> tuple[float, str]:
    """Installed capacity and the sources of the row. The target's own figure wins over the network's."""
    if not math.isnan(target.installed_mw) or target.districts:
        return float(target.installed_mw), target.source
    known = [entry for entry in installed if entry.technology_group == target.technology_group]
    if not known:
        return math.nan, target.source
    sources = dict.fromkeys(entry.source for entry in known if entry.source)
    total = math.fsum(entry.installed_mw for entry in known)
    return total, "; ".join(part for part in (target.source, *(f"installed: {s}" for s in sources)) if part)

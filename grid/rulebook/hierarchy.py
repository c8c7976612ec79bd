"""Who obeys whom: county, 330/220 kV, 110/66 kV, 35 kV, 10 kV. Checked, then walked from the top."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from grid.rulebook.book import levels
from grid.rulebook.inputs import fault
from layers.contracts import FindingLog


def check_levels(
    ids: Sequence[str], vn_kv: Sequence[float], edition: str, log: FindingLog, where: tuple[str, str]
) -> None:
    """A finding for each voltage that is no level of the edition."""
    known = levels(edition)
    shown = ", ".join(f"{v:g}" for v in known)
    for item, level in zip(ids, vn_kv, strict=True):
        if level > 0 and level not in known:
            remedy = f"The levels are {shown} kV."
            fault(log, "level", where, f"{item} vn_kv", float(level), "no voltage level of the edition.", remedy)


def check_superiors(
    superior: Mapping[str, str],
    vn_kv: Mapping[str, float],
    edition: str,
    log: FindingLog,
    where: tuple[str, str],
    counties: Sequence[str] = (),
) -> None:
    """Findings for superiors that do not exist, are no higher, or lead round in a circle.

    Parameters
    ----------
    superior : mapping
        Equipment id -> id of the superior equipment or county; empty where there is none.
    vn_kv : mapping
        Equipment id -> nominal voltage [kV].
    """
    known, places = {*superior, *counties}, levels(edition)
    for item in sorted({*superior} & {*counties}):
        fault(log, "same_id", where, item, item, "a county and a transformer have the same id.", "Rename one.")
    for item, above in superior.items():
        if above and above not in known:
            near = difflib.get_close_matches(above, sorted(known), 1)
            remedy = f"Did you mean {near[0]}?" if near else "Add the superior, or leave it empty."
            fault(log, "superior_missing", where, f"{item} superior_id", above, "there is no such superior.", remedy)
        elif above in superior and above != item:
            own, over = places.get(vn_kv[item]), places.get(vn_kv[above])
            if own is not None and over is not None and over >= own:
                text = f"its superior has {vn_kv[above]:g} kV, which is not a higher level than {vn_kv[item]:g} kV."
                fault(log, "superior_level", where, f"{item} superior_id", above, text, "Name what feeds it.")
    for circle in circles(superior):
        text = "each of these obeys the next, and the last the first."
        fault(log, "circle", where, circle[0], " -> ".join(circle), text, "Correct one superior_id.")


def circles(superior: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Circles of superiors, each starting at its smallest id, sorted."""
    found: set[tuple[str, ...]] = set()
    done: set[str] = set()
    for start in superior:
        path: dict[str, int] = {}
        here = start
        while here in superior and here not in done and here not in path:
            path[here] = len(path)
            here = superior[here]
        if here in path:
            circle = [item for item, place in path.items() if place >= path[here]]
            first = circle.index(min(circle))
            found.add((*circle[first:], *circle[:first]))
        done.update(path)
    return sorted(found)


def from_the_top(superior: Mapping[str, str]) -> list[str]:
    """Ids with every superior before its inferiors, otherwise in the order given. There must be no circle."""
    order: dict[str, None] = {}
    for start in superior:
        path = [start]
        while superior[path[-1]] in superior and superior[path[-1]] not in order:
            path.append(superior[path[-1]])
        order.update(dict.fromkeys(reversed(path)))
    return list(order)

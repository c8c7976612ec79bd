"""A case as pandapower JSON."""

from __future__ import annotations

from pathlib import Path

from grid.model.contracts import BusBranch, LossItem
from grid.model.pandapower_export import to_pandapower


def write_pandapower_json(case: BusBranch, path: Path) -> tuple[LossItem, ...]:
    """Write ``case`` for ``pandapower.from_json``; returns what the format could not hold. Same case, same bytes."""
    import pandapower as pp

    exported = to_pandapower(case)
    text = pp.to_json(exported.net, filename=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return exported.losses

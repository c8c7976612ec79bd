"""Which writer a target needs, told by its name."""

from __future__ import annotations

from pathlib import Path

from grid.model.contracts import BusBranch
from layers.contracts import Finding, InputError


def write_case(case: BusBranch, target: Path) -> list[Finding]:
    """Write a case: ``.json`` pandapower, ``.m`` MATPOWER, ``.dat`` PSD-BPA, ``.gpkg`` or a folder the table format.

    Returns
    -------
    list of Finding
        What the format could not hold, severity note.

    Raises
    ------
    InputError
        If the name tells no format.
    """
    suffix = target.suffix.lower()
    if suffix == ".json":
        from grid.writers.pandapower_json import write_pandapower_json as write
    elif suffix == ".m":
        from grid.writers.matpower import write_matpower as write
    elif suffix == ".dat":
        from grid.model.star import expand_three_winding
        from grid.writers.bpa import write_bpa as write

        case = expand_three_winding(case)
    elif suffix in ("", ".gpkg"):
        from grid.writers.tables import write_network_tables as write
    else:
        remedy = "Name a .json, .m, .dat or .gpkg file, or a folder."
        message = "no network format is written under this name."
        raise InputError([Finding("error", "network.target", target.name, "file", "", suffix, message, remedy)])
    return [
        Finding("note", f"write.{loss.action}", target.name, loss.element, loss.field, loss.value,
                f"The field was {loss.action} in writing.", loss.remedy)
        for loss in write(case, target)
    ]  # fmt: skip

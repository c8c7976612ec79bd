"""Which reader a file needs, told by its name and, where that does not tell, by its content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grid.model.contracts import BusBranch
from layers.contracts import Finding, InputError

Reader = Callable[[Path, str], BusBranch]
_RAW_HEAD = 4096

FORMATS = {
    "matpower": "MATPOWER case, .m or .mat",
    "psse": "PSS/E RAW revision 29 to 35, .raw",
    "bpa": "PSD-BPA network data, .dat",
    "pandapower": "pandapower JSON, .json",
    "tables": "folder of CSV files or GeoPackage, .gpkg",
    "rts_gmlc": "RTS-GMLC source data, a folder with bus.csv and branch.csv",
    "pypsa": "PyPSA network, a folder of CSV files with buses.csv",
    "cgmes": "CGMES profiles, a .zip or a folder of .xml",
    "ucte": "UCTE-DEF, .uct",
}
"""What :func:`read_case` reads, for people."""


def read_case(path: Path, shown: str | None = None) -> BusBranch:
    """Read a network of any known format.

    Parameters
    ----------
    path : Path
        File or folder.
    shown : str, optional
        What findings call it; its name by default.

    Raises
    ------
    InputError
        If the format is not known, and with everything that its reader finds.
    """
    label = shown or path.name
    found = format_of(path)
    if found == "":
        known = "; ".join(FORMATS.values())
        message = "there is no such file." if not path.exists() else "no known network format."
        raise InputError(
            [Finding("error", "network.format", label, "file", "", path.suffix, message, f"Read: {known}.")]
        )
    return _reader(found)(path, label)


def format_of(path: Path) -> str:
    """Key of :data:`FORMATS`; empty where nothing fits."""
    if path.is_dir():
        if any(path.glob("*.xml")):
            return "cgmes"
        if (path / "bus.csv").is_file() and (path / "branch.csv").is_file():
            return "rts_gmlc"
        return _of_buses_csv(path / "buses.csv") if (path / "buses.csv").is_file() else ""
    if not path.is_file():
        return ""
    by_name = {".m": "matpower", ".mat": "matpower", ".raw": "psse", ".dat": "bpa", ".json": "pandapower",
               ".gpkg": "tables", ".uct": "ucte", ".zip": "cgmes", ".xml": "cgmes"}  # fmt: skip
    return by_name.get(path.suffix.lower()) or _by_content(path)


def _of_buses_csv(path: Path) -> str:
    with path.open("rb") as stream:
        return "pypsa" if b"v_nom" in stream.readline() else "tables"


def _by_content(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(_RAW_HEAD)
    if b"(POWERFLOW" in head.upper() or b"/NETWORK_DATA" in head.upper():
        return "bpa"
    if b"function mpc" in head:
        return "matpower"
    return "psse" if b"PSS" in head.split(b"\n", 1)[0] else ""


def _reader(name: str) -> Reader:
    if name == "matpower":
        from grid.readers.matpower import read_matpower

        return read_matpower
    if name == "psse":
        from grid.readers.psse import read_psse

        return read_psse
    if name == "bpa":
        from grid.readers.bpa import read_bpa

        return read_bpa
    if name == "pandapower":
        from grid.readers.pandapower_json import read_pandapower_json

        return read_pandapower_json
    if name == "tables":
        from grid.readers.tables import read_network_tables

        return read_network_tables
    if name == "rts_gmlc":
        from grid.readers.rts_gmlc import read_rts_gmlc

        return read_rts_gmlc
    if name == "pypsa":
        from grid.readers.pypsa_csv import read_pypsa_csv

        return read_pypsa_csv
    from grid.readers.converted import read_cgmes, read_ucte

    return read_ucte if name == "ucte" else read_cgmes

"""A study file to start from: complete for a generated region, or with a place for each of the user's files.

The texts are templates in ``study/templates``; figures that fill them are data in ``places.toml`` there.
"""

from __future__ import annotations

import csv
import json
import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layers.contracts import Finding, InputError
from study.atomic import replaced
from study.study_file import BUILTIN_DATA

TEMPLATES = Path(__file__).resolve().parent / "templates"
SCHEMA_NAME = "study.schema.json"
_NORMALS = "climate-normals.csv"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_EARTH_KM_PER_DEGREE = 111.195
_FINE_M, _COARSE_M = 30, 60
_BOUNDS: dict[str, tuple[float, float, str]] = {
    "area_km2": (1.0, 200_000.0, "km2"),
    "population": (1.0, 200e6, "inhabitants"),
    "lon": (73.5, 135.5, "degrees east"),
    "lat": (3.5, 53.6, "degrees north"),
    "districts": (1, 200, "districts"),
}


@dataclass(frozen=True)
class Place:
    """A place with monthly climate normals."""

    name: str
    lon: float
    lat: float
    distance_km: float


def new_study(
    name: str,
    folder: Path,
    *,
    generated: bool,
    area_km2: float,
    population: float,
    lon: float,
    lat: float,
    districts: int,
) -> Path:
    """Write a commented study file, and the JSON schema beside it.

    Parameters
    ----------
    name
        Letters, digits, ``-`` and ``_``; the file becomes ``<folder>/<name>.toml``.
    folder
        Made when it does not exist.
    generated
        True: complete and ready to run on generated data. False: with a placeholder for each of the user's files.
    area_km2, population, lon, lat, districts
        Size [km2, inhabitants], centre [degrees WGS-84] and number of districts of a generated region.

    Returns
    -------
    Path
        The study file.

    Raises
    ------
    InputError
        With every fault: a name that is no file name, a study that exists already (it is never overwritten), a
        file of another kind in the schema's place, a size or position out of range.
    """
    path, schema = folder / f"{name}.toml", folder / SCHEMA_NAME
    sizes = {"area_km2": area_km2, "population": population, "lon": lon, "lat": lat, "districts": districts}
    findings = _name_findings(name, path) + _schema_findings(schema)
    findings += _size_findings(sizes) if generated else []
    if findings:
        raise InputError(findings)
    figures = _figures(name, **sizes) if generated else _own_figures(name)
    text = fill((TEMPLATES / ("generated.toml" if generated else "own_data.toml")).read_text("utf-8"), figures)
    folder.mkdir(parents=True, exist_ok=True)
    with replaced(schema) as partial:
        partial.write_text(schema_text(), "utf-8")
    _write_new(path, text)
    return path


def schema_text() -> str:
    """JSON schema of the study file, for editors."""
    from study.schema.file import StudyFile

    return json.dumps(StudyFile.model_json_schema(), ensure_ascii=False, indent=2) + "\n"


def fill(template: str, figures: dict[str, str]) -> str:
    """Put the figures into a template's ``{{key}}`` places.

    Raises
    ------
    KeyError
        If the template asks for a figure that is not given.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda match: figures[match.group(1)], template)


def study_code(name: str) -> str:
    """Two to six capitals for the candidates' ids: initials of the parts, or the beginning of a single word.

    ``my-city`` -> ``MC``, ``bozhou`` -> ``BOZH``.
    """
    parts = [part for part in re.split(r"[-_]+", name.upper()) if part]
    code = "".join(part[0] for part in parts)[:6] if len(parts) > 1 else "".join(parts)[:4]
    return code if len(code) > 1 else (code + "X")


def nearest_place(lon: float, lat: float) -> Place:
    """The place with climate normals that is nearest to a position [degrees WGS-84]."""
    with (BUILTIN_DATA / _NORMALS).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    places = sorted({(row["place"], float(row["lon"]), float(row["lat"])) for row in rows})
    return min((Place(n, x, y, _distance_km(lon, lat, x, y)) for n, x, y in places), key=lambda p: p.distance_km)


def _distance_km(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Distance on a sphere, equirectangular: right to a percent within some hundred kilometres."""
    east = (other_lon - lon) * math.cos(math.radians((lat + other_lat) / 2))
    return math.hypot(east, other_lat - lat) * _EARTH_KM_PER_DEGREE


def _own_figures(name: str) -> dict[str, str]:
    return {"name": name, "code": study_code(name), "seed": "20240101", "resolution_m": str(_FINE_M)}


def _figures(
    name: str, *, area_km2: float, population: float, lon: float, lat: float, districts: float
) -> dict[str, str]:
    settings = tomllib.loads((TEMPLATES / "places.toml").read_text("utf-8"))
    defaults: dict[str, Any] = settings["defaults"]
    place = nearest_place(lon, lat)
    profile = settings["profile_by_place"].get(place.name, defaults["profile"])
    wind = settings["wind_by_profile"][profile]
    peak_mw = population * defaults["kw_per_inhabitant"] / 1000
    strong = peak_mw > defaults["infeed_500_above_mw"]
    fine = area_km2 * 1e6 / _FINE_M**2 <= defaults["cells_fine"]
    return {
        **_own_figures(name),
        "resolution_m": str(_FINE_M if fine else _COARSE_M),
        "lon": _number(lon),
        "lat": _number(lat),
        "area_km2": _number(area_km2),
        "districts": str(int(districts)),
        "population": _number(population),
        "profile": profile,
        "place": place.name,
        "place_km": f"{place.distance_km:.0f}",
        "peak_mw": _number(float(f"{peak_mw:.3g}")),
        "kw_per_inhabitant": _number(defaults["kw_per_inhabitant"]),
        "wind_host": wind["host"],
        "wind_layer": wind["layer"],
        "infeed_kv": "500" if strong else "220",
        "below_kv": "220" if strong else "110",
    }


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _name_findings(name: str, path: Path) -> list[Finding]:
    if not _NAME.fullmatch(name):
        remedy = "Use letters, digits, '-' and '_', beginning with a letter or digit, e.g. my-city."
        return [_fault("new.name", "", "name", name, "this cannot be the name of a study.", remedy)]
    if path.exists() or path.is_symlink():
        remedy = f"Choose another name, or move {path.name} away first."
        return [_fault("new.exists", path.name, "name", name, "the study file exists already; it is kept.", remedy)]
    return []


def _schema_findings(path: Path) -> list[Finding]:
    """An earlier schema may be renewed; anything else in its place is the user's."""
    if not path.exists():
        return []
    try:
        title = json.loads(path.read_text("utf-8")).get("title")
    except (OSError, ValueError, AttributeError):
        title = None
    if title == "StudyFile":
        return []
    remedy = "Move it away, or give another folder with --folder."
    return [_fault("new.schema_exists", path.name, "schema", "", "another file is in the schema's place.", remedy)]


def _size_findings(sizes: dict[str, float]) -> list[Finding]:
    found = []
    for item, value in sizes.items():
        low, high, unit = _BOUNDS[item]
        if not low <= value <= high:
            message = f"{item} lies outside {low:g} to {high:g} {unit}."
            found.append(_fault("new.range", "", item, f"{value:g}", message, f"Give --{item.replace('_', '-')}."))
    return found


def _fault(rule: str, file: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", rule, file, "new", item, value, message, remedy)


def _write_new(path: Path, text: str) -> None:
    """Write a file that did not exist; one that came about meanwhile is kept."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError(_name_findings(path.stem, path)) from None

"""Weather from the online services PVGIS and NASA POWER, through pvlib's own readers, kept as files.

A request is asked once: the file's name carries the request and a digest of it, and a file that is there is not
fetched again. The file has the format of the service, so that it is read, checked and cited like one that was
fetched by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from layers.contracts import InputError
from layers.weather_raw import Report

SERVICES = ("pvgis", "nasa-power")

_POWER_PARAMETERS = ("ALLSKY_SFC_SW_DWN", "ALLSKY_SFC_SW_DNI", "ALLSKY_SFC_SW_DIFF", "ALLSKY_SRF_ALB", "T2M", "PS",
                     "WS10M", "WS50M", "WD50M")  # fmt: skip
_BY_HAND = {
    "pvgis": "the hourly (slope 0, with radiation components) or TMY download of PVGIS, as JSON or CSV",
    "nasa-power": "an hourly point download of NASA POWER, community RE, time standard UTC, as JSON or CSV",
}


@dataclass(frozen=True)
class Fetched:
    """A file of a service. ``cached``: it was there already, nothing was asked."""

    path: Path
    format: str
    cached: bool


@dataclass(frozen=True)
class Request:
    """What is asked. ``years`` None asks PVGIS for its typical year."""

    service: str
    latitude: float
    longitude: float
    years: tuple[int, int] | None

    @property
    def file_name(self) -> str:
        """Name of the file: readable, and different for every request."""
        words = json.dumps([self.service, self.latitude, self.longitude, self.years, _POWER_PARAMETERS])
        digest = hashlib.sha256(words.encode()).hexdigest()[:8]
        span = "tmy" if self.years is None else "-".join(str(year) for year in dict.fromkeys(self.years))
        return f"{self.service}_{self.latitude:.4f}N_{self.longitude:.4f}E_{span}_{digest}.json"

    @property
    def format(self) -> str:
        if self.service == "nasa-power":
            return "nasa_power"
        return "pvgis_tmy" if self.years is None else "pvgis_hourly"


def fetch_weather(request: Request, folder: Path, *, url: str | None = None) -> Fetched:
    """Ask a service for hourly weather and keep the reply.

    Parameters
    ----------
    request : Request
    folder : Path
        Where the file goes; made if absent.
    url : str, optional
        Another address of the same service; pvlib's own by default.

    Returns
    -------
    Fetched
        The same request gives the same name, and the same reply the same bytes.

    Raises
    ------
    InputError
        ``fetch.years``, ``fetch.position`` before anything is asked; ``fetch.unreachable`` naming the host,
        ``fetch.refused`` with the service's words, ``fetch.reply`` where the reply is not understood. Each says how
        to put a file by hand.
    """
    import requests

    _refuse(request)
    target = folder / request.file_name
    if target.is_file():
        return Fetched(target, request.format, True)
    report = Report(target.name, "fetch")
    address = url or _address(request.service)
    host = urlsplit(address).hostname or address
    by_hand = f"Or put {_BY_HAND[request.service]} beside the study file and name it as a source."
    try:
        reply = _ask(request)(address)
    except (requests.ConnectionError, requests.Timeout) as error:
        what = f"the host {host} cannot be reached from here."
        raise report.refuse("unreachable", "host", host, what, f"Try again with a network. {by_hand}") from error
    except requests.HTTPError as error:
        words = str(error).splitlines()[0][:200] if str(error) else "no reason"
        raise report.refuse(
            "refused", "request", request.service, f"{host} answered: {words}.", f"Change the request. {by_hand}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        what = f"the reply of {host} is not understood ({type(error).__name__})."
        raise report.refuse("reply", "reply", request.service, what, f"Try again later. {by_hand}") from error
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(reply, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    part.replace(target)
    return Fetched(target, request.format, False)


def _refuse(request: Request) -> None:
    report = Report(request.service, "fetch")
    found = []
    if request.service not in SERVICES:
        remedy = f"Services: {', '.join(SERVICES)}."
        found.append(report("error", "service", "service", request.service, "there is no such service.", remedy))
    if not (-90 <= request.latitude <= 90 and -180 <= request.longitude <= 180):
        place = f"{request.latitude}, {request.longitude}"
        found.append(report("error", "position", "position", place, "no place on Earth.", "Give degrees WGS-84."))
    years = request.years
    if years is not None and not 1980 <= years[0] <= years[1] <= 2100:
        what = "no span of years."
        found.append(report("error", "years", "years", f"{years[0]}-{years[1]}", what, "Give them as 2015-2019."))
    if years is None and request.service == "nasa-power":
        what = "this service has no typical year."
        found.append(report("error", "years", "years", "tmy", what, "Give the years, e.g. 2015-2019."))
    if found:
        raise InputError(found)


def _address(service: str) -> str:
    from pvlib.iotools import nasa_power, pvgis

    return str({"pvgis": pvgis.URL, "nasa-power": nasa_power.URL}[service])


def _ask(request: Request) -> Callable[[str], dict[str, Any]]:
    """The question to an address, whose answer has the layout of the service's own file."""
    if request.service == "nasa-power":
        return lambda url: _power(request, url)
    return lambda url: _pvgis_tmy(request, url) if request.years is None else _pvgis_hourly(request, url)


def _pvgis_hourly(request: Request, url: str) -> dict[str, Any]:
    from pvlib.iotools import get_pvgis_hourly

    assert request.years is not None
    data, meta = get_pvgis_hourly(
        request.latitude, request.longitude, start=request.years[0], end=request.years[1], components=True,
        surface_tilt=0, outputformat="json", map_variables=False, url=url,
    )  # fmt: skip
    return _pvgis_reply(meta, {"hourly": _rows(data, "time")})


def _pvgis_tmy(request: Request, url: str) -> dict[str, Any]:
    from pvlib.iotools import get_pvgis_tmy

    data, meta = get_pvgis_tmy(
        request.latitude, request.longitude, outputformat="json", map_variables=False, coerce_year=None, url=url
    )
    return _pvgis_reply(meta, {"months_selected": meta["months_selected"], "tmy_hourly": _rows(data, "time(UTC)")})


def _pvgis_reply(meta: Mapping[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    inputs = {key: value for key, value in meta["inputs"].items() if key != "descriptions"}
    return {"inputs": inputs, "outputs": outputs, "meta": {"inputs": meta["inputs"]["descriptions"]}}


def _rows(data: pd.DataFrame, time: str) -> list[dict[str, Any]]:
    stamps = pd.DatetimeIndex(data.index).strftime("%Y%m%d:%H%M")
    names = [str(name) for name in data.columns]
    values = zip(*(data[name].tolist() for name in data.columns), strict=True)
    return [{time: stamp, **dict(zip(names, row, strict=True))} for stamp, row in zip(stamps, values, strict=True)]


def _power(request: Request, url: str) -> dict[str, Any]:
    """From the last day of the year before, so that the first hours of the year in UTC+08:00 are there."""
    from pvlib.iotools import get_nasa_power

    assert request.years is not None
    data, meta = get_nasa_power(
        request.latitude, request.longitude, f"{request.years[0] - 1}-12-31", f"{request.years[1]}-12-31",
        parameters=list(_POWER_PARAMETERS), map_variables=False, url=url,
    )  # fmt: skip
    missing = float(meta["fill_value"])
    stamps = pd.DatetimeIndex(data.index).strftime("%Y%m%d%H")
    values = {str(name): dict(zip(stamps, data[name].fillna(missing).tolist(), strict=True)) for name in data.columns}
    return {
        "geometry": {"type": "Point", "coordinates": [meta["longitude"], meta["latitude"], meta["altitude"]]},
        "properties": {"parameter": values},
        "header": {"fill_value": missing, "time_standard": str(meta.get("time_standard", "UTC"))},
        "parameters": meta["parameters"],
    }

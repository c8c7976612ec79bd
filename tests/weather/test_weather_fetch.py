"""Fetching: pvlib's readers against a server of our own on this machine, with replies of our own making."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import weather_samples as samples
from typer.testing import CliRunner
from weather_samples import LATITUDE, LONGITUDE, sky

from layers.contracts import InputError
from layers.weather_fetch import Request, fetch_weather
from layers.weather_files import detect_format, read_weather
from layers.weather_raw import Options
from study.cli import app

TMY = Request("pvgis", LATITUDE, LONGITUDE, None)
HOURLY = Request("pvgis", LATITUDE, LONGITUDE, (2019, 2019))
POWER = Request("nasa-power", LATITUDE, LONGITUDE, (2019, 2019))


class Service:
    """Replies by path; remembers what was asked."""

    def __init__(self, folder: Path) -> None:
        power = json.dumps(samples.power_reply(sky(), years=(2018, 2019)))
        self.replies = {
            "/tmy": samples.pvgis_tmy_json(folder / "t.json", sky(), 0.5).read_text(),
            "/seriescalc": samples.pvgis_hourly_json(folder / "h.json", sky()).read_text(),
            "/power": power,
        }
        self.status = 200
        self.asked: list[tuple[str, dict[str, list[str]]]] = []


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Service, str]]:
    state = Service(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            state.asked.append((parts.path, parse_qs(parts.query)))
            self.send_response(state.status)
            self.end_headers()
            self.wfile.write(state.replies[parts.path].encode())

        def log_message(self, *words: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("request_", "kind", "end"), [(TMY, "pvgis_tmy", ""), (HOURLY, "pvgis_hourly", ""),
                                                      (POWER, "nasa_power", "power")])  # fmt: skip
def test_a_reply_becomes_a_file_that_is_read(
    tmp_path: Path, service: tuple[Service, str], request_: Request, kind: str, end: str
) -> None:
    state, url = service
    fetched = fetch_weather(request_, tmp_path / "out", url=url + end)
    assert (fetched.format, fetched.cached) == (kind, False)
    assert detect_format(fetched.path.read_bytes()).format == kind
    years = (2019,) if request_ is POWER else ()
    (weather,) = read_weather(samples.card(fetched.path), "x", Options(years=years))
    assert weather.hours["ghi_w_per_m2"].to_numpy()[24:] == pytest.approx(sky().ghi[24:], abs=0.02)
    _, asked = state.asked[0]
    assert float(asked.get("lat", asked.get("latitude", [""]))[0]) == LATITUDE
    if request_ is POWER:
        # the day before the year, so that 00:00 to 08:00 of 1 January in UTC+08:00 are there
        assert asked["start"] == ["20181231"]
        assert not any("filled" in words for words in weather.corrections)


def test_the_same_request_is_asked_once(tmp_path: Path, service: tuple[Service, str]) -> None:
    state, url = service
    first = fetch_weather(TMY, tmp_path / "out", url=url)
    again = fetch_weather(TMY, tmp_path / "out", url=url)
    assert (again.path, again.cached) == (first.path, True)
    assert len(state.asked) == 1
    other = fetch_weather(TMY, tmp_path / "elsewhere", url=url)
    assert other.path.read_bytes() == first.path.read_bytes()
    names = {r.file_name for r in (TMY, HOURLY, POWER, Request("pvgis", LATITUDE, LONGITUDE + 1e-5, None))}
    assert len(names) == 4


def test_offline_the_host_is_named_and_a_file_can_be_put_by_hand(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError) as caught:
        fetch_weather(TMY, tmp_path, url=f"http://127.0.0.1:{port}/")
    (finding,) = caught.value.findings
    assert (finding.rule, finding.value) == ("fetch.unreachable", "127.0.0.1")
    assert "put the hourly" in finding.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "reply", "rule"), [
    (400, json.dumps({"message": "Location over the sea"}), "fetch.refused"),
    (500, "<html>", "fetch.refused"),
    (200, "<html>", "fetch.reply"),
    (200, "{}", "fetch.reply"),
])  # fmt: skip
def test_bad_replies_are_one_clear_report(
    tmp_path: Path, service: tuple[Service, str], status: int, reply: str, rule: str
) -> None:
    state, url = service
    state.status, state.replies["/tmy"] = status, reply
    with pytest.raises(InputError) as caught:
        fetch_weather(TMY, tmp_path / "out", url=url)
    (finding,) = caught.value.findings
    assert finding.rule == rule
    assert "Location over the sea" in finding.message or status != 400
    assert not (tmp_path / "out").exists()


def test_requests_that_cannot_be_are_refused_before_anything_is_asked(
    tmp_path: Path, service: tuple[Service, str]
) -> None:
    state, url = service
    for request in (
        Request("pvgis", 95.0, 120.0, None),
        Request("pvgis", 30.0, 120.0, (2020, 2019)),
        Request("nasa-power", 30.0, 120.0, None),
        Request("weather.example", 30.0, 120.0, None),
    ):
        with pytest.raises(InputError):
            fetch_weather(request, tmp_path, url=url)
    assert state.asked == []


def test_the_command_prints_what_to_write_into_the_study_file(tmp_path: Path, service: tuple[Service, str]) -> None:
    _, url = service
    place = ["--lat", str(LATITUDE), "--lon", str(LONGITUDE), "--out", str(tmp_path / "w"), "--url", url]
    done = CliRunner().invoke(app, ["fetch", "pvgis", *place, "--years", "tmy"])
    assert done.exit_code == 0, done.output
    assert "[[weather]]" in done.output
    again = CliRunner().invoke(app, ["fetch", "pvgis", *place])
    assert "there already" in again.output
    wrong = CliRunner().invoke(app, ["fetch", "nasa-power", *place, "--years", "long ago"])
    assert wrong.exit_code == 2
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    offline = CliRunner().invoke(
        app, ["fetch", "nasa-power", *place[:-1], f"http://127.0.0.1:{port}/", "--years", "2019"]
    )
    assert offline.exit_code == 2
    assert "127.0.0.1 cannot be reached" in offline.output

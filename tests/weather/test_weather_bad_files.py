"""Bad weather files end in one clear report: every fault at once, named by file, place, value, rule and remedy."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import weather_samples as samples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_weather_formats import CSV, WRITERS
from weather_samples import sky

from layers.contracts import Finding, InputError
from layers.weather_files import FORMATS, detect_format, inspect_weather, read_weather
from layers.weather_raw import Options


def errors(path: Path, options: Options | None = None) -> list[Finding]:
    """Errors of a file; reading it must give the same ones."""
    found = [f for f in inspect_weather(samples.card(path), options) if f.severity == "error"]
    if found:
        with pytest.raises(InputError) as caught:
            read_weather(samples.card(path), "x", options)
        assert set(caught.value.findings) == set(found)
    for finding in found:
        assert finding.file == f"data/{path.name}"
        assert str(path.parent) not in str(finding)
        assert finding.message
        assert finding.remedy
    return found


def rules(path: Path, options: Options | None = None) -> list[str]:
    return [f.rule for f in errors(path, options)]


class Files(dict[str, bytes]):
    """The bytes of a good file of each format; too long to be shown."""

    def __repr__(self) -> str:
        return "Files()"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("good")
    return Files({name: write(folder).read_bytes() for name, (_, write, _) in WRITERS.items()})


@pytest.mark.parametrize("name", ["epw", "tmy3", "pvgis tmy json", "pvgis tmy csv", "pvgis hourly json",
                                  "pvgis hourly csv", "power json", "power csv", "era5", "csv start"])  # fmt: skip
def test_a_file_cut_off_is_refused(tmp_path: Path, files: Files, name: str) -> None:
    options = WRITERS[name][2]
    path = tmp_path / "cut.dat"
    path.write_bytes(files[name][: len(files[name]) // 2])
    assert rules(path, options), name


def test_a_packed_file_is_read_and_a_broken_pack_refused(tmp_path: Path, files: Files) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(files["pvgis tmy json"]))
    assert errors(path) == []
    path.write_bytes(gzip.compress(files["pvgis tmy json"])[:5000])
    assert rules(path) == ["weather.unreadable"]


def test_formats_that_are_none(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"hello\nworld\n", b"{}", b"\x00\x01\x02", b"[1 2]")):
        path = tmp_path / f"{number}.dat"
        path.write_bytes(content)
        assert rules(path) == ["weather.format"]
    assert rules(tmp_path / "absent.csv") == ["source.file_missing"]


@pytest.mark.parametrize(
    ("column", "factor", "shift"),
    [("GHI", 0.001, 0.0), ("GHI", 3600.0, 0.0), ("T", 1.0, 273.15), ("p", 10.0, 0.0), ("v", 3.6, 20.0)],
)
def test_a_wrong_unit_is_named(tmp_path: Path, column: str, factor: float, shift: float) -> None:
    table = samples.frame(sky())
    table[column] = table[column] * factor + shift
    found = errors(samples.csv(tmp_path / "a.csv", table), CSV)
    assert {f.rule for f in found} == {"weather.unit"}
    assert "the unit may be" in found[0].message


def test_stated_units_are_turned(tmp_path: Path) -> None:
    table = samples.frame(sky())
    table["GHI"] /= 1000.0
    table["T"] += 273.15
    table["v"] *= 3.6
    units = {"ghi_w_per_m2": "kW/m2", "temp_air_c": "K", "wind_speed_m_per_s": "km/h", "pressure_pa": "hPa"}
    (weather,) = read_weather(samples.card(samples.csv(tmp_path / "a.csv", table)), "x", replace(CSV, units=units))
    assert weather.hours["ghi_w_per_m2"].to_numpy() == pytest.approx(sky().ghi)
    assert weather.hours["temp_air_c"].to_numpy() == pytest.approx(sky().temp)
    assert weather.hours["wind_speed_m_per_s"].to_numpy() == pytest.approx(sky().wind)
    (found,) = errors(tmp_path / "a.csv", replace(CSV, units=units | {"albedo": "W/m2"}))
    assert (found.rule, found.item) == ("weather.unit", "albedo")


def test_text_in_numbers(tmp_path: Path) -> None:
    table = samples.frame(sky()).astype(object)
    table.loc[5, "GHI"] = "broken"
    table.loc[7, "T"] = "12,5"
    found = errors(samples.csv(tmp_path / "a.csv", table), CSV)
    assert [(f.rule, f.item, f.value) for f in found] == [
        ("weather.text_in_numbers", "row 6", "broken"),
        ("weather.text_in_numbers", "row 8", "12,5"),
    ]


def test_a_row_that_ends_before_its_hour_has_no_time(tmp_path: Path, files: Files) -> None:
    head, _, rows = files["power csv"].partition(b"-END HEADER-\n")
    path = tmp_path / "cut.csv"
    path.write_bytes(head + b"-END HEADER-\n" + b"\n".join(rows.split(b"\n")[:9]) + b"\n2019,1,1,")
    (found,) = errors(path, WRITERS["power csv"][2])
    assert (found.rule, found.item) == ("weather.stamp", "row 9")
    assert "1 of 9 rows" in found.message


def test_two_time_zones(tmp_path: Path) -> None:
    table = samples.frame(sky())
    table["when"] = table["when"].str.replace(" ", "T") + ":00+08:00"
    good = samples.csv(tmp_path / "a.csv", table)
    assert errors(good, replace(CSV, zone_h=None)) == []
    table.loc[100:, "when"] = table.loc[100:, "when"].str.replace("+08:00", "+09:00")
    (found,) = errors(samples.csv(tmp_path / "b.csv", table), CSV)
    assert (found.rule, found.value) == ("weather.two_time_zones", "+08:00, +09:00")
    (none,) = errors(samples.csv(tmp_path / "c.csv", samples.frame(sky())), replace(CSV, zone_h=None))
    assert none.rule == "weather.time_zone"


def test_local_solar_time_is_no_clock(tmp_path: Path) -> None:
    assert rules(samples.power_json(tmp_path / "a.json", sky(), standard="LST")) == ["weather.time_zone"]


def test_repeated_hours_and_disorder(tmp_path: Path) -> None:
    table = samples.frame(sky())
    twice = table.iloc[[*range(100), 99, *range(100, 8760)]]
    (found,) = errors(samples.csv(tmp_path / "a.csv", twice), CSV)
    assert (found.rule, found.item, found.value) == ("weather.hour_twice", "2019-01-05 03:00", "1")
    swapped = table.iloc[[1, 0, *range(2, 8760)]]
    assert rules(samples.csv(tmp_path / "b.csv", swapped), CSV) == ["weather.order"]
    crooked = table.copy()
    crooked.loc[50, "when"] = "2019-01-03 02:20"
    assert rules(samples.csv(tmp_path / "c.csv", crooked), CSV) == ["weather.step"]


def test_missing_hours_are_filled_by_rule_and_each_is_listed(tmp_path: Path) -> None:
    """Two hours on 3 January between neighbours, six on 6 January from the days around; the file is a series."""
    table = samples.frame(sky()).drop(index=[*range(58, 60), *range(130, 136)])
    path = samples.csv(tmp_path / "a.csv", table)
    assert errors(path, CSV) == []
    (weather,) = read_weather(samples.card(path), "x", CSV)
    ghi = [words for words in weather.corrections if words.startswith("global horizontal irradiance filled")]
    assert ghi == [
        "global horizontal irradiance filled in 2 h by the rule 'between neighbours': 01-03 10:00 to 01-03 11:00 (2 h)",
        "global horizontal irradiance filled in 6 h by the rule 'neighbouring days': 01-06 10:00 to 01-06 15:00 (6 h)",
    ]
    temp = sky().temp
    # a straight line between the hours before and after the gap; the mean of the day before and the day after
    assert weather.hours["temp_air_c"].iloc[58] == pytest.approx(temp[57] + (temp[60] - temp[57]) / 3)
    assert weather.hours["temp_air_c"].iloc[130] == pytest.approx((temp[106] + temp[154]) / 2)


def test_too_many_missing_hours_are_refused(tmp_path: Path) -> None:
    table = samples.frame(sky())
    table.loc[1000:1600, "T"] = np.nan  # 601 of 8760 are more than 5 %
    (found,) = errors(samples.csv(tmp_path / "a.csv", table), CSV)
    assert (found.rule, found.value) == ("weather.gap_share", "temp_air_c")
    assert "6.9%" in found.message


@pytest.mark.parametrize("sentinel", [-99.0, 6553.5, 3276.7, -3276.7, 9999.0, -999.0])
def test_real_data_4_sentinels_of_sensors_are_never_values(tmp_path: Path, sentinel: float) -> None:
    """Trap: -99, 6553.5, +-3276.7, 9999 stand for 'missing'."""
    table = samples.frame(sky())
    table.loc[2000:2003, "T"] = sentinel
    table.loc[2000:2003, "GHI"] = sentinel
    path = samples.csv(tmp_path / "a.csv", table)
    found = inspect_weather(samples.card(path), CSV)
    assert [f.value for f in found if f.rule == "weather.sentinel"] == [f"{sentinel:g}"] * 2
    (weather,) = read_weather(samples.card(path), "x", CSV)
    assert weather.hours["temp_air_c"].between(-20, 40).all()
    assert weather.hours["ghi_w_per_m2"].max() < 1200


def test_leap_day_of_a_typical_year_is_left_out(tmp_path: Path) -> None:
    """Trap: a February taken from a leap year; 29 February goes, the year stays whole."""
    reply = json.loads(samples.pvgis_tmy_json(tmp_path / "a.json", sky()).read_text())
    rows = reply["outputs"]["tmy_hourly"]
    at = next(i for i, row in enumerate(rows) if "0301:" in row["time(UTC)"])
    day = [dict(row, **{"time(UTC)": f"20080229:{i:02d}00"}) for i, row in enumerate(rows[:24])]
    reply["outputs"]["tmy_hourly"] = rows[:at] + day + rows[at:]
    (tmp_path / "b.json").write_text(json.dumps(reply))
    (plain,), (leap,) = (read_weather(samples.card(tmp_path / name), "x") for name in ("a.json", "b.json"))
    assert plain.hours.equals(leap.hours)


def test_a_series_of_half_a_year_is_refused(tmp_path: Path) -> None:
    (found,) = errors(samples.csv(tmp_path / "a.csv", samples.frame(sky()).iloc[:4000]), CSV)
    assert (found.rule, found.item) == ("weather.no_whole_year", "2019 (4000 h)")


def test_a_tilted_plane_is_no_weather(tmp_path: Path) -> None:
    (found,) = errors(samples.pvgis_hourly_json(tmp_path / "a.json", sky(), slope=35))
    assert (found.rule, found.value) == ("weather.plane", "35.0")


def test_a_plain_table_says_all_that_it_lacks_at_once(tmp_path: Path) -> None:
    path = samples.csv(tmp_path / "a.csv", samples.frame(sky()))
    options = Options(columns={"ghi_w_per_m2": "Global", "humidity": "T"}, units={"temp_air_c": "K"}, label="middle")
    assert rules(path, options) == [
        "weather.column_unknown",
        "weather.column_missing",
        "weather.column_missing",
        "weather.unit",
        "weather.label",
        "weather.position",
        "weather.position",
    ]


def test_an_hour_off_is_found_in_every_format(tmp_path: Path) -> None:
    """The time labels are judged by the sun whatever the format: local hours that say they are UTC+09:00."""
    table = samples.frame(sky())
    path = samples.csv(tmp_path / "a.csv", table)
    (weather,) = read_weather(samples.card(path), "x", replace(CSV, zone_h=9.0))
    assert any("radiation moved 1 h later" in words for words in weather.corrections)
    assert weather.hours["ghi_w_per_m2"].to_numpy()[24:-24] == pytest.approx(sky().ghi[24:-24])


def test_components_that_do_not_close_are_told(tmp_path: Path) -> None:
    table = samples.frame(sky())
    table["DNI"] *= 0.7
    path = samples.csv(tmp_path / "a.csv", table)
    (found,) = [f for f in inspect_weather(samples.card(path), CSV) if f.rule == "weather.closure"]
    assert found.severity == "warning"
    (weather,) = read_weather(samples.card(path), "x", CSV)
    assert weather.hours["dni_w_per_m2"].to_numpy() == pytest.approx(0.7 * sky().dni)


def test_radiation_beyond_the_sky(tmp_path: Path) -> None:
    table = samples.frame(sky())
    table.loc[[4691, 4692], "GHI"] = 2267.0
    path = samples.csv(tmp_path / "a.csv", table)
    (found,) = [f for f in inspect_weather(samples.card(path), CSV) if f.rule == "weather.radiation_impossible"]
    assert (found.severity, found.value) == ("warning", "2267 W/m2")
    table.loc[:40, "GHI"] = 900.0  # also at night
    assert rules(samples.csv(tmp_path / "b.csv", table), CSV) == ["weather.radiation_impossible"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400), kind=st.sampled_from(("auto", *FORMATS)))
def test_random_bytes_never_break_a_reader(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "fuzz.dat"
    path.write_bytes(content)
    assert rules(path, replace(CSV, format=kind))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(WRITERS)),
    cut=st.integers(0, 6000),
    edits=st.lists(st.tuples(st.integers(0, 5999), st.integers(0, 255)), max_size=4),
)
@example(name="power csv", cut=834, edits=[])  # the last row ends before its hour
def test_damaged_files_never_break_a_reader(
    tmp_path: Path, files: Files, name: str, cut: int, edits: list[tuple[int, int]]
) -> None:
    """Cut somewhere, then a few bytes overwritten: a report, nothing else."""
    content = bytearray(files[name][:cut])
    for place, value in edits:
        if place < len(content):
            content[place] = value
    path = tmp_path / "fuzz.dat"
    path.write_bytes(bytes(content))
    assert rules(path, WRITERS[name][2])


def test_detection_gives_its_reason(files: Files) -> None:
    assert detect_format(files["epw"]).reason == "its first line is a LOCATION header"
    assert all(detect_format(content).format and detect_format(content).reason for content in files.values())

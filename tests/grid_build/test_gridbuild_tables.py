"""Network tables: what is written comes back exactly; what is wrong is named all at once."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.contracts import GENERATORS, Assumption, Network
from grid.network_tables import NETWORK_TABLES, read_network, write_network
from layers.contracts import InputError, Origin
from layers.tables import ContractError

STATION = {"name_zh": "甲站", "name_en": "A", "vn_kv": 220.0, "lon": 116.1, "lat": 33.5, "district_code": "341600",
           "in_region": True, "origin": "mapped", "note": ""}  # fmt: skip
LINE = {"name_zh": "甲乙线", "name_en": "A-B", "corridor_id": "A-B", "from_bus": "a/110", "to_bus": "b/110",
        "length_km": 18.6, "line_type": "110 kV 300/40", "r_ohm_per_km": 0.1, "x_ohm_per_km": 0.4, "c_nf_per_km": 9.0,
        "max_i_ka": 0.1 + 0.2, "origin": "mapped", "path_wkt": "LINESTRING (116 33, 117 33)", "note": ""}  # fmt: skip
UNIT = {"transformer_id": "T1", "station_id": "a", "hv_bus": "a/220", "lv_bus": "a/110", "transformer_type": "",
        "sn_mva": 180.0, "vn_hv_kv": 220.0, "vn_lv_kv": 121.0, "vk_percent": 14.0, "vkr_percent": 1 / 3,
        "pfe_kw": 90.0, "i0_percent": 0.3, "shift_degree": -0.0, "tap_side": "hv", "tap_neutral": 0.0,
        "tap_min": -8.0, "tap_max": 8.0, "tap_step_percent": 1.25, "tap_pos": -3.0, "origin": "mapped",
        "note": ""}  # fmt: skip


def small_network(text: str = "note", number: float = 18.6) -> Network:
    """a/220 --T1-- a/110 --L1-- b/110 -> 60 MW, with one free text and one free number."""
    return Network(
        name=text,
        stations=pd.DataFrame(
            [{"station_id": "a", **STATION, "note": text}, {"station_id": "b", **STATION, "name_zh": text}]
        ),
        buses=pd.DataFrame(
            [
                {"bus_id": f"{s}/{kv:g}", "station_id": s, "vn_kv": kv, "vm_min_pu": 0.95, "vm_max_pu": 1.07}
                for s, kv in (("a", 220.0), ("a", 110.0), ("b", 110.0))
            ]
        ),
        lines=pd.DataFrame([{"line_id": "L1", **LINE, "note": text, "length_km": number}]),
        transformers=pd.DataFrame([{**UNIT, "transformer_type": text}]),
        loads=pd.DataFrame([{"load_id": "D1", "bus_id": "b/110", "p_mw": 60.0, "q_mvar": number, "origin": "mapped"}]),
        generators=GENERATORS.empty(),
        infeeds=pd.DataFrame([{"infeed_id": "I1", "bus_id": "a/220", "vm_pu": 1.03, "va_degree": 0.0,
                               "slack_weight": 1.0, "s_sc_mva": 1e4, "note": text}]),
        origin=Origin.ASSUMED,
        assumptions=(Assumption("x", text, text, text, text, text, "C"),),
    )  # fmt: skip


def assert_equal(a: Network, b: Network) -> None:
    for table in NETWORK_TABLES:
        pd.testing.assert_frame_equal(getattr(a, table.name), getattr(b, table.name), check_exact=True)
    assert (a.name, a.origin, a.assumptions) == (b.name, b.origin, b.assumptions)


HOSTILE = (
    "=SUM(A1:A9)", "'=1", "''=1", "'plain", "+1", "-1", "@x", "\tx", "\rx", 'a "b", c', "a\nb", "a\r\nb", "风光站",
    "", " ", " a ", "NaN", "NA", "null", "1e5", "001", "\ufeff", "\x7f", "\x00", "\\n", "#", "，", "true",
)  # fmt: skip


def test_hostile_text_comes_back_exactly(tmp_path: Path) -> None:
    for position, text in enumerate(HOSTILE[::6]):
        network = small_network(text)
        write_network(network, tmp_path / str(position))
        assert_equal(read_network(tmp_path / str(position)), network)


def test_hostile_text_comes_back_exactly_in_many_rows(tmp_path: Path) -> None:
    network = small_network()
    rows = [{"station_id": f"s{k}", **STATION, "name_zh": t, "note": t} for k, t in enumerate(HOSTILE)]
    network = dataclasses.replace(network, stations=pd.DataFrame(rows))
    write_network(network, tmp_path)
    assert_equal(read_network(tmp_path), network)


@settings(deadline=None, max_examples=20)
@given(
    text=st.text() | st.text(alphabet="=+-@'\",;\r\n\t 风0"),
    number=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
)
def test_round_trip_is_exact(text: str, number: float) -> None:
    network = small_network(text, number)
    with tempfile.TemporaryDirectory() as folder:
        write_network(network, Path(folder))
        first = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
        again = read_network(Path(folder))
        assert_equal(again, network)
        write_network(again, Path(folder))
        assert {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())} == first


@settings(deadline=None, max_examples=10)
@given(ids=st.lists(st.text().filter(lambda t: t.strip() != ""), min_size=2, max_size=2, unique=True))
def test_hostile_ids_come_back_exactly(ids: list[str]) -> None:
    network = small_network()
    stations = network.stations.assign(station_id=ids)
    network = dataclasses.replace(network, stations=stations)
    with tempfile.TemporaryDirectory() as folder:
        write_network(network, Path(folder))
        assert_equal(read_network(Path(folder)), network)


def test_files_open_in_a_spreadsheet_without_running_a_formula(tmp_path: Path) -> None:
    write_network(small_network("=HYPERLINK(1)"), tmp_path)
    for path in sorted(tmp_path.glob("*.csv")):
        content = path.read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        assert b",=" not in content
        assert b"\n=" not in content
    assert "甲站" in (tmp_path / "stations.csv").read_text("utf-8-sig")
    assert ",0.30000000000000004," in (tmp_path / "lines.csv").read_text("utf-8-sig")


def test_an_index_of_its_own_is_not_kept(tmp_path: Path) -> None:
    network = small_network()
    write_network(dataclasses.replace(network, buses=network.buses.set_axis([7, 5, 3])), tmp_path)
    assert_equal(read_network(tmp_path), network)


def test_a_broken_network_is_not_written(tmp_path: Path) -> None:
    network = small_network()
    broken = dataclasses.replace(network, lines=network.lines.assign(length_km=0.0))
    with pytest.raises(ContractError):
        write_network(broken, tmp_path / "n")
    assert not (tmp_path / "n").exists()


# ---------------------------------------------------------------- faults


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_network(small_network(), tmp_path / "net")
    return tmp_path / "net"


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_bytes().decode("utf-8-sig")
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode("utf-8-sig"))


def faults(folder: Path) -> set[tuple[str, str, str, str]]:
    with pytest.raises(InputError) as caught:
        read_network(folder)
    found = caught.value.findings
    assert all(f.message and f.remedy and f.severity == "error" for f in found)
    assert len({(f.rule, f.file, f.item) for f in found}) == len(found)
    return {(f.rule.removeprefix("network_tables."), f.file, f.item, f.value) for f in found}


CELL_FAULTS = [
    # file, text in the file, text instead of it, rule, item, value
    ("lines.csv", ",18.6,", ",18 km,", "not_a_number", "row 2 (L1), column length_km", "18 km"),
    ("lines.csv", ",18.6,", ",,", "empty_cell", "row 2 (L1), column length_km", ""),
    ("lines.csv", ",18.6,", ",1_8,", "not_a_number", "row 2 (L1), column length_km", "1_8"),
    ("lines.csv", ",18.6,", ",nan,", "not_a_number", "row 2 (L1), column length_km", "nan"),
    ("lines.csv", ",18.6,", ",1e999,", "not_a_number", "row 2 (L1), column length_km", "1e999"),
    ("lines.csv", ",18.6,", ',"18,6",', "not_a_number", "row 2 (L1), column length_km", "18,6"),
    ("lines.csv", ",18.6,", ",0,", "out_of_range", "row 2 (L1), column length_km", "0"),
    ("lines.csv", ",a/110,", ",,", "empty_cell", "row 2 (L1), column from_bus", ""),
    ("lines.csv", ",mapped,", ",maped,", "not_allowed", "row 2 (L1), column origin", "maped"),
    ("lines.csv", ",18.6,", ",18.6,7,", "row_width", "row 2", "16 cells"),
    ("transformers.csv", ",hv,", ",HV side,", "not_allowed", "row 2 (T1), column tap_side", "HV side"),
    ("transformers.csv", ",1.25,", ",-1.25,", "out_of_range", "row 2 (T1), column tap_step_percent", "-1.25"),
    ("stations.csv", ",true,", ",maybe,", "not_a_truth", "row 2 (a), column in_region", "maybe"),
    ("buses.csv", "a/110,", "a/220,", "duplicate_id", "row 3, column bus_id", "a/220"),
    ("lines.csv", "length_km", "lenght_km", "unknown_column", "column 7", "lenght_km"),
    ("lines.csv", "length_km", "zzz", "missing_column", "column length_km", "length_km"),
    ("lines.csv", "length_km", "line_id", "column_twice", "column line_id", "line_id"),
    ("network.toml", "assumed", "asumed", "not_allowed", "origin", "asumed"),
    ("network.toml", "origin", "orign", "unknown_key", "orign", "assumed"),
    ("assumptions.csv", ",C", ",D", "not_allowed", "row 2 (x), column confidence", "D"),
]


@pytest.mark.parametrize(("file", "old", "new", "rule", "item", "value"), CELL_FAULTS)
def test_each_fault_is_named(file: str, old: str, new: str, rule: str, item: str, value: str, folder: Path) -> None:
    edit(folder, file, old, new)
    assert (rule, file, item, value) in faults(folder)


def test_a_misspelt_column_is_one_finding_with_the_right_name(folder: Path) -> None:
    edit(folder, "lines.csv", "length_km", "lenght_km")
    with pytest.raises(InputError) as caught:
        read_network(folder)
    (finding,) = caught.value.findings
    assert "length_km" in finding.remedy


def test_all_faults_come_at_once(folder: Path) -> None:
    edit(folder, "lines.csv", ",18.6,", ",long,")
    edit(folder, "lines.csv", ",mapped,", ",guess,")
    edit(folder, "transformers.csv", ",hv,", ",,")
    edit(folder, "buses.csv", "vm_min_pu", "vm_minimum_pu")
    edit(folder, "network.toml", "assumed", "x")
    (folder / "loads.csv").unlink()
    (folder / "infeeds.csv").write_bytes("名称".encode("gb18030"))
    (folder / "generators.csv").write_text("generator_id;bus_id\r\n")
    assert {(rule, file) for rule, file, *_ in faults(folder)} == {
        ("not_a_number", "lines.csv"),
        ("not_allowed", "lines.csv"),
        ("empty_cell", "transformers.csv"),
        ("unknown_column", "buses.csv"),
        ("not_allowed", "network.toml"),
        ("file_missing", "loads.csv"),
        ("encoding", "infeeds.csv"),
        ("delimiter", "generators.csv"),
    }


def test_a_missing_folder_is_named_without_its_path(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path / "absent")
    assert fault[:2] == ("folder_missing", "absent")


def test_row_numbers_are_those_of_a_spreadsheet(folder: Path) -> None:
    path = folder / "buses.csv"
    lines = path.read_text("utf-8-sig").splitlines()
    path.write_text("\n".join([lines[0], ",,,,", lines[1], lines[2], "", lines[3].replace("110.0", "x")]), "utf-8")
    assert faults(folder) == {("not_a_number", "buses.csv", "row 6 (b/110), column vn_kv", "x")}


# ---------------------------------------------------------------- defaults


def without(folder: Path, file: str, name: str) -> None:
    frame = pd.read_csv(folder / file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    frame.drop(columns=name).to_csv(folder / file, index=False, encoding="utf-8-sig")


def test_each_default_used_is_an_assumption(folder: Path) -> None:
    for name in ("origin", "note", "name_en"):
        without(folder, "stations.csv", name)
    without(folder, "lines.csv", "path_wkt")
    (folder / "network.toml").unlink()
    (folder / "assumptions.csv").unlink()
    network = read_network(folder)
    assert list(network.stations["origin"]) == ["mapped", "mapped"]
    assert list(network.stations["name_en"]) == list(network.stations["name_zh"])
    assert (network.name, network.origin) == ("net", Origin.MAPPED)
    assert [a.subject for a in network.assumptions] == [
        "stations.name_en", "stations.origin", "stations.note", "lines.path_wkt", "network.name", "network.origin",
    ]  # fmt: skip
    assert all(a.confidence == "C" and a.text_zh and a.text_en for a in network.assumptions)
    write_network(network, folder)
    assert_equal(read_network(folder), network)


def test_no_default_no_assumption(folder: Path) -> None:
    assert read_network(folder).assumptions == small_network().assumptions


def test_truth_in_the_ways_spreadsheets_write_it(folder: Path) -> None:
    for word, truth in (("TRUE", True), ("FALSE", False), ("1", True), ("0", False), ("是", True), ("否", False)):
        write_network(small_network(), folder)
        edit(folder, "stations.csv", ",true,", f",{word},")
        assert bool(read_network(folder).stations["in_region"].iloc[0]) is truth

"""Broken files end in our own error with findings, whatever is broken about them."""

from __future__ import annotations

import json
import random

import pytest
from gridmodel_cases import matpower_case, matpower_file, random_case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.model.contracts import BusBranch
from grid.readers.matpower import read_matpower
from grid.readers.pandapower_json import read_pandapower_json
from grid.readers.pypsa_csv import read_pypsa_csv
from grid.readers.rts_gmlc import read_rts_gmlc
from grid.readers.tables import read_network_tables
from grid.writers.matpower import write_matpower
from grid.writers.pandapower_json import write_pandapower_json
from grid.writers.tables import write_network_tables
from layers.contracts import InputError

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JUNK = (b"", b"\x00", b"\xff\xfe", b";", b"]", b"[", b"'", b"%", b"NaN", b"-1e999", b"mpc.bus = [",
        "亳州".encode("gbk"),
        b"1/0", b"...", b"\n", b",", b'"', b"{", b"}", b"2^9^9^9^9")  # fmt: skip


def broken(content: bytes, seed: int) -> bytes:
    """A few cuts, repetitions and pieces of junk."""
    rng = random.Random(seed)
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        a = rng.randrange(len(data) + 1)
        b = min(len(data), a + rng.choice((0, 1, 3, 40, 2000)))
        kind = rng.randrange(4)
        if kind == 0:
            del data[a:b]
        elif kind == 1:
            data[a:a] = rng.choice(JUNK)
        elif kind == 2:
            data[a:b] = data[a:b] * 2
        else:
            data[a:b] = bytes(rng.randrange(256) for _ in range(b - a))
    return bytes(data)


def read_or_refused(reader, path):
    refused = ()
    try:
        result = reader(path)
    except InputError as error:
        refused, result = error.findings, None
    assert isinstance(result, BusBranch) or refused
    assert all(f.rule and f.message and f.remedy for f in refused)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@MANY
@given(seed=st.integers(0, 10**9))
def test_broken_matpower_text(folder, seed):
    path = folder / "case.m"
    path.write_bytes(broken(matpower_file("case14").read_bytes(), seed))
    read_or_refused(read_matpower, path)


@MANY
@given(seed=st.integers(0, 10**9))
def test_broken_mat_file(folder, seed):
    whole, path = folder / "whole.mat", folder / "case.mat"
    if not whole.exists():
        write_matpower(matpower_case("case14"), whole)
    path.write_bytes(broken(whole.read_bytes(), seed))
    read_or_refused(read_matpower, path)


@MANY
@given(seed=st.integers(0, 10**9))
def test_broken_tables(folder, seed):
    whole = folder / "tables"
    if not whole.exists():
        write_network_tables(random_case(1, shifts=True), whole)
    part = sorted(whole.glob("*.csv"))[seed % 6]
    original = part.read_bytes()
    try:
        part.write_bytes(broken(original, seed))
        read_or_refused(read_network_tables, whole)
    finally:
        part.write_bytes(original)


@settings(MANY, max_examples=8)
@given(seed=st.integers(0, 10**9))
def test_broken_geopackage(folder, seed):
    whole, path = folder / "whole.gpkg", folder / "case.gpkg"
    if not whole.exists():
        write_network_tables(random_case(1), whole)
    path.write_bytes(broken(whole.read_bytes(), seed))
    read_or_refused(read_network_tables, path)


@settings(MANY, max_examples=10)
@given(seed=st.integers(0, 10**9))
@pytest.mark.filterwarnings("ignore")
def test_broken_pandapower_json(folder, seed):
    whole, path = folder / "whole.json", folder / "case.json"
    if not whole.exists():
        write_pandapower_json(random_case(1), whole)
    path.write_bytes(broken(whole.read_bytes(), seed))
    read_or_refused(read_pandapower_json, path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"_class": "pandapowerNet"}', b"\x00" * 100])
def test_not_a_net(folder, content):
    path = folder / "not.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_pandapower_json(path)


def test_ten_megabytes_of_noise(folder):
    noise = random.Random(1).randbytes(10_000_000)
    for name, reader in (("n.m", read_matpower), ("n.mat", read_matpower), ("n.json", read_pandapower_json),
                         ("n.gpkg", read_network_tables)):  # fmt: skip
        path = folder / name
        path.write_bytes(noise)
        with pytest.raises(InputError) as error:
            reader(path)
        assert len(error.value.findings) <= 100
        path.unlink()


def test_absent_folders_are_refused_in_words(folder):
    for reader in (read_network_tables, read_rts_gmlc, read_pypsa_csv):
        with pytest.raises(InputError) as error:
            reader(folder / "nowhere")
        assert all(str(folder) not in f.file for f in error.value.findings)


@pytest.mark.real_data
@settings(MANY, max_examples=6)
@given(seed=st.integers(0, 10**9))
@pytest.mark.parametrize(("name", "reader"), [("grid-rts-gmlc", read_rts_gmlc), ("grid-scigrid-de", read_pypsa_csv)])
def test_broken_foreign_tables(folder, real_data, name, reader, seed):
    copy = folder / name
    files = sorted(p for p in (real_data / name).glob("*.csv") if p.stat().st_size < 400_000)
    copy.mkdir(exist_ok=True)
    chosen = seed % len(files)
    for k, file in enumerate(files):
        content = file.read_bytes()
        (copy / file.name).write_bytes(broken(content, seed) if k == chosen else content)
    read_or_refused(reader, copy)


def test_numbers_that_are_text_are_told_by_place(folder):
    text = json.dumps({"_class": "pandapowerNet", "_module": "pandapower.auxiliary", "_object": {"bus": "none"}})
    path = folder / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_pandapower_json(path, "my/net.json")
    assert error.value.findings[0].file == "my/net.json"

"""UCTE-DEF and CGMES: a small network in each, read and solved beside the same network by hand; broken files."""

from __future__ import annotations

import random
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.contracts import Status
from grid.model.contracts import BusBranch, Source, make_case
from grid.readers.converted import read_cgmes, read_ucte
from grid.readers.formats import format_of, read_case
from grid.solve import solve
from layers.contracts import InputError

with_lxml = pytest.mark.skipif(
    find_spec("lxml") is None, reason="package lxml, which pandapower's CGMES converter needs, is not installed"
)
MANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def hand_network(vn, line_ohm, line_s, unit_ohm, ratio, low, load) -> BusBranch:
    """::

    slack  1 o----[ line ]----o 2 --[ unit, tapped ]-- o 3 --> load        100 MVA base

    ``ratio`` is that of the tapped end over bus 3's, the impedance [ohm at bus 2's voltage] does not move with it;
    ``low`` scales the base of bus 3's side.
    """
    ohm = vn[0] ** 2 / 100
    z = unit_ohm / ohm * low**2
    return make_case(
        "hand", 100.0, Source("test"),
        {
            "buses": {"bus_id": [0, 1, 2], "vn_kv": [vn[0], vn[0], vn[1]], "kind": ["ref", "pq", "pq"],
                      "va_degree": [0.0, np.nan, np.nan]},
            "loads": {"load_id": ["L"], "bus_id": [2], "p_mw": [load[0]], "q_mvar": [load[1]]},
            "generators": {"generator_id": ["S"], "bus_id": [0], "p_mw": [0.0], "vm_pu": [1.02], "fuel": ["infeed"]},
            "branches": {
                "branch_id": ["L", "T"], "kind": ["line", "transformer"], "from_bus": [0, 1], "to_bus": [1, 2],
                "r_pu": [line_ohm.real / ohm, z.real], "x_pu": [line_ohm.imag / ohm, z.imag],
                "b_pu": [line_s * ohm, 0.0], "ratio": [1.0, ratio],
            },
        },
    )  # fmt: skip


def same_flows(case: BusBranch, hand: BusBranch, tolerance=1e-8):
    a, b = solve(case), solve(hand)
    assert a.status is b.status is Status.SOLVED
    np.testing.assert_allclose(a.vm_pu, b.vm_pu, atol=tolerance)
    np.testing.assert_allclose(a.va_degree, b.va_degree, atol=1e-6)
    assert a.losses_mw == pytest.approx(b.losses_mw, abs=1e-6)
    assert a.reference_p_mw == pytest.approx(b.reference_p_mw, abs=1e-6)


# ---------------------------------------------------------------- UCTE


def fields(*parts: tuple[int, str]) -> str:
    """A record with texts at their columns (from 0)."""
    record = ""
    for start, text in parts:
        record = record.ljust(start)[:start] + text
    return record


def ucte_node(name: str, kind: int, voltage: str = "", p_load=0.0, q_load=0.0, p_gen=0.0, q_gen=0.0) -> str:
    return fields(
        (0, name), (9, f"name {name[5:6]}"), (22, "0"), (24, str(kind)), (26, voltage), (33, f"{p_load:7.2f}"),
        (41, f"{q_load:7.2f}"), (49, f"{p_gen:7.2f}"), (57, f"{q_gen:7.2f}"),
    )  # fmt: skip


def ucte_text() -> str:
    """380 kV line of 3 + j30 ohm and 100 uS, unit 380/220 kV of 0.5 + j40 ohm; tap +3 of 8 x 1.25 % at 220 kV."""
    unit = ((0, "DAAAAB11"), (9, "DAAAAC21"), (18, "1"))
    return "\n".join(
        [
            "##C 2026.01.01", "a network of three nodes", "##N", "##ZDE",
            ucte_node("DAAAAA11", 3, "387.60", p_gen=-1.0),
            ucte_node("DAAAAB11", 0),
            ucte_node("DAAAAC21", 0, p_load=150.0, q_load=40.0),
            "##L",
            fields((0, "DAAAAA11"), (9, "DAAAAB11"), (18, "1"), (20, "0"), (22, "3.0000"), (29, "30.000"),
                   (36, "100.0000"), (45, "  1200")),
            "##T",
            fields(*unit, (20, "0"), (22, "380.0"), (28, "220.0"), (34, "400.0"), (40, "0.5000"), (47, "40.000"),
                   (54, "0.000000"), (63, "0.0000"), (70, "   600")),
            "##R",
            fields(*unit, (20, " 1.25"), (26, " 8"), (29, "  3"), (33, "220.0")),
            "##TT", "##E", "",
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def ucte_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ucte") / "20260101_0030_small.uct"
    path.write_text(ucte_text(), encoding="ascii")
    return path


def test_ucte_flows_equal_the_network_by_hand(ucte_file):
    """The tap stands at 220 kV: 1 + 3 * 0.0125 of the low side's rated voltage, so ratio 1 / 1.0375 from 380 kV and
    the impedance, constant in ohm at 380 kV, times 1.0375^2 seen from 220 kV."""
    assert format_of(ucte_file) == "ucte"
    case = read_case(ucte_file)
    assert case.buses["name"].tolist() == ["name A", "name B", "name C"]
    assert case.buses["vn_kv"].tolist() == [380, 380, 220]
    same_flows(case, hand_network((380.0, 220.0), 3 + 30j, 1e-4, 0.5 + 40j, 1 / 1.0375, 1.0375, (150, 40)))
    tapped = case.branches[case.branches["kind"] == "transformer"].iloc[0]
    assert tapped["tap_positions"] == 17
    line = case.branches[case.branches["kind"] == "line"].iloc[0]
    assert line["rating_a_mva"] == pytest.approx(np.sqrt(3) * 380 * 1.2)
    assert [x.field for x in case.losses if x.element == "file"] == ["converter"]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda text: "", "ucte.format"),
        (lambda text: text.replace("##N", "##Q"), "ucte.format"),
        (lambda text: "##N\n##L\n", "ucte.converter"),
        (lambda text: text.replace("3.0000", "three "), "ucte.converter"),
        (lambda text: text.replace("DAAAAA11 DAAAAB11", "DAAAAA11 DXXXXX11"), "ucte.converter"),
    ],
)
def test_bad_ucte_is_one_error(tmp_path, change, rule):
    path = tmp_path / "bad.uct"
    path.write_text(change(ucte_text()), encoding="ascii")
    with pytest.raises(InputError) as refused:
        read_ucte(path, "bad.uct")
    assert [f.rule for f in refused.value.findings] == [rule]
    assert refused.value.findings[0].file == "bad.uct"


# ---------------------------------------------------------------- CGMES

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:cim="http://iec.ch/TC57/2013/CIM-schema-cim16#" '
    'xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#">\n'
)
_PROFILES = {
    "EQ": "http://entsoe.eu/CIM/EquipmentCore/3/1",
    "SSH": "http://entsoe.eu/CIM/SteadyStateHypothesis/1/1",
    "TP": "http://entsoe.eu/CIM/Topology/4/1",
    "SV": "http://entsoe.eu/CIM/StateVariables/4/1",
}


def cim(kind: str, name: str, about: bool = False, **values: object) -> str:
    """One object; ``Class_field`` is an attribute, a value that begins with # a reference."""
    lines = [f'<cim:{kind} rdf:{"about" if about else "ID"}="{"#" if about else ""}_{name}">']
    for key, value in values.items():
        field = key.replace("__", ".")
        text = str(value)
        if text.startswith("#"):
            target = text if text.startswith("#_") else f"http://iec.ch/TC57/2013/CIM-schema-cim16{text}"
            lines.append(f'  <cim:{field} rdf:resource="{target}"/>')
        else:
            lines.append(f"  <cim:{field}>{text}</cim:{field}>")
    return "\n".join([*lines, f"</cim:{kind}>"])


def profile(name: str, objects: list[str]) -> str:
    model = (
        f'<md:FullModel rdf:about="urn:uuid:{name}"><md:Model.profile>{_PROFILES[name]}</md:Model.profile>'
        "</md:FullModel>"
    )
    return "\n".join([_HEAD, model, *objects, "</rdf:RDF>", ""])


def terminals() -> list[tuple[str, str, int, str]]:
    """(terminal, equipment, sequence number, node)."""
    return [
        ("t_slack", "slack", 1, "A"), ("t_line1", "line", 1, "A"), ("t_line2", "line", 2, "B"),
        ("t_unit1", "unit", 1, "B"), ("t_unit2", "unit", 2, "C"), ("t_load", "load", 1, "C"),
    ]  # fmt: skip


def cgmes_profiles() -> dict[str, str]:
    """220 kV line of 2 + j16 ohm and 100 uS over 40 km, unit 220/115 kV on 220 and 110 kV buses, 180 MVA,
    0.8 + j37.6 ohm at 220 kV, tap +2 of 8 x 1.25 % at 220 kV; 90 MW, 30 Mvar; slack at 224.4 kV."""
    named = "IdentifiedObject__name"
    equipment = [
        cim("GeographicalRegion", "gr", **{named: "region"}),
        cim("SubGeographicalRegion", "sgr", **{named: "part", "SubGeographicalRegion__Region": "#_gr"}),
        *(cim("BaseVoltage", f"bv{v}", **{named: f"{v}", "BaseVoltage__nominalVoltage": v}) for v in (220, 110)),
        *(cim("Substation", f"sub{n}", **{named: f"station {n}", "Substation__Region": "#_sgr"}) for n in "ABC"),
        *(cim("VoltageLevel", f"vl{n}", **{named: n, "VoltageLevel__BaseVoltage": f"#_bv{v}",
                                           "VoltageLevel__Substation": f"#_sub{n}"})
          for n, v in (("A", 220), ("B", 220), ("C", 110))),
        *(cim("Terminal", t, **{named: t, "Terminal__ConductingEquipment": f"#_{e}",
                                "ACDCTerminal__sequenceNumber": k}) for t, e, k, _ in terminals()),
        cim("ExternalNetworkInjection", "slack", **{
            named: "outside", "Equipment__EquipmentContainer": "#_vlA",
            "RegulatingCondEq__RegulatingControl": "#_control", "ExternalNetworkInjection__governorSCD": 0,
            "ExternalNetworkInjection__maxP": 500, "ExternalNetworkInjection__minP": -500,
            "ExternalNetworkInjection__maxQ": 300, "ExternalNetworkInjection__minQ": -300}),
        cim("RegulatingControl", "control", **{named: "control", "RegulatingControl__Terminal": "#_t_slack",
                                               "RegulatingControl__mode": "#RegulatingControlModeKind.voltage"}),
        cim("ACLineSegment", "line", **{
            named: "line", "Equipment__EquipmentContainer": "#_vlA", "ConductingEquipment__BaseVoltage": "#_bv220",
            "Conductor__length": 40, "ACLineSegment__r": 2, "ACLineSegment__x": 16, "ACLineSegment__bch": 1e-4,
            "ACLineSegment__gch": 0}),
        cim("PowerTransformer", "unit", **{named: "unit", "Equipment__EquipmentContainer": "#_subB"}),
        *(cim("PowerTransformerEnd", f"end{k}", **{
            named: f"end {k}", "TransformerEnd__Terminal": f"#_t_unit{k}",
            "PowerTransformerEnd__PowerTransformer": "#_unit", "TransformerEnd__endNumber": k,
            "TransformerEnd__BaseVoltage": f"#_bv{v}", "PowerTransformerEnd__ratedS": 180,
            "PowerTransformerEnd__ratedU": rated, "PowerTransformerEnd__r": r, "PowerTransformerEnd__x": x,
            "PowerTransformerEnd__b": 0, "PowerTransformerEnd__g": 0,
            "PowerTransformerEnd__connectionKind": "#WindingConnection.Yn"})
          for k, v, rated, r, x in ((1, 220, 220, 0.8, 37.6), (2, 110, 115, 0, 0))),
        cim("RatioTapChanger", "tap", **{
            named: "tap", "RatioTapChanger__TransformerEnd": "#_end1", "TapChanger__neutralStep": 0,
            "TapChanger__lowStep": -8, "TapChanger__highStep": 8, "TapChanger__neutralU": 220,
            "TapChanger__normalStep": 0, "RatioTapChanger__stepVoltageIncrement": 1.25}),
        cim("EnergyConsumer", "load", **{named: "load", "Equipment__EquipmentContainer": "#_vlC"}),
    ]  # fmt: skip
    steady = [
        *(cim("Terminal", t, True, ACDCTerminal__connected="true") for t, *_ in terminals()),
        cim("ExternalNetworkInjection", "slack", True, **{
            "ExternalNetworkInjection__p": -90, "ExternalNetworkInjection__q": -30,
            "ExternalNetworkInjection__referencePriority": 1, "RegulatingCondEq__controlEnabled": "true"}),
        cim("RegulatingControl", "control", True, **{
            "RegulatingControl__enabled": "true", "RegulatingControl__targetValue": 224.4,
            "RegulatingControl__discrete": "false"}),
        cim("RatioTapChanger", "tap", True, TapChanger__step=2, TapChanger__controlEnabled="false"),
        cim("EnergyConsumer", "load", True, EnergyConsumer__p=90, EnergyConsumer__q=30),
    ]  # fmt: skip
    topology = [
        *(cim("TopologicalNode", f"tn{n}", **{named: f"bus {n}", "TopologicalNode__BaseVoltage": f"#_bv{v}",
                                              "TopologicalNode__ConnectivityNodeContainer": f"#_vl{n}"})
          for n, v in (("A", 220), ("B", 220), ("C", 110))),
        *(cim("Terminal", t, True, Terminal__TopologicalNode=f"#_tn{n}") for t, _, _, n in terminals()),
    ]  # fmt: skip
    state = [
        cim("SvVoltage", f"sv{n}", SvVoltage__TopologicalNode=f"#_tn{n}", SvVoltage__v=v, SvVoltage__angle=0)
        for n, v in (("A", 224.4), ("B", 222), ("C", 112))
    ]
    return {
        "EQ": profile("EQ", equipment), "SSH": profile("SSH", steady), "TP": profile("TP", topology),
        "SV": profile("SV", state),
    }  # fmt: skip


def write_folder(folder: Path, profiles: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in profiles.items():
        (folder / f"small_{name}.xml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cgmes_folder(tmp_path_factory) -> Path:
    return write_folder(tmp_path_factory.mktemp("cgmes") / "small", cgmes_profiles())


def by_hand() -> BusBranch:
    return hand_network((220.0, 110.0), 2 + 16j, 1e-4, 0.8 + 37.6j, 1.025 * 110 / 115, 115 / 110, (90, 30))


@with_lxml
def test_cgmes_flows_equal_the_network_by_hand(cgmes_folder):
    assert format_of(cgmes_folder) == "cgmes"
    case = read_case(cgmes_folder)
    assert case.buses["name"].tolist() == ["bus A", "bus B", "bus C"]
    assert case.buses["kind"].tolist() == ["ref", "pq", "pq"]
    assert case.branches.loc[case.branches["kind"] == "line", "length_km"].tolist() == [40.0]
    assert case.branches.loc[case.branches["kind"] == "transformer", "tap_positions"].tolist() == [17]
    assert len(case.source.sha256) == 64
    same_flows(case, by_hand())


@with_lxml
def test_cgmes_zip_reads_the_same(cgmes_folder, tmp_path):
    archive = tmp_path / "small.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(cgmes_folder.glob("*.xml")):
            target.write(file, f"deep/er/{file.name}")
        target.writestr("../outside.txt", "not read")
    same_flows(read_case(archive), by_hand())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small.zip"]


def without(name: str) -> dict[str, str]:
    return {k: v for k, v in cgmes_profiles().items() if k != name}


@pytest.mark.parametrize(
    ("profiles", "rule"),
    [
        ({"EQ": "<a>"}, "cgmes.format"),
        ({"EQ": ""}, "cgmes.format"),
        ({"EQ": "\x00\x01noise"}, "cgmes.format"),
        pytest.param(
            {**cgmes_profiles(), "EQ": cgmes_profiles()["EQ"][:3000]}, "cgmes.converter", marks=with_lxml, id="cut"
        ),
        pytest.param({"SV": cgmes_profiles()["SV"]}, "cgmes.empty", marks=with_lxml, id="state alone"),
        pytest.param(without("TP"), "cgmes.converter", marks=with_lxml, id="without topology"),
        pytest.param(
            {"EQ": cgmes_profiles()["EQ"].replace("/EquipmentCore/", "/Poetry/")},
            "cgmes.converter",
            marks=with_lxml,
            id="no profile",
        ),
    ],
)
def test_bad_cgmes_is_one_error(tmp_path, profiles, rule):
    folder = write_folder(tmp_path / "bad", profiles)
    with pytest.raises(InputError) as refused:
        read_cgmes(folder, "bad")
    assert [f.rule for f in refused.value.findings] == [rule]
    assert refused.value.findings[0].file == "bad"


def test_missing_package_is_told(cgmes_folder, monkeypatch):
    """pandapower's converter cannot be imported without lxml; our reader names it."""
    monkeypatch.setattr("grid.readers.converted.find_spec", lambda name: None)
    with pytest.raises(InputError, match="lxml") as refused:
        read_cgmes(cgmes_folder)
    assert [f.rule for f in refused.value.findings] == ["cgmes.package_missing"]


def test_bad_archives_are_one_error(tmp_path, cgmes_folder):
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(cgmes_folder.glob("*.xml")):
            target.write(file, file.name)
    content = whole.read_bytes()
    flipped = bytearray(content)
    flipped[200:260] = bytes(60)
    for name, data in (("cut", content[:900]), ("noise", random.Random(1).randbytes(5000)), ("flip", bytes(flipped))):
        path = tmp_path / f"{name}.zip"
        path.write_bytes(data)
        with pytest.raises(InputError) as refused:
            read_case(path)
        assert [f.rule for f in refused.value.findings] == ["cgmes.unreadable"]
    with pytest.raises(InputError, match="cannot be read"):
        read_cgmes(tmp_path / "absent.xml")
    with pytest.raises(InputError, match=r"cannot be unpacked|cannot be read"):
        read_cgmes(tmp_path / "absent.zip")


# ---------------------------------------------------------------- fuzz


def broken(content: bytes, seed: int) -> bytes:
    rng = random.Random(seed)
    data = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        a = rng.randrange(len(data) + 1)
        b = min(len(data), a + rng.choice((1, 4, 60, 900)))
        kind = rng.randrange(3)
        if kind == 0:
            del data[a:b]
        elif kind == 1:
            data[a:b] = data[a:b] * 2
        else:
            data[a:b] = rng.randbytes(b - a)
    return bytes(data)


def read_or_refused(read, path):
    refused = ()
    try:
        result = read(path)
    except InputError as error:
        refused, result = error.findings, None
    assert isinstance(result, BusBranch) or refused
    assert all(f.rule and f.message and f.remedy for f in refused)


@MANY
@given(seed=st.integers(0, 10**9))
def test_broken_ucte(tmp_path_factory, ucte_file, seed):
    path = tmp_path_factory.getbasetemp() / "fuzz.uct"
    path.write_bytes(broken(ucte_file.read_bytes(), seed))
    read_or_refused(read_ucte, path)


@MANY
@given(seed=st.integers(0, 10**9))
def test_broken_cgmes(tmp_path_factory, cgmes_folder, seed):
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    files = sorted(cgmes_folder.glob("*.xml"))
    for k, file in enumerate(files):
        content = file.read_bytes()
        (folder / file.name).write_bytes(broken(content, seed) if k == seed % len(files) else content)
    read_or_refused(read_cgmes, folder)

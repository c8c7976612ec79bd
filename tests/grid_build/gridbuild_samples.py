"""Loads for reference networks: towns with a heavy centre in each district, seeded."""

import numpy as np
import pandas as pd

from grid.reference_network import NamedPlant, NamedStation, ReferenceGridSpec

BOZHOU_DISTRICTS = (
    ("341602", "谯城区", "Qiaocheng", 115.827, 33.7424, 1523, 2266),
    ("341621", "涡阳县", "Guoyang", 116.2008, 33.5642, 1312, 2070),
    ("341622", "蒙城县", "Mengcheng", 116.6317, 33.2099, 1154, 2119),
    ("341623", "利辛县", "Lixin", 116.0966, 33.1231, 1248, 2072),
)


def load_points(districts=BOZHOU_DISTRICTS, places: int = 40, seed: int = 1) -> pd.DataFrame:
    """Places within each district's circle; the first is the town, six times as heavy."""
    rng = np.random.default_rng(seed)
    rows = []
    for code, _, _, lon, lat, people, area_km2 in districts:
        for k in range(places):
            radius = 0.0 if k == 0 else np.sqrt(area_km2 / np.pi * rng.random())
            turn = 2 * np.pi * rng.random()
            weight = people * rng.lognormal(0, 0.8) * (6 if k == 0 else 1)
            rows.append((lon + radius * np.cos(turn) / 92.6, lat + radius * np.sin(turn) / 111.2, weight, code))
    return pd.DataFrame(rows, columns=["lon", "lat", "p_mw", "district_code"])


def bozhou_spec(peak_load_mw: float = 4000.0) -> ReferenceGridSpec:
    stations = (
        NamedStation("阜亳特高压", "Fubo UHV", 500, status="outside", source="plan"),
        NamedStation("谯城", "Qiaocheng", 500, "341602", status="planned", source="plan"),
        NamedStation("振源", "Zhenyuan", 220, "341602", status="planned", source="plan"),
        NamedStation("朱集", "Zhuji", 220, "341623", status="planned", source="plan"),
        NamedStation("伊门", "Yimen", 220, "341621", status="planned", source="plan"),
        NamedStation("吴寨", "Wuzhai", 220, "341622", status="planned", source="plan"),
        NamedStation("古井", "Gujing", 110, "341602", 115.6, 33.95, status="planned", source="plan"),
        NamedStation("城北", "Chengbei", 110, "341621", status="planned", source="plan"),
        NamedStation("向遂", "Xiangsui", 110, "341623", status="planned", source="plan"),
        NamedStation("毕杰", "Bijie", 110, "341622", status="planned", source="plan"),
    )
    plants = (
        NamedPlant("板集电厂", "Banji power plant", "coal", 2000, 500, "341623", source="list of plants"),
        NamedPlant("谯东二期风电场", "Qiaodong II wind farm", "wind", 100, 110, "341602", source="plan"),
        NamedPlant("涡阳储能电站", "Guoyang storage", "storage", 300, 220, "341621", source="plan"),
    )
    names = tuple((code, zh, en) for code, zh, en, *_ in BOZHOU_DISTRICTS)
    return ReferenceGridSpec("bozhou", peak_load_mw, stations, plants, names)

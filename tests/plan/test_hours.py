"""Representative hours: weights add up, extremes are in, more hours lose less."""

import numpy as np
import pytest

from grid.plan.hours import representative_hours


def year(seed=1, hours=8760):
    rng = np.random.default_rng(seed)
    t = np.arange(hours)
    load = 0.6 + 0.25 * np.sin(2 * np.pi * t / 24) + 0.05 * rng.random(hours)
    pv = np.maximum(0, np.sin(2 * np.pi * (t - 6) / 24)) * (0.3 + 0.7 * rng.random(hours))
    wind = np.clip(rng.gamma(2, 0.15, hours), 0, 1)
    net = 4000 * load - 3000 * pv - 2000 * wind
    loading = np.stack([np.abs(net) / 40, 100 * wind, 50 * load])
    return load, pv, wind, net, loading, ["a", "b", "c"]


def test_weights_stand_for_the_whole_year_and_extremes_are_in():
    load, pv, wind, net, loading, names = year()
    chosen = representative_hours(load, pv, wind, net, loading, names, 24)
    assert len(chosen.table) == 24
    assert chosen.weights_h.sum() == 8760
    for hour in (net.argmax(), net.argmin(), load.argmin(), pv.argmax(), wind.argmax(), loading[0].argmax()):
        assert hour in chosen.hours
    why = dict(zip(chosen.table["hour"], chosen.table["why"], strict=True))
    assert "highest export" in why[net.argmin()]
    assert "highest loading of b" in why[loading[1].argmax()]


def test_every_hour_as_its_own_centre_loses_nothing():
    load, pv, wind, net, loading, names = year(hours=40)
    chosen = representative_hours(load, pv, wind, net, loading, names, 40)
    assert [e.mean_percent for e in chosen.errors] == pytest.approx([0, 0, 0], abs=1e-9)
    assert [e.duration_percent for e in chosen.errors] == pytest.approx([0, 0, 0], abs=1e-9)


def test_more_hours_follow_the_duration_curve_better():
    load, pv, wind, net, loading, names = year()
    few = representative_hours(load, pv, wind, net, loading, names, 14)
    many = representative_hours(load, pv, wind, net, loading, names, 120)
    total = [sum(e.duration_percent for e in chosen.errors) for chosen in (few, many)]
    assert total[1] < 0.7 * total[0]


def test_the_same_year_gives_the_same_hours():
    first, again = (representative_hours(*year(), 24).table for _ in range(2))
    assert first.equals(again)

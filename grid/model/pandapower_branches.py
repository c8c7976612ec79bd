"""Switches, lines, transformers, impedances and DC links of a pandapower net as branches of a case."""

from __future__ import annotations

import numpy as np

from grid.model.nameplate import (
    leakage_pu,
    magnetising_pu,
    pair_impedances_pu,
    smaller_of_pairs,
    star_impedances,
    t_to_pi,
)
from grid.model.pandapower_draft import Draft, Record, add_branch, add_generator, number_of, records, text_of


def read_branches(draft: Draft) -> None:
    """All branches of the net; an open switch at one end of a line leaves the line hanging at an auxiliary bus."""
    ends = _open_ends(draft)
    _read_lines(draft, ends)
    _read_transformers(draft, ends)
    _read_three_winding(draft, ends)
    _read_impedances(draft)
    _read_dclines(draft)


def _open_ends(draft: Draft) -> dict[tuple[str, int], set[int]]:
    """Buses at which a line ('l'), transformer ('t', 't3') is switched off; bus-bus switches become ties."""
    ends: dict[tuple[str, int], set[int]] = {}
    for index, row in records(draft.net, "switch"):
        closed, kind = bool(row["closed"]), str(row["et"])
        if kind == "b":
            z_ohm = number_of(row, "z_ohm", 0.0)
            if closed:
                ohm = draft.vn[int(row["bus"])] ** 2 / draft.base
                a, b = draft.number[int(row["bus"])], draft.number[int(row["element"])]
                add_branch(draft, f"switch {index}", row, a, b, z_ohm / ohm, 0.0, in_service=True)
        elif not closed:
            ends.setdefault((kind, int(row["element"])), set()).add(int(row["bus"]))
    return ends


def _parallel(row: Record) -> int:
    return max(int(number_of(row, "parallel", 1.0)), 1)


def _circuit_name(name: str, k: int) -> str:
    return name if k == 0 else f"{name}/{k + 1}"


def _read_lines(draft: Draft, ends: dict[tuple[str, int], set[int]]) -> None:
    for index, row in records(draft.net, "line"):
        name, f, t = f"line {index}", int(row["from_bus"]), int(row["to_bus"])
        length, ohm = number_of(row, "length_km"), draft.vn[f] ** 2 / draft.base
        # a line to a bus that is out of service hangs there with its charging, as at an open switch
        opened = ends.get(("l", index), set()) | ({f, t} & draft.off)
        running = bool(row["in_service"]) and not {f, t} <= opened
        count = _parallel(row)
        if count > 1:
            draft.note(name, "parallel", "converted", f"{count} circuits")
        for k in range(count):
            own = _circuit_name(name, k)
            number = {f: draft.number[f], t: draft.number[t]}
            for bus in sorted(opened & {f, t}) if running else ():
                number[bus] = draft.auxiliary_bus(f"{own} open end", draft.vn[bus])
            rating = number_of(row, "max_i_ka") * number_of(row, "df", 1.0) * np.sqrt(3) * draft.vn[f]
            add_branch(
                draft, own, row, number[f], number[t], number_of(row, "r_ohm_per_km") * length / ohm,
                number_of(row, "x_ohm_per_km") * length / ohm, circuit=str(k + 1),
                b_pu=2 * np.pi * float(draft.net.f_hz) * number_of(row, "c_nf_per_km") * 1e-9 * length * ohm,
                g_pu=number_of(row, "g_us_per_km", 0.0) * 1e-6 * length * ohm, rating_a_mva=rating, length_km=length,
                in_service=running,
            )  # fmt: skip


def _tap(draft: Draft, name: str, row: Record, suffix: str = "") -> tuple[str, complex, Record]:
    """(side, factor on that side's rated voltage as magnitude and angle, tap range relative to neutral)."""
    side, position = text_of(row, f"tap{suffix}_side"), number_of(row, f"tap{suffix}_pos")
    neutral = number_of(row, f"tap{suffix}_neutral", 0.0)
    step = number_of(row, f"tap{suffix}_step_percent", 0.0) / 100
    degree = number_of(row, f"tap{suffix}_step_degree", 0.0)
    kind = text_of(row, f"tap{suffix}_changer_type")
    if row.get("tap_dependency_table") is True or kind == "Tabular":
        draft.note(name, "tap_dependency_table", "dropped", "", "Write the position's ratio into vn_hv_kv.")
    if not np.isfinite(position) or not side or (position == neutral and kind in ("", "None")):
        return side or "hv", 1.0 + 0j, {}
    if kind in ("", "None"):
        value = f"position {position:g}, neutral {neutral:g}"
        draft.note(name, f"tap{suffix}_changer_type", "defaulted", value, "Taken as Ratio; pandapower ignores the tap.")
    difference = position - neutral
    if kind == "Ideal":
        angle = difference * degree if degree else 2 * np.rad2deg(np.arcsin(difference * step / 2))
        return side, complex(np.exp(1j * np.deg2rad(angle))), {}
    tap_range = {}
    low, high = number_of(row, f"tap{suffix}_min"), number_of(row, f"tap{suffix}_max")
    if degree == 0 and step > 0 and np.isfinite(low) and np.isfinite(high) and high > low:
        tap_range = {"low": 1 + (low - neutral) * step, "high": 1 + (high - neutral) * step, "n": int(high - low) + 1}
    return side, 1 + difference * step * complex(np.exp(1j * np.deg2rad(degree))), tap_range


def _read_transformers(draft: Draft, ends: dict[tuple[str, int], set[int]]) -> None:
    for index, row in records(draft.net, "trafo"):
        name, hv, lv = f"trafo {index}", int(row["hv_bus"]), int(row["lv_bus"])
        running = bool(row["in_service"]) and not ends.get(("t", index))
        high, low, angle = number_of(row, "vn_hv_kv") / draft.vn[hv], number_of(row, "vn_lv_kv") / draft.vn[lv], 0.0
        tap_range: Record = {}
        side = "hv"
        for suffix in ("", "2") if "tap2_pos" in row else ("",):
            at, factor, moved = _tap(draft, name, row, suffix)
            if at == "lv":
                low *= abs(factor)
                angle -= float(np.rad2deg(np.angle(factor)))
            else:
                high *= abs(factor)
                angle += float(np.rad2deg(np.angle(factor)))
            if not suffix and moved:
                side, tap_range = at, {k: v / abs(factor) if k != "n" else v for k, v in moved.items()}
        sn, base = number_of(row, "sn_mva"), draft.base
        plate = {k: np.array([number_of(row, k)]) for k in ("vk_percent", "vkr_percent", "pfe_kw", "i0_percent")}
        z = leakage_pu(plate["vk_percent"], plate["vkr_percent"], np.array([sn]), base)
        y = magnetising_pu(plate["pfe_kw"], plate["i0_percent"], np.array([sn]), base)
        # pandapower keeps the impedance per unit of the tapped low side; seen from the high side it is constant
        pi = t_to_pi(z * low**2, y / low**2)
        z_pu, y_pu, ratio, shift = pi.z_pu[0], pi.y_pu[0], high / low, number_of(row, "shift_degree", 0.0) + angle
        f, t = draft.number[hv], draft.number[lv]
        if side == "lv":
            z_pu, y_pu, ratio, shift, f, t = z_pu * ratio**2, y_pu / ratio**2, 1 / ratio, -shift, t, f
        count = _parallel(row)
        if count > 1:
            draft.note(name, "parallel", "converted", f"{count} units")
        for k in range(count):
            add_branch(
                draft, _circuit_name(name, k), row, f, t, z_pu.real, z_pu.imag, kind="transformer", circuit=str(k + 1),
                g_pu=y_pu.real, b_pu=y_pu.imag, ratio=ratio, shift_degree=shift, in_service=running,
                rating_a_mva=sn * number_of(row, "df", 1.0), ratio_min=ratio * tap_range.get("low", np.nan),
                ratio_max=ratio * tap_range.get("high", np.nan), tap_positions=tap_range.get("n", 0),
            )  # fmt: skip


def _read_three_winding(draft: Draft, ends: dict[tuple[str, int], set[int]]) -> None:
    for index, row in records(draft.net, "trafo3w"):
        name = f"trafo3w {index}"
        sides = ("hv", "mv", "lv")
        buses = [int(row[f"{s}_bus"]) for s in sides]
        sn = np.array([[number_of(row, f"sn_{s}_mva")] for s in sides])
        pair_base = smaller_of_pairs(sn)
        vk = np.array([[number_of(row, f"vk_{s}_percent")] for s in sides])
        vkr = np.array([[number_of(row, f"vkr_{s}_percent")] for s in sides])
        pairs = pair_impedances_pu(vk, vkr, pair_base, draft.base)
        legs = list(star_impedances(pairs[0], pairs[1], pairs[2]))
        ratios = [number_of(row, f"vn_{s}_kv") / draft.vn[b] for s, b in zip(sides, buses, strict=True)]
        shifts = [0.0, -number_of(row, "shift_mv_degree", 0.0), -number_of(row, "shift_lv_degree", 0.0)]
        side, factor, _ = _tap(draft, name, row)
        k = sides.index(side) if side in sides else 0
        ratios[k] *= abs(factor)
        shifts[k] += float(np.rad2deg(np.angle(factor)))
        if bool(row.get("tap_at_star_point", False)):
            # the turns change on the star's side: the leg's impedance stays on the terminal's side
            legs[k] = legs[k] / abs(factor) ** 2
            if factor != 1:
                draft.note(name, "tap_at_star_point", "converted", f"factor {abs(factor):g}")
        if text_of(row, "loss_side") not in ("", "hv"):
            draft.note(name, "loss_side", "converted", f"{row['loss_side']} -> hv")
        y = magnetising_pu(
            np.array([number_of(row, "pfe_kw")]), np.array([number_of(row, "i0_percent")]), sn[0], draft.base
        )
        z_12, z_23, z_31 = legs[0] + legs[1], legs[1] + legs[2], legs[2] + legs[0]
        running = bool(row["in_service"]) and not ends.get(("t3", index))
        draft.rows["three_winding"].append(
            {
                "transformer_id": name,
                "name": text_of(row),
                **{f"bus_{i + 1}": draft.number[b] for i, b in enumerate(buses)},
                **{f"r_{p}_pu": float(z[0].real) for p, z in (("12", z_12), ("23", z_23), ("31", z_31))},
                **{f"x_{p}_pu": float(z[0].imag) for p, z in (("12", z_12), ("23", z_23), ("31", z_31))},
                "g_mag_pu": float(y[0].real),
                "b_mag_pu": float(y[0].imag),
                "magnetising": "t",
                **{f"ratio_{i + 1}": r for i, r in enumerate(ratios)},
                **{f"shift_{i + 1}_degree": s for i, s in enumerate(shifts)},
                **{f"rating_{i + 1}_mva": float(sn[i, 0]) for i in range(3)},
                **{f"in_service_{i}": running for i in (1, 2, 3)},
            }
        )


def _read_impedances(draft: Draft) -> None:
    for index, row in records(draft.net, "impedance"):
        name, scale = f"impedance {index}", draft.base / number_of(row, "sn_mva")
        r, x = number_of(row, "rft_pu") * scale, number_of(row, "xft_pu") * scale
        back = (number_of(row, "rtf_pu") * scale, number_of(row, "xtf_pu") * scale)
        if back != (r, x):
            draft.note(
                name, "rtf_pu, xtf_pu", "dropped", f"{back[0]:g}, {back[1]:g}", "A branch is the same both ways."
            )
        ends = {
            f"{k}_{e}_pu": number_of(row, f"{k}{s}_pu", 0.0) / scale
            for k in "gb"
            for e, s in (("from", "f"), ("to", "t"))
        }
        f, t = (draft.number[int(row[f"{e}_bus"])] for e in ("from", "to"))
        add_branch(draft, name, row, f, t, r, x, rating_a_mva=number_of(row, "sn_mva"), **ends)


def _read_dclines(draft: Draft) -> None:
    """Both ends hold their voltage in pandapower, so each is a generator of fixed power."""
    for index, row in records(draft.net, "dcline"):
        name, p = f"dcline {index}", number_of(row, "p_mw")
        arriving = abs(p) * (1 - number_of(row, "loss_percent", 0.0) / 100) - number_of(row, "loss_mw", 0.0)
        power = {"from": -abs(p), "to": arriving} if p > 0 else {"from": arriving, "to": -abs(p)}
        for end in ("from", "to"):
            limits = {"min_q_mvar": row.get(f"min_q_{end}_mvar"), "max_q_mvar": row.get(f"max_q_{end}_mvar")}
            add_generator(
                draft, f"{name} {end}", {**limits, "in_service": row["in_service"]}, int(row[f"{end}_bus"]), "voltage",
                p_mw=power[end], vm_pu=number_of(row, f"vm_{end}_pu"), name=text_of(row),
            )  # fmt: skip
        draft.note(name, "", "converted", "a generator of fixed power at each end")

"""From the cards of a PSD-BPA file to the tables of the bus-branch model. See :mod:`grid.readers.bpa`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from grid.model.acceptance import accept
from grid.model.contracts import BusBranch, LossItem, Source, make_case
from grid.readers.bpa_cards import Card
from layers.contracts import Finding, InputError

BusKey = tuple[str, float]
Columns = dict[str, list[Any]]

_TABLES = ("buses", "loads", "generators", "branches", "shunts", "shunt_steps", "hvdc")
_MOST_FAULTS = 50


@dataclass
class BpaReading:
    """Faults and losses so far."""

    shown: str
    findings: list[Finding] = field(default_factory=list)
    losses: list[LossItem] = field(default_factory=list)

    def fault(self, rule: str, item: str, value: str, message: str, remedy: str) -> None:
        self.findings.append(Finding("error", f"bpa.{rule}", self.shown, "network data", item, value, message, remedy))

    def card_fault(self, card: Card, name: str, value: str, message: str, remedy: str) -> None:
        self.fault("field", f"line {card.line} {card.record} {name}", value.strip(), f"The field {message}", remedy)

    def lose(self, element: str, name: str, action: Any, value: object, remedy: str) -> None:
        self.losses.append(LossItem(element, name, action, str(value), remedy))

    def stop_on_faults(self) -> None:
        if len(self.findings) > _MOST_FAULTS:
            left = len(self.findings) - _MOST_FAULTS
            del self.findings[_MOST_FAULTS:]
            self.fault("more", f"and {left} more", "", "further faults of the same file.", "Correct the first ones.")
        if self.findings:
            raise InputError(self.findings)


class BpaNetwork:
    """The tables of the model while the cards are read."""

    def __init__(self, reading: BpaReading, base_mva: float) -> None:
        self.reading, self.base_mva = reading, base_mva
        self.number: dict[BusKey, int] = {}
        self.bus_cards: dict[BusKey, Card] = {}
        self.dc_buses: dict[BusKey, BusKey] = {}
        self.tables: dict[str, Columns] = {name: defaultdict(list) for name in _TABLES}
        self.zones: dict[str, int] = {}
        self.used: dict[str, int] = {}

    def add(self, table: str, **values: Any) -> None:
        columns = self.tables[table]
        for name, value in values.items():
            columns[name].append(value)

    def unique(self, name: str) -> str:
        """``name``, with #2, #3 ... where it has been used."""
        self.used[name] = count = self.used.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"

    def read(self, cards: list[Card], source: Source) -> BusBranch:
        by_record: dict[str, list[Card]] = defaultdict(list)
        for card in cards:
            by_record[card.record].append(card)
        for card in by_record["BD"]:
            self._dc_bus(card)
        for card in by_record["B"]:
            self._number_bus(card)
        switched = self._switched(by_record["X"])
        for key, card in self.bus_cards.items():
            self._bus(key, card, switched)
        for card in by_record["+"]:
            self._continuation(card)
        self._branches(by_record, self._regulators(by_record["R"]))
        for card in by_record["LD"]:
            self._dc_line(card)
        self._areas([*by_record["A"], *by_record["I"]])
        if "ref" not in self.tables["buses"]["kind"]:
            self.reading.fault("no_slack", "buses", "", "there is no slack bus (BS).", "Make one bus a BS bus.")
        for zone, place in self.zones.items():
            self.reading.lose(f"zone {zone}", "zone", "converted", place, "the model numbers zones")
        self.reading.stop_on_faults()
        case = make_case(source.shown_path.rsplit("/", 1)[-1].rsplit(".", 1)[0], self.base_mva, source,
                         self.tables, 50.0, self.reading.losses)  # fmt: skip
        return accept(case)

    # buses

    def _key(self, card: Card, name: str, kv: str) -> BusKey:
        return card.text(name), card.number(kv)

    def _number_bus(self, card: Card) -> None:
        key = self._key(card, "name", "vn_kv")
        if not key[0] or key[1] <= 0:
            self.reading.card_fault(card, "name", card.text("name"), "needs a name and a base voltage above 0 kV.",
                                    "Complete the card.")  # fmt: skip
        elif key in self.number:
            self.reading.card_fault(card, "name", shown_bus(key), "names a bus that another card has already.",
                                    "Rename one of the buses.")  # fmt: skip
        else:
            self.number[key] = len(self.number) + 1
            self.bus_cards[key] = card

    def _at(self, card: Card, name: str, kv: str) -> int:
        """Number of the bus that a card names; 0 with a fault where there is none."""
        key = self._key(card, name, kv)
        if key not in self.number:
            self.reading.card_fault(card, name, shown_bus(key), "names a bus that has no card.",
                                    "Add the bus, or correct name and base voltage.")  # fmt: skip
            return 0
        return self.number[key]

    def _zone(self, card: Card) -> int:
        zone = card.text("zone")
        return self.zones.setdefault(zone, len(self.zones) + 1) if zone else 0

    def _bus(self, key: BusKey, card: Card, switched: set[int]) -> None:
        kind, bus = card.text("subtype"), self.number[key]
        if kind not in ("", *"SEQGCTVXF"):
            self.reading.card_fault(card, "subtype", kind, "is no subtype of an AC bus.", "Use S E Q G C T V X F.")
            kind = ""
        high, low = card.number("v_high", math.nan), card.number("v_low", math.nan)
        holds = kind in ("S", "E", "Q", "F")
        self.add("buses", bus_id=bus, name=key[0], vn_kv=key[1], zone=self._zone(card),
                 kind="ref" if kind == "S" else "pq",
                 vm_max_pu=math.nan if holds or kind in ("C", "T") else high,
                 vm_min_pu=math.nan if holds or kind in ("C", "T") else low,
                 gs_mw=card.number("g_mw"),
                 bs_mvar=0.0 if bus in switched else card.number("b_mvar"),
                 va_degree=card.angle("v_low") if kind == "S" else math.nan)  # fmt: skip
        if bus in switched and card.number("b_mvar"):
            self.reading.lose(f"bus {shown_bus(key)}", "b_mvar", "dropped", card.number("b_mvar"),
                              "the switched reactances of its X card count instead")  # fmt: skip
        self._load(bus, card, self.unique(f"{key[0]} {key[1]:g}"))
        self._generator(kind, bus, key, card, high)

    def _load(self, bus: int, card: Card, name: str, part: str = "") -> None:
        p, q = card.number("p_load_mw"), card.number("q_load_mvar")
        if p or q:
            self.add("loads", load_id=name, bus_id=bus, name=name.split(" ")[0],
                     p_mw=p if not part else 0.0, q_mvar=q if not part else 0.0,
                     p_i_mw=p if part == "i" else 0.0, q_i_mvar=q if part == "i" else 0.0)  # fmt: skip

    def _generator(self, kind: str, bus: int, key: BusKey, card: Card, high: float) -> None:
        p, q_high, q_low = card.number("p_mw"), card.number("q_mvar"), card.number("q_min_mvar")
        voltage = kind in ("S", "E", "Q", "G", "F")
        if not voltage:
            q = q_high if not q_low else 0.0
            if q_low and kind != "X":
                self.reading.lose(f"bus {shown_bus(key)}", "q_min_mvar", "dropped", q_low,
                                  "a bus without voltage control takes no limits; its reactive power is 0")  # fmt: skip
            if kind == "V":
                self.reading.lose(f"bus {shown_bus(key)}", "subtype", "converted", "V",
                                  "constant reactive power; check that the voltage stays in its limits")  # fmt: skip
            if p or q:
                self._add_generator(bus, key, card, p, q, control="power")
            return
        set_point, regulated = high, bus
        if kind == "G" and card.text("remote_name"):
            remote = self._key(card, "remote_name", "remote_kv")
            regulated = self._at(card, "remote_name", "remote_kv") or bus
            controlled = self.bus_cards.get(remote)
            if controlled is not None and regulated != bus:
                set_point = controlled.number("v_high", math.nan)
        if math.isnan(set_point):
            self.reading.lose(f"bus {shown_bus(key)}", "v_high", "defaulted", "1.0", "state the voltage that is held")
            set_point = 1.0
        limits = {}
        if kind in ("Q", "G"):
            limits = {"q_max_mvar": q_high, "q_min_mvar": q_low}
        elif q_high or q_low:
            self.reading.lose(f"bus {shown_bus(key)}", "q_mvar", "converted", f"{q_low:g} to {q_high:g}",
                              "the bus holds its voltage whatever it takes; use BQ to keep the limits")  # fmt: skip
        if kind == "F":
            self.reading.lose(
                f"bus {shown_bus(key)}", "subtype", "converted", "F", "taken as a bus of constant voltage"
            )
        self._add_generator(bus, key, card, p, 0.0, vm_pu=set_point, regulated_bus_id=regulated,
                            slack_weight=1.0 if kind == "S" else 0.0, **limits)  # fmt: skip
        if kind != "S" and regulated == bus:
            self.tables["buses"]["kind"][-1] = "pv"

    def _add_generator(self, bus: int, key: BusKey, card: Card, p: float, q: float, **values: Any) -> None:
        complete = {"q_max_mvar": math.inf, "q_min_mvar": -math.inf, "control": "voltage", "vm_pu": math.nan,
                    "regulated_bus_id": bus, "slack_weight": 0.0, **values}  # fmt: skip
        p_max = math.nan if card.record == "+" else card.number("p_max_mw", math.nan)
        self.add("generators", generator_id=self.unique(f"{key[0]} {key[1]:g} G"), bus_id=bus, name=key[0],
                 p_mw=p, q_mvar=q, p_max_mw=p_max, **complete)  # fmt: skip

    def _continuation(self, card: Card) -> None:
        bus, key = self._at(card, "name", "vn_kv"), self._key(card, "name", "vn_kv")
        if not bus:
            return
        code, year = card.text("code"), card.text("year")
        name = self.unique(f"{key[0]} {key[1]:g}")
        constant_current = year == "*I" or (code == "A" and year in ("01", "02"))
        self._load(bus, card, name, "i" if constant_current else "")
        g, b = card.number("g_mw"), card.number("b_mvar")
        if g or b:
            b = -b if year == "*Z" else b  # there these columns hold a load of constant admittance
            self.add("shunts", shunt_id=f"{name} shunt", bus_id=bus, g_mw=g, b_mvar=b, name=key[0], control="fixed",
                     regulated_bus_id=bus, vm_min_pu=math.nan, vm_max_pu=math.nan)  # fmt: skip
        p, q_high, q_low = card.number("p_mw"), card.number("q_mvar"), card.number("q_min_mvar")
        if p or q_high or q_low:
            at = [k for k, b_id in enumerate(self.tables["generators"]["bus_id"]) if b_id == bus]
            if at and self.tables["generators"]["control"][at[0]] == "voltage":
                generators, k = self.tables["generators"], at[0]
                generators["p_mw"][k] += p
                generators["q_max_mvar"][k] += q_high
                generators["q_min_mvar"][k] += q_low
            else:
                self._add_generator(bus, key, card, p, q_high if not q_low else 0.0, control="power")

    # shunts in steps

    def _switched(self, cards: Iterable[Card]) -> set[int]:
        found = set()
        for card in cards:
            bus = self._at(card, "name", "vn_kv")
            if not bus:
                continue
            key = self._key(card, "name", "vn_kv")
            bus_card = self.bus_cards[key]
            regulated = self._at(card, "controlled_name", "controlled_kv") if card.text("controlled_name") else bus
            shunt = self.unique(f"{key[0]} {key[1]:g} X")
            steps = [(int(card.number(f"count_{k}")), card.number(f"b_{k}_mvar")) for k in range(1, 9)]
            band = {"vm_min_pu": bus_card.number("v_low", math.nan), "vm_max_pu": bus_card.number("v_high", math.nan)}
            self.add("shunts", shunt_id=shunt, bus_id=bus, g_mw=0.0, b_mvar=bus_card.number("b_mvar"), name=key[0],
                     control="discrete", regulated_bus_id=regulated or bus, **band)  # fmt: skip
            for block, (count, b) in enumerate([s for s in steps if s[0] and s[1]], start=1):
                self.add("shunt_steps", shunt_id=shunt, block=block, count=count, b_mvar=b)
            found.add(bus)
        return found

    # branches

    def _regulators(self, cards: Iterable[Card]) -> dict[tuple[BusKey, BusKey], Card]:
        found = {}
        for card in cards:
            ends = (self._key(card, "name_1", "kv_1"), self._key(card, "name_2", "kv_2"))
            if card.text("subtype") in ("", "V"):
                found[ends] = card
            else:
                label = f"regulator {shown_bus(ends[0])} - {shown_bus(ends[1])}"
                remedy = "flow control is not modelled; the tap stays where it is"
                self.reading.lose(label, "subtype", "dropped", card.text("subtype"), remedy)
        return found

    def _branches(self, by_record: dict[str, list[Card]], regulators: dict[tuple[BusKey, BusKey], Card]) -> None:
        sections: dict[tuple[BusKey, BusKey, str], list[Card]] = defaultdict(list)
        for card in sorted([*by_record["L"], *by_record["E"], *by_record["T"]], key=lambda c: c.line):
            ends = (self._key(card, "name_1", "kv_1"), self._key(card, "name_2", "kv_2"))
            if card.record == "T" and (ends[0] in self.dc_buses or ends[1] in self.dc_buses):
                label = f"transformer {shown_bus(ends[0])} - {shown_bus(ends[1])}"
                self.reading.lose(label, "record", "converted", "T", "the converter injects on its network side")
                continue
            if self._at(card, "name_1", "kv_1") and self._at(card, "name_2", "kv_2"):
                sections[(*ends, card.text("circuit"))].append(card)
        for (one, two, circuit), cards in sections.items():
            cards.sort(key=lambda c: (c.text("section"), c.line))
            start = self.number[one]
            for k, card in enumerate(cards):
                end = self.number[two] if k == len(cards) - 1 else self._section_bus(one, two, circuit, k + 1)
                regulator = regulators.get((one, two)) or regulators.get((two, one))
                self._branch(card, start, end, circuit, regulator)
                start = end

    def _section_bus(self, one: BusKey, two: BusKey, circuit: str, k: int) -> int:
        bus = len(self.tables["buses"]["bus_id"]) + 1
        row: dict[str, Any] = {"zone": 0, "kind": "pq", "vm_max_pu": math.nan, "vm_min_pu": math.nan, "gs_mw": 0.0,
                               "bs_mvar": 0.0, "va_degree": math.nan}  # fmt: skip
        self.add("buses", bus_id=bus, name=f"{one[0]}-{two[0]} {circuit}.{k}", vn_kv=one[1], **row)
        return bus

    def _branch(self, card: Card, start: int, end: int, circuit: str, regulator: Card | None) -> None:
        name_1, kv_1 = self._key(card, "name_1", "kv_1")
        name_2, kv_2 = self._key(card, "name_2", "kv_2")
        label = f"{card.record} {name_1} {kv_1:g} - {name_2} {kv_2:g}"
        z = complex(card.number("r_pu"), card.number("x_pu"))
        if z == 0:
            self.reading.lose(label, "x_pu", "converted", "0", "no impedance: taken as a closed tie")
        values: dict[str, Any] = {"ratio": 1.0, "shift_degree": 0.0, "g_from_pu": 0.0, "b_from_pu": 0.0,
                                  "g_to_pu": 0.0, "b_to_pu": 0.0, "g_pu": 0.0, "b_pu": 0.0, "length_km": math.nan,
                                  "tap_control": "none", "controlled_bus_id": end, "ratio_min": math.nan,
                                  "ratio_max": math.nan, "tap_positions": 0, "vm_target_pu": math.nan,
                                  "vm_band_pu": math.nan}  # fmt: skip
        if card.record == "L":
            values |= {"g_pu": 2 * card.number("g_pu"), "b_pu": 2 * card.number("b_pu"),
                       "length_km": card.number("length", math.nan)}  # fmt: skip
        elif card.record == "E":
            values |= {"g_from_pu": card.number("g_1_pu"), "b_from_pu": card.number("b_1_pu"),
                       "g_to_pu": card.number("g_2_pu"), "b_to_pu": card.number("b_2_pu")}  # fmt: skip
        else:
            start, end, z, values = self._transformer(card, start, end, z, values, regulator)
        unit = 1.0 if card.record == "T" else math.sqrt(3) * kv_1 / 1000  # amperes to MVA
        ratings = [card.number(f"rating_{c}") * unit or math.nan for c in "abc"]
        count = max(1, int(card.number("count")))
        if count > 1:
            self.reading.lose(
                label, "count", "converted", count, "one branch for each circuit that the record stands for"
            )
        for k in range(count):
            split = {n: v / count for n, v in values.items() if n[:2] in ("g_", "b_")}
            self.add("branches", branch_id=self.unique(f"{label} {circuit or '1'}"), name=f"{name_1}-{name_2}",
                     circuit=circuit or "1" if count == 1 else f"{circuit or '1'}.{k + 1}",
                     kind="transformer" if card.record == "T" else "line", from_bus=start, to_bus=end,
                     r_pu=z.real * count, x_pu=z.imag * count, rating_a_mva=ratings[0] / count,
                     rating_b_mva=ratings[1] / count, rating_c_mva=ratings[2] / count, **values | split)  # fmt: skip

    def _transformer(
        self, card: Card, start: int, end: int, z: complex, values: dict[str, Any], regulator: Card | None
    ) -> tuple[int, int, complex, dict[str, Any]]:
        kv_1, kv_2 = card.number("kv_1"), card.number("kv_2")
        shifts = card.data[1:2] == b"P" or card.blank("tap_2")
        tap_1 = 1.0 if shifts else card.number("tap_1", kv_1) / kv_1
        tap_2 = card.number("tap_2", kv_2) / kv_2 or 1.0
        if not (0.3 < tap_1 < 3 and 0.3 < tap_2 < 3):
            self.reading.card_fault(card, "tap_1", f"{tap_1 * kv_1:g} / {tap_2 * kv_2:g} kV", "is far from the base "
                                    "voltages.", "Give the taps in kV; an angle needs the subtype P.")  # fmt: skip
            return start, end, z, values
        half = complex(card.number("g_pu"), -abs(card.number("b_pu"))) / 2
        half = half if shifts else half / (tap_1 * tap_2)
        shunts = {"g_from_pu": half.real, "b_from_pu": half.imag, "g_to_pu": half.real, "b_to_pu": half.imag}
        angle = card.number("tap_1") if shifts else 0.0
        side = self._tap_side(regulator, (kv_1, kv_2)) if regulator is not None and not shifts else 1
        if side == 2:  # the tapped side is the model's from end
            start, end, z, ratio = end, start, z * tap_1**2, tap_2 / tap_1
        else:
            z, ratio = z * tap_2**2, tap_1 / tap_2
        values = {**values, **shunts, "ratio": ratio, "shift_degree": angle, "controlled_bus_id": end}
        if regulator is not None and not shifts:
            values |= self._tap_control(regulator, side, (kv_1, kv_2), (tap_1, tap_2))
        return start, end, z, values

    @staticmethod
    def _tap_side(card: Card, kv: tuple[float, float]) -> int:
        """1 or 2: the side that column 19 names, else the one whose base voltage the tap range holds."""
        if card.text("side") in ("1", "2"):
            return int(card.text("side"))
        low, high = card.number("tap_min"), card.number("tap_max")
        return 2 if low <= kv[1] <= high and not low <= kv[0] <= high else 1

    def _tap_control(self, card: Card, side: int, kv: tuple[float, float], taps: tuple[float, float]) -> dict[str, Any]:
        controlled = self._key(card, "controlled_name", "controlled_kv")
        bus_card = self.bus_cards.get(controlled)
        target = math.nan if bus_card is None else bus_card.number("v_high", math.nan)
        if bus_card is None or math.isnan(target):
            self.reading.lose(f"regulator line {card.line}", "controlled_name", "dropped", shown_bus(controlled),
                              "name the controlled bus and its voltage; the tap stays where it is")  # fmt: skip
            return {}
        base, other = kv[side - 1], taps[2 - side]
        low, high = (card.number(f"tap_{end}") / base / other for end in ("min", "max"))
        positions = int(card.number("positions"))
        band = 0.01 if positions < 2 else 0.6 * (high - low) / (positions - 1)
        return {"tap_control": "voltage", "controlled_bus_id": self.number[controlled], "ratio_min": low,
                "ratio_max": high, "tap_positions": positions, "vm_target_pu": target, "vm_band_pu": band}  # fmt: skip

    # direct current and areas

    def _dc_bus(self, card: Card) -> None:
        self.dc_buses[self._key(card, "name", "vn_kv")] = self._key(card, "commutating_name", "commutating_kv")

    def _dc_line(self, card: Card) -> None:
        """What the two converters exchange with the network; their overlap angles are not known."""
        ends = [self._key(card, f"name_{k}", f"kv_{k}") for k in (1, 2)]
        at = [self.number.get(self.dc_buses.get(end, end), 0) for end in ends]
        if not all(at):
            message = "names a converter bus without a BD card, or one whose network bus has no card."
            self.reading.card_fault(card, "name_1", " - ".join(map(shown_bus, ends)), message, "Add the cards.")
            return
        power, volts = card.number("p_mw"), card.number("v_kv")
        sending, receiving = (0, 1) if power >= 0 else (1, 0)
        loss = card.number("r_ohm") * (power / volts) ** 2 if volts else 0.0
        at_rectifier = abs(power) + (loss if card.text("control") == "I" else 0.0)
        tangent = [math.tan(math.radians(card.number(f"{angle}_degree", 15.0))) for angle in ("alpha", "gamma")]
        p = [0.0, 0.0]
        q = [0.0, 0.0]
        p[sending], p[receiving] = -at_rectifier, at_rectifier - loss
        q[sending], q[receiving] = -at_rectifier * tangent[0], -(at_rectifier - loss) * tangent[1]
        name = f"{ends[0][0]}-{ends[1][0]}"
        self.add("hvdc", hvdc_id=self.unique(f"LD {name}"), name=name, from_bus=at[0], to_bus=at[1],
                 p_from_mw=p[0], q_from_mvar=q[0], p_to_mw=p[1], q_to_mvar=q[1])  # fmt: skip
        self.reading.lose(f"LD {name}", "record", "converted", f"{power:g} MW",
                          "fixed exchange; reactive power from the control angles, overlap neglected")  # fmt: skip

    def _areas(self, cards: Iterable[Card]) -> None:
        for card in cards:
            if card.number("export_mw"):
                name = card.text("area") if card.record == "A" else f"{card.text('area_1')} - {card.text('area_2')}"
                self.reading.lose(f"area {name}", "export_mw", "dropped", card.number("export_mw"),
                                  "schedules between areas are not held; set the plants' powers")  # fmt: skip


def shown_bus(key: BusKey) -> str:
    return f"{key[0]} {key[1]:g}"

/* What a click tells: the whole story of a site, a station, a line, a measure. */

const ifSaid = (id, words) => (id ? named(words(id)) : null);

function card(kindKey, title, ...parts) {
  const made = node("article", "card",
    node("header", "", node("small", "", label(kindKey)), node("h3", "", both(title))), ...parts.filter(Boolean));
  made.tabIndex = -1;
  return made;
}

function section(titleKey, pairs, ...more) {
  const list = rows(pairs);
  if (!list.children.length && !more.length) return null;
  return node("section", "bus", node("h4", "", label(titleKey)), ...more, list);
}

function sitePopup(sites, i) {
  const get = (column) => sites.value(column, i);
  const verdict = node("p", "verdict", badge("plain", `verdict.${sites.word("verdict", i)}`),
    node("b", "", `${number(get("accepted_mw"), 1)} / ${number(get("grid_capacity_mw"), 1, "MW")}`));
  verdict.style.setProperty("--c", style.verdicts[sites.word("verdict", i)].colour);
  const reason = named([sites.texts.reason_zh[i], sites.texts.reason_en[i]]);
  return card("popup.candidate", sites.name(i), verdict, reason ? node("p", "reason", reason) : null,
    reasonWaterfall([
      ["popup.capacity", get("capacity_mw"), "built"],
      ["popup.grid_capacity", get("grid_capacity_mw"), "grid"],
      ["popup.alone_n_0", get("n_0_alone_mw"), "alone"],
      ["popup.alone_n_1", get("n_1_alone_mw"), "alone"],
      ["popup.accepted", get("accepted_mw"), "accepted"],
    ]),
    networkPart(sites, i), resourcePart(sites, i), landPart(sites, i), idPart(sites, i));
}

function networkPart(sites, i) {
  const get = (column) => sites.value(column, i);
  const station = sites.word("station_id", i);
  const connection = station
    ? node("span", "", both(stationName(station)), ` · ${number(get("connection_kv"), 0, "kV")} · ${number(get("connection_km"), 1, "km")}`)
    : node("span", "", DASH);
  const cost = get("connection_cost_cny");
  return section("popup.part_network", [
    ["popup.connection", connection],
    ["popup.connection_cost", isKnown(cost) ? money(cost) : null],
    ["popup.case", ifSaid(sites.word("binding_case", i), caseName)],
    ["popup.element", ifSaid(sites.word("binding_element", i), elementName)],
    ["popup.outage", ifSaid(sites.word("binding_outage", i), elementName)],
    ["popup.upgrade", ifSaid(sites.word("upgrade_id", i), upgradeName)],
    ["popup.stage", sites.word("stage", i) || null],
    ["popup.plan_connection", planConnection(sites, i)],
  ]);
}

/* Where the plan connects a site, if elsewhere than the list. */
const planConnection = (sites, i) => {
  const { plan_connection_zh: zh, plan_connection_en: en } = sites.texts;
  return zh && zh[i] ? both([zh[i], en[i]]) : null;
};

/* Ten thousand yuan in Chinese, millions in English. */
const money = (cny) => both([`${number(cny / 1e4, 0)} 万元`, `CNY ${number(cny / 1e6, 2)} million`]);

function resourcePart(sites, i) {
  const get = (column) => sites.value(column, i);
  const profile = get("profile");
  const charts = isKnown(profile)
    ? node("div", "charts", monthChart(data.profiles.months[profile].map((kwh) => kwh * get("profile_mw"))),
      dayChart(data.profiles.hours[profile].map((share) => share * get("profile_mw"))))
    : null;
  return section("popup.part_resource", [
    ["popup.yield", number(get("specific_yield_kwh_per_kw"), 0, "h (kWh/kW)")],
    ["popup.energy", number(get("energy_mwh") / 1000, 1, "GWh")],
    ["popup.lcoe", isKnown(get("lcoe_cny_per_kwh")) ? both(["元/kWh", "CNY/kWh"].map((unit) => number(get("lcoe_cny_per_kwh"), 3, unit))) : null],
    ["popup.score", number(get("score"), 2)],
  ], ...(charts ? [charts] : []));
}

function landPart(sites, i) {
  const get = (column) => sites.value(column, i);
  const km = (column) => (isKnown(get(column)) ? number(get(column), 1, "km") : null);
  const share = (column) => (isKnown(get(column)) && get(column) > 0 ? number(100 * get(column), 1, "%") : null);
  const count = (column) => (isKnown(get(column)) && get(column) > 0 ? number(get(column), 0) : null);
  const place = districtName(sites.word("district_code", i)).map((name) =>
    (sites.texts.township && sites.texts.township[i] ? `${name} · ${sites.texts.township[i]}` : name));
  return section("popup.part_land", [
    ["popup.host", both(data.hosts[sites.core.host_type[i]].name)],
    ["popup.district", both(place)],
    ["popup.area", number(get("area_m2") / 1e6, 3, "km²")],
    ["popup.slope", isKnown(get("mean_slope_deg")) ? number(get("mean_slope_deg"), 1, "°") : null],
    ["popup.road", km("road_km")],
    ["popup.to_station", km("station_km")],
    ["popup.turbines", count("turbine_count")],
    ["popup.roofs", count("roof_count")],
    ["popup.shade", share("shading_loss_share")],
    ["popup.shared", share("shared_share")],
    ["popup.origin", badge(sites.word("origin", i), `origin.${sites.word("origin", i)}`)],
  ]);
}

/* Id, a link to this very site, and where it stands in the list. */
function idPart(sites, i) {
  const id = sites.id(i);
  const told = node("span", "told");
  told.setAttribute("role", "status");
  const button = (key, text) => {
    const made = node("button", "small", label(key));
    made.type = "button";
    made.addEventListener("click", async () => told.replaceChildren(label((await copied(text)) ? "ui.copied" : "ui.copy_failed")));
    return made;
  };
  const order = number(sites.value("order", i), 0);
  const line = node("span", "", both(filled(data.labels["popup.row"], { order })));
  if (data.list_file) {
    const link = node("a", "", data.list_file.split("/").pop());
    link.href = data.list_file;
    line.append(" · ", link);
  }
  return node("footer", "id", node("code", "", id), button("ui.copy_id", id),
    button("ui.copy_link", `${location.href.split("#")[0]}#site=${encodeURIComponent(id)}`), told, node("p", "", line));
}

/* The old way first: it answers at once. The clipboard of a page without focus may never answer: it has two seconds. */
async function copied(text) {
  if (copiedFromField(text)) return true;
  if (!navigator.clipboard) return false;
  const late = new Promise((answer) => { setTimeout(answer, 2000, false); });
  return Promise.race([navigator.clipboard.writeText(text).then(() => true, () => false), late]);
}

/* The field lies still under the page: one in its flow would scroll the page when selected. The focus goes back. */
function copiedFromField(text) {
  const before = document.activeElement;
  const field = node("textarea", "aside");
  field.value = text;
  document.body.append(field);
  field.focus({ preventScroll: true });
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return done;
}

function busRows(bus) {
  return node("section", "bus", node("h4", "", `${number(bus.kv, 0, "kV")}`),
    rows([
      ["popup.mva", bus.mva ? number(bus.mva, 0, "MVA") : null],
      ["popup.n_0", number(bus.n_0, 1, "MW")],
      ["popup.n_1", number(bus.n_1, 1, "MW")],
      ["popup.flexible", bus.flexible == null ? null : number(bus.flexible, 1, "MW")],
      ["popup.accepted_here", number(bus.accepted, 1, "MW")],
      ["popup.remaining", node("b", "", number(bus.remaining, 1, "MW"))],
      ["popup.limit", ifSaid(bus.limit, limitName)],
      ["popup.case", ifSaid(bus.case, caseName)],
      ["popup.element", ifSaid(bus.element, elementName)],
      ["popup.outage", ifSaid(bus.outage, elementName)],
      ["popup.upgrade", ifSaid(bus.upgrade, upgradeName)],
      ["popup.after", bus.upgrade ? number(bus.after, 1, "MW") : null],
    ]));
}

/* Grade by the rule book: why, with the formula filled in, and what it becomes with the accepted sites. */
function gradePart({ grade, after, reason, equipment, formula, clause, confidence }) {
  const block = (id) => {
    const chip = node("i", "chip");
    chip.style.setProperty("--c", style.station_grades[id].colour);
    return node("span", "", chip, " ", label(`grade.${id}`));
  };
  return node("section", "bus", node("h4", "", label("popup.grade")), rows([
    ["popup.grade_now", block(grade)],
    ["popup.grade_after", after ? block(after) : null],
    ["popup.reason", named(reason)],
    ["popup.equipment", equipment],
    ["popup.formula", formula ? node("code", "", formula) : null],
    ["popup.clause", clause ? `${clause}${confidence ? ` (${confidence})` : ""}` : null],
  ]));
}

function stationPopup(station) {
  return card("popup.station", station.name, ...station.buses.map(busRows), station.rule && gradePart(station.rule), rows([
    ["popup.district", named(station.district)],
    ["popup.origin", badge(station.origin, `origin.${station.origin}`)],
    ["popup.id", node("code", "", station.id)],
  ]));
}

function caseTable(circuit) {
  const heads = ["popup.loading", "popup.power", "popup.n_1_loading"];
  const table = node("table", "cases", node("thead", "", node("tr", "", node("th", "", ""),
    ...heads.map((key) => node("th", "", label(key))))));
  const body = node("tbody", "");
  data.cases.forEach((item, i) => {
    const [loading, power, worst, outage] = circuit.states[i];
    const head = node("th", "", loadingChip(loading), both(item.name));
    head.scope = "row";
    const after = node("td", "", loadingChip(worst), number(worst, 0));
    if (outage) after.title = chosen(elementName(outage));
    body.append(node("tr", "", head, node("td", "", number(loading, 0)), node("td", "", number(power, 0)), after));
  });
  table.append(body);
  return table;
}

function loadingChip(value) {
  const chip = node("i", "chip");
  chip.style.setProperty("--c", loadingColour(value));
  return chip;
}

function worstOutage(circuit) {
  const states = circuit.states.filter((state) => isKnown(state[2]));
  if (!states.length) return null;
  const most = states.reduce((a, b) => (b[2] > a[2] ? b : a));
  return node("span", "", `${number(most[2], 0, "%")} · `, both(elementName(most[3])));
}

function linePopup(route) {
  const sections = route.circuits.map((circuit) => node("section", "bus", node("h4", "", both(circuit.name)),
    caseTable(circuit), rows([
      ["popup.worst_outage", worstOutage(circuit)],
      ["popup.length", number(circuit.km, 1, "km")],
      ["popup.type", circuit.type],
      ["popup.origin", badge(circuit.origin, `origin.${circuit.origin}`)],
      ["popup.id", node("code", "", circuit.id)],
    ])));
  const many = route.circuits.length > 1 ? ` × ${route.circuits.length}` : "";
  return card("popup.line", [`${number(route.kv, 0, "kV")}${many}`, `${number(route.kv, 0, "kV")}${many}`], ...sections);
}

function measurePopup(measure) {
  return card("popup.measure", measure.name, rows([
    ["popup.stage", measure.stage ? measure.stage : label("measure.tried")],
    ["popup.kind", named(codeName("measure", measure.kind))],
    ["popup.cost", measure.cost ? money(measure.cost) : null],
    ["popup.yearly_cost", isKnown(measure.yearly) ? money(measure.yearly) : null],
    ["popup.called", measure.called ? number(measure.called, 0, "MWh") : null],
    ["popup.unlocked", measure.unlocked ? number(measure.unlocked, 0, "MW") : null],
    ["popup.id", node("code", "", measure.id)],
  ]));
}

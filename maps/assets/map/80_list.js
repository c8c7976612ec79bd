/* The list of projects: search, filters, and the filtered list as a file. */

const FILTERS = ["fg-mw-from", "fg-mw-to", "fg-lcoe-from", "fg-lcoe-to", "fg-district", "fg-verdict", "fg-technology", "fg-plan-stage"];
const MOST_STATIONS = 6;

class ProjectList {
  constructor(page, sites) {
    this.page = page;
    this.sites = sites;
    this.summary = { count: sites.count, megawatts: NaN };
  }

  wire() {
    byId("fg-search").addEventListener("input", () => this.list());
    for (const id of FILTERS) if (byId(id)) byId(id).addEventListener("input", () => this.filter());
    byId("fg-reset").addEventListener("click", () => this.reset());
    byId("fg-csv").addEventListener("click", () => this.save());
    this.summary = this.sites.filter(this.tests());
    this.list();
  }

  /* One test a filled-in filter. A site without a value passes no range. */
  tests() {
    const { core } = this.sites;
    const tests = [];
    const range = (id, column) => {
      const [from, to] = ["from", "to"].map((end) => byId(`fg-${id}-${end}`).valueAsNumber);
      if (!Number.isNaN(from)) tests.push((i) => core[column][i] >= from);
      if (!Number.isNaN(to)) tests.push((i) => core[column][i] <= to);
    };
    range("mw", "capacity_mw");
    range("lcoe", "lcoe_cny_per_kwh");
    const choice = (id, column) => {
      const value = byId(id) ? byId(id).value : "";
      const place = (core.words[column] || []).indexOf(value);
      if (value !== "") tests.push((i) => core[column][i] === place);
    };
    choice("fg-district", "district_code");
    choice("fg-verdict", "verdict");
    choice("fg-technology", "technology");
    choice("fg-plan-stage", "stage");
    return tests;
  }

  filter() {
    const tests = this.tests();
    this.summary = this.sites.filter(tests);
    root.dataset.filtered = tests.length ? "true" : "false";
    this.page.siteLayer.redraw();
    this.list();
  }

  reset() {
    for (const id of FILTERS) if (byId(id)) byId(id).value = "";
    byId("fg-search").value = "";
    this.filter();
  }

  found() {
    return this.sites.found(byId("fg-search").value);
  }

  list() {
    if (!this.sites.texts) return;
    const found = this.found();
    const shown = found.slice(0, style.list_limit);
    byId("fg-list").replaceChildren(...this.stationItems(), ...shown.map((i) => this.item(i)));
    let megawatts = 0;
    for (const i of found) megawatts += this.sites.core.capacity_mw[i];
    const words = [found.length
      ? both(filled(data.labels["project.count"], { shown: number(found.length, 0), total: number(this.sites.count, 0),
        mw: number(megawatts, 0) }))
      : label("project.none")];
    if (found.length > shown.length) words.push(" · ", both(filled(data.labels["project.more"], { limit: shown.length })));
    byId("fg-count").replaceChildren(...words);
  }

  /* Stations whose name or id holds the words stand above the sites. */
  stationItems() {
    const wanted = plain(byId("fg-search").value);
    if (wanted.length < 2) return [];
    const found = data.stations.filter((station) => plain([...station.name, station.id].join("\n")).includes(wanted));
    return found.slice(0, MOST_STATIONS).map((station) => {
      const button = node("button", "", node("span", "rank", "■"), node("span", "what", node("b", "", both(station.name)),
        node("small", "", label("popup.station"), ` · ${number(station.kv, 0, "kV")}`)),
      node("span", "mw", number(station.remaining, 0, "MW")));
      button.type = "button";
      button.addEventListener("click", () => this.page.showStation(station, button));
      return node("li", "", button);
    });
  }

  item(i) {
    const { sites } = this;
    const chip = node("i", "chip");
    chip.style.setProperty("--c", style.verdicts[sites.word("verdict", i)].colour);
    const button = node("button", "", node("span", "rank", number(sites.value("order", i), 0)), chip,
      node("span", "what", node("b", "", both(sites.name(i))),
        node("small", "", both(data.hosts[sites.core.host_type[i]].name), " · ", label(`verdict.${sites.word("verdict", i)}`))),
      node("span", "mw", number(sites.value("capacity_mw", i), 1, "MW")));
    button.type = "button";
    button.addEventListener("click", () => this.page.showSite(i, button));
    return node("li", "", button);
  }

  save() {
    const text = listAsCsv(this.sites, this.found());
    const link = node("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = "sites.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

const CSV_COLUMNS = ["order", "candidate_id", "name_zh", "name_en", "host_type", "technology", "district_code", "station_id",
  "capacity_mw", "grid_capacity_mw", "accepted_mw", "specific_yield_kwh_per_kw", "lcoe_cny_per_kwh", "score", "verdict"];

/* With a mark that lets spreadsheets see UTF-8; a cell that would be a formula there gets an apostrophe. */
function listAsCsv(sites, places) {
  const cell = (column, i) => {
    if (column in sites.texts) return csvCell(sites.texts[column][i]);
    if (sites.core.words[column]) return csvCell(sites.word(column, i));
    const value = sites.value(column, i);
    return Number.isNaN(value) ? "" : String(value);
  };
  const lines = places.map((i) => CSV_COLUMNS.map((column) => cell(column, i)).join(","));
  return `\ufeff${[CSV_COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
}

function csvCell(words) {
  const tame = /^[\s]*[=+\-@\t\r]/.test(words) ? `'${words}` : words;
  return /[",\r\n]/.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame;
}

/* Lines by what they carry in the chosen case, stations by headroom or grade, measures, planned tie lines. */

function colourOf(value, grades) {
  if (!isKnown(value)) return style.unknown;
  return grades[classOf(value, grades.map(([lower]) => lower))][1];
}
const loadingColour = (value) => colourOf(value, style.loading);

/* Highest loading of the circuits on a route: in a case, over all cases ("worst"), or over all outages ("n_1"). */
function routeLoading(route, chosenCase) {
  const values = route.circuits.flatMap((circuit) => {
    if (chosenCase === "n_1") return circuit.states.map((state) => state[2]);
    if (chosenCase === "worst") return circuit.states.map((state) => state[0]);
    const state = circuit.states[Number(chosenCase)];
    return state ? [state[0]] : [];
  }).filter(isKnown);
  return values.length ? Math.max(...values) : null;
}

class NetworkLayer {
  constructor(page) {
    this.page = page;
    this.routes = [];
    this.stations = new Map();
    this.chosenCase = data.cases.length ? "0" : "worst";
  }

  draw() {
    this.drawLines();
    this.drawStations();
    this.drawMeasures();
    this.drawTies();
  }

  drawLines() {
    const { page } = this;
    const kvs = levels(data.lines);
    for (const route of data.lines) {
      const group = page.groupOf("lines", kvs.indexOf(route.kv));
      const path = route.shape.map((part) => part.map(([lon, lat]) => [lat, lon]));
      const casing = L.polyline(path, { pane: "fg-lines", color: "#ffffff", weight: route.width + 3, opacity: 0.9,
        interactive: false });
      const line = L.polyline(path, { pane: "fg-lines", interactive: false });
      /* A thin line is hard to hit: a wide invisible one takes the click. */
      const reach = L.polyline(path, { pane: "fg-lines", weight: Math.max(route.width + 8, 12), opacity: 0,
        bubblingMouseEvents: false });
      reach.on("click", (event) => page.clickLine(event, route));
      page.hover(reach, () => node("span", "", both(route.circuits[0].name),
        ` · ${number(routeLoading(route, this.chosenCase), 0, "%")}`));
      group.addLayer(casing).addLayer(line).addLayer(reach);
      this.routes.push([route, line]);
    }
  }

  setCase(value) {
    this.chosenCase = value;
    for (const [route, line] of this.routes) {
      const loading = routeLoading(route, value);
      line.setStyle({ color: loadingColour(loading), weight: route.width + (route.circuits.length > 1 ? 1 : 0), opacity: 1,
        dashArray: loading === null ? "3 4" : null });
    }
  }

  drawStations() {
    const kvs = levels(data.stations);
    for (const station of data.stations) {
      const square = node("i", "station");
      square.style.setProperty("--s", `${station.size}px`);
      const high = station.kv >= style.high_station_names_from_kv ? "name high" : "name";
      const content = node("span", "station-mark", square, node("span", high, both(station.name)));
      const marker = L.marker(station.at, { keyboard: true, riseOnHover: true,
        zIndexOffset: Math.round(station.kv), icon: L.divIcon({ className: "fg-anchor fg-station",
          iconSize: [station.size + 8, station.size + 8], html: content }) });
      const words = station.name.map((name, i) => `${data.labels["popup.station"][i]} ${name} ${station.kv} kV`);
      marker.on("add", () => speak(marker.getElement(), words));
      marker.on("click keypress", (event) => {
        if (event.type === "keypress" && event.originalEvent.key !== "Enter") return;
        this.open(station, event.type === "keypress" ? marker.getElement() : null);
      });
      this.page.hover(marker, () => node("span", "", both(station.name), " · ", label("popup.remaining"),
        ` ${number(station.remaining, 1, "MW")}`));
      marker.addTo(this.page.groupOf("stations", kvs.indexOf(station.kv)));
      this.stations.set(station.id, { marker, square, station });
    }
    this.colourStations(root.dataset.stations);
  }

  colourStations(by) {
    root.dataset.stations = by;
    for (const { square, station } of this.stations.values()) {
      const grade = station.rule && style.station_grades[station.rule.grade];
      const headroom = station.headroom === null ? style.unknown : style.headroom[station.headroom][1];
      square.style.setProperty("--c", by === "grade" ? (grade ? grade.colour : style.unknown) : headroom);
      square.className = by === "grade" && grade && grade.mark ? `station mark-${grade.mark}` : "station";
    }
  }

  open(station, opener) {
    this.page.open(station.at, stationPopup(station), opener);
  }

  drawMeasures() {
    const stages = [...new Set(data.measures.map((measure) => measure.stage))];
    const colours = new Map(data.stages);
    const beside = new Map(); // measures so far at each station: they stand in rows of three above it, not under it
    for (const measure of data.measures) {
      const k = measure.path ? -1 : beside.get(`${measure.at}`) || 0;
      if (k >= 0) beside.set(`${measure.at}`, k + 1);
      const [right, up] = k < 0 ? [0, 0] : [14 + 15 * (k % 3), 12 + 14 * Math.floor(k / 3)];
      const colour = colours.get(measure.stage) || style.tried;
      const group = this.page.groupOf("measures", stages.indexOf(measure.stage));
      const sign = node("i", "measure");
      sign.style.setProperty("--c", colour);
      const marker = L.marker(measure.at, { keyboard: true, zIndexOffset: 1000, icon: L.divIcon({
        className: "fg-anchor fg-measure", iconSize: [16, 16], iconAnchor: [8 - right, 8 + up], html: sign }) });
      const words = measure.name.map((name, i) => `${data.labels["popup.measure"][i]} ${name}`);
      marker.on("add", () => speak(marker.getElement(), words));
      marker.on("click keypress", (event) => {
        if (event.type === "keypress" && event.originalEvent.key !== "Enter") return;
        this.page.open(measure.at, measurePopup(measure), event.type === "keypress" ? marker.getElement() : null);
      });
      this.page.hover(marker, () => node("span", "", both(measure.name)));
      if (measure.path) {
        group.addLayer(L.polyline(measure.path.map((part) => part.map(([lon, lat]) => [lat, lon])),
          { pane: "fg-lines", color: colour, weight: 7, opacity: 0.55, dashArray: "10 6", interactive: false }));
      }
      group.addLayer(marker);
    }
  }

  async drawTies() {
    if (!data.ties) return;
    const shapes = shapesOf(await unpacked(data.ties.shapes));
    const sheet = new Sheet((context, view) => {
      context.lineWidth = 1.6;
      context.setLineDash([6, 4]);
      context.strokeStyle = style.tried;
      context.beginPath();
      for (let i = 0; i < shapes.count; i += 1) trace(context, view, shapes, i, false);
      context.stroke();
    }, { pane: "fg-sites" });
    this.page.groupOf("ties", 0).addLayer(sheet);
  }

  /* Names in order of voltage; one that would cover another name or a station is left out at this zoom. */
  placeNames() {
    const marks = [...this.stations.values()].map(({ marker }) => marker.getElement()).filter(Boolean);
    const squares = marks.map((mark) => mark.querySelector(".station").getBoundingClientRect());
    const names = marks.map((mark) => mark.querySelector(".name"));
    for (const name of names) name.classList.remove("crowded");
    const boxes = names.map((name) => name.getBoundingClientRect());
    const placed = [];
    const apart = (a, b) => a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top;
    names.forEach((name, i) => {
      if (!boxes[i].width) return;
      const free = placed.every((other) => apart(boxes[i], other))
        && squares.every((other, k) => k === i || apart(boxes[i], other));
      if (free) placed.push(boxes[i]);
      else name.classList.add("crowded");
    });
  }
}

const levels = (list) => [...new Set(list.map((item) => item.kv))].sort((a, b) => b - a);

/* The site map's own script. Data come from #fg-data; every word of them enters the page as text, never as markup. */
"use strict";
window.fengguang = (function () {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("fg-data").textContent);
  const style = data.style;
  const DASH = "—";
  const NARROW = 600;
  const byId = (id) => document.getElementById(id);
  const all = (selector) => Array.from(document.querySelectorAll(selector));

  /* ---- words and nodes ---- */

  function node(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  /* Both languages side by side; the style sheet shows one. */
  function both(pair) {
    if (pair[0] === pair[1]) return document.createTextNode(pair[0]);
    const zh = node("span", "zh", pair[0]);
    const en = node("span", "en", pair[1]);
    zh.lang = "zh-CN";
    en.lang = "en";
    const fragment = document.createDocumentFragment();
    fragment.append(zh, en);
    return fragment;
  }

  const label = (key) => both(data.labels[key]);
  const chosen = (pair) => pair[root.dataset.lang === "zh" ? 0 : 1];
  const filled = (pair, values) =>
    pair.map((text) => text.replace(/\{(\w+)\}/g, (_, name) => String(values[name])));

  function speak(element, pair) {
    element.dataset.ariaZh = pair[0];
    element.dataset.ariaEn = pair[1];
    element.setAttribute("aria-label", chosen(pair));
    return element;
  }

  function number(value, digits, unit) {
    if (value === null || value === undefined) return DASH;
    const text = value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return unit ? `${text} ${unit}` : text;
  }

  function badge(kind, key) {
    return node("span", `badge ${kind}`, label(key));
  }

  const elementName = (id) => (id in data.elements ? data.elements[id] : [id, id]);
  const caseName = (id) => {
    const found = data.cases.find((item) => item.id === id);
    return found ? found.name : [id, id];
  };
  const known = (table, prefix, id) => (prefix + id in table ? table[prefix + id] : [id, id]);
  const upgradeName = (id) => (id in data.upgrades ? data.upgrades[id] : [id, id]);

  /* ---- candidates ---- */

  const fields = data.candidates.fields;
  const candidates = data.candidates.rows.map((row) => Object.fromEntries(fields.map((name, i) => [name, row[i]])));
  const hostIndex = new Map(data.hosts.map((host, i) => [host.id, i]));

  function patternId(colour) {
    return `fg-hatch-${colour.slice(1)}`;
  }

  /* One hatch for each colour, shared by all shapes of the page. */
  function addPatterns(colours) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("width", "0");
    svg.setAttribute("height", "0");
    svg.setAttribute("aria-hidden", "true");
    svg.style.position = "absolute";
    for (const colour of new Set(colours)) {
      const pattern = document.createElementNS(svg.namespaceURI, "pattern");
      const attributes = { id: patternId(colour), width: 4.5, height: 4.5, patternUnits: "userSpaceOnUse",
        patternTransform: "rotate(45)" };
      for (const [name, value] of Object.entries(attributes)) pattern.setAttribute(name, String(value));
      for (const [width, fill] of [[4.5, "#ffffff"], [2.2, colour]]) {
        const bar = document.createElementNS(svg.namespaceURI, "rect");
        bar.setAttribute("width", String(width));
        bar.setAttribute("height", "4.5");
        bar.setAttribute("fill", fill);
        pattern.append(bar);
      }
      svg.append(pattern);
    }
    document.body.append(svg);
  }

  function siteStyle(site) {
    const verdict = style.verdicts[site.verdict];
    if (root.dataset.view === "verdict") {
      return { color: "#22313a", weight: 0.8, opacity: 0.9, dashArray: null, fillColor: verdict.colour, fillOpacity: 0.9 };
    }
    const colour = data.hosts[hostIndex.get(site.host_type)].colour;
    const line = { color: colour, weight: 1.6, opacity: 1, dashArray: null, fillColor: colour, fillOpacity: 0.85 };
    if (verdict.fill === "solid") return { ...line, color: "#22313a", weight: 0.8 };
    if (verdict.fill === "hatch") return { ...line, fillColor: `url(#${patternId(colour)})`, fillOpacity: 1 };
    if (verdict.fill === "tint") return { ...line, fillOpacity: 0.3 };
    if (verdict.fill === "dashed") return { ...line, fillColor: "#ffffff", fillOpacity: 0.7, dashArray: "4 3" };
    return { ...line, weight: 2, fillColor: "#ffffff", fillOpacity: 0.7, dashArray: "1 4" };
  }

  /* Area by MW; all circles shrink together where there are many of them. */
  const crowding = Math.max(0.35, Math.min(1, Math.sqrt(200 / Math.max(candidates.length, 1))));
  const radius = (site) => Math.max(2.6, crowding * Math.min(3.2 + 0.85 * Math.sqrt(site.capacity_mw), 22));

  /* ---- popups ---- */

  function rows(pairs) {
    const list = node("dl", "rows");
    for (const [key, value] of pairs) {
      if (value === null || value === undefined || value === "") continue;
      list.append(node("dt", "", label(key)), node("dd", "", value));
    }
    return list;
  }

  const named = (pair) => (pair[0] || pair[1] ? both(pair) : null);
  const ifSaid = (id, words) => (id ? named(words(id)) : null);

  function card(kindKey, title, ...parts) {
    const made = node("article", "card", node("header", "", node("small", "", label(kindKey)), node("h3", "", both(title))),
      ...parts);
    made.tabIndex = -1;
    return made;
  }

  function sitePopup(site) {
    const verdict = node("p", "verdict", badge("plain", `verdict.${site.verdict}`),
      node("b", "", `${number(site.accepted_mw, 1)} / ${number(site.grid_capacity_mw, 1, "MW")}`));
    verdict.style.setProperty("--c", style.verdicts[site.verdict].colour);
    const connection = site.station_zh || site.station_en
      ? node("span", "", both([site.station_zh, site.station_en]),
        ` · ${number(site.connection_kv, 0, "kV")} · ${number(site.connection_km, 1, "km")}`)
      : node("span", "", DASH);
    const alone = `${number(site.n_0_alone_mw, 1)} / ${number(site.n_1_alone_mw, 1, "MW")}`;
    return card("popup.candidate", [site.name_zh, site.name_en], verdict,
      named([site.reason_zh, site.reason_en]) ? node("p", "reason", both([site.reason_zh, site.reason_en])) : null,
      rows([
        ["popup.host", both(data.hosts[hostIndex.get(site.host_type)].name)],
        ["popup.district", both([site.district_zh, site.district_en])],
        ["popup.capacity", number(site.capacity_mw, 1, "MW")],
        ["popup.grid_capacity", number(site.grid_capacity_mw, 1, "MW")],
        ["popup.area", number(site.area_m2 === null ? null : site.area_m2 / 1e6, 2, "km²")],
        ["popup.yield", number(site.specific_yield_kwh_per_kw, 0, "kWh/kW")],
        ["popup.energy", number(site.energy_mwh === null ? null : site.energy_mwh / 1000, 1, "GWh")],
        ["popup.lcoe", number(site.lcoe_cny_per_kwh, 3, "CNY/kWh")],
        ["popup.score", number(site.score, 2)],
        ["popup.connection", connection],
        ["popup.alone", alone],
        ["popup.case", ifSaid(site.binding_case, caseName)],
        ["popup.element", ifSaid(site.binding_element, elementName)],
        ["popup.outage", ifSaid(site.binding_outage, elementName)],
        ["popup.upgrade", ifSaid(site.upgrade_id, upgradeName)],
        ["popup.origin", badge(site.origin, `origin.${site.origin}`)],
        ["popup.order", number(site.order, 0)],
        ["popup.id", node("code", "", site.candidate_id)],
      ]));
  }

  function busRows(bus) {
    return node("section", "bus", node("h4", "", `${number(bus.kv, 0, "kV")}`),
      rows([
        ["popup.mva", bus.mva ? number(bus.mva, 0, "MVA") : null],
        ["popup.n_0", number(bus.n_0, 1, "MW")],
        ["popup.n_1", number(bus.n_1, 1, "MW")],
        ["popup.accepted", number(bus.accepted, 1, "MW")],
        ["popup.remaining", node("b", "", number(bus.remaining, 1, "MW"))],
        ["popup.limit", ifSaid(bus.limit, (id) => known(data.labels, "limit.", id))],
        ["popup.case", ifSaid(bus.case, caseName)],
        ["popup.element", ifSaid(bus.element, elementName)],
        ["popup.outage", ifSaid(bus.outage, elementName)],
        ["popup.upgrade", ifSaid(bus.upgrade, upgradeName)],
        ["popup.after", bus.upgrade ? number(bus.after, 1, "MW") : null],
      ]));
  }

  function stationPopup(station) {
    return card("popup.station", station.name, ...station.buses.map(busRows), rows([
      ["popup.district", named(station.district)],
      ["popup.origin", badge(station.origin, `origin.${station.origin}`)],
      ["popup.id", node("code", "", station.id)],
    ]));
  }

  function caseTable(circuit) {
    const table = node("table", "cases", node("thead", "", node("tr", "", node("th", "", ""),
      node("th", "", label("popup.loading")), node("th", "", label("popup.power")))));
    const body = node("tbody", "");
    data.cases.forEach((item, i) => {
      const [loading, power] = circuit.states[i];
      const chip = node("i", "chip");
      chip.style.setProperty("--c", loadingColour(loading));
      const head = node("th", "", chip, both(item.name));
      head.scope = "row";
      body.append(node("tr", "", head, node("td", "", number(loading, 0)), node("td", "", number(power, 0))));
    });
    table.append(body);
    return table;
  }

  function linePopup(route) {
    const sections = route.circuits.map((circuit) => node("section", "bus", node("h4", "", both(circuit.name)),
      caseTable(circuit), rows([
        ["popup.length", number(circuit.km, 1, "km")],
        ["popup.type", circuit.type],
        ["popup.origin", badge(circuit.origin, `origin.${circuit.origin}`)],
        ["popup.id", node("code", "", circuit.id)],
      ])));
    const many = route.circuits.length > 1 ? ` × ${route.circuits.length}` : "";
    return card("popup.line", [`${number(route.kv, 0, "kV")}${many}`, `${number(route.kv, 0, "kV")}${many}`], ...sections);
  }

  /* ---- colours of the network ---- */

  function colourOf(value, grades) {
    if (value === null || value === undefined) return style.unknown;
    let colour = grades[0][1];
    for (const [lower, itsColour] of grades) if (value >= lower) colour = itsColour;
    return colour;
  }
  const loadingColour = (value) => colourOf(value, style.loading);

  /* Highest loading of the circuits on a route in the chosen case; null where no circuit has one. */
  function routeLoading(route, chosenCase) {
    const values = route.circuits.flatMap((circuit) =>
      (chosenCase === "worst" ? circuit.states : [circuit.states[Number(chosenCase)]]).map((state) => state && state[0]));
    const numbers = values.filter((value) => value !== null && value !== undefined);
    return numbers.length ? Math.max(...numbers) : null;
  }

  function routeStyle(route, chosenCase) {
    const loading = routeLoading(route, chosenCase);
    const width = route.width + (route.circuits.length > 1 ? 1 : 0);
    return { color: loadingColour(loading), weight: width, opacity: 1, dashArray: loading === null ? "3 4" : null };
  }

  /* ---- page state ---- */

  function start(map, control, groups) {
    let chosenCase = data.cases.length ? "0" : "worst";
    const siteLayers = candidates.map(() => []);
    const routeLayers = [];
    /* One tip for the whole map: bound to shapes, Leaflet would make each of them a stop of the tabulator key. */
    const tip = L.tooltip({ direction: "top", offset: [0, -6], className: "fg-tip" });
    const stationMarkers = new Map();
    const groupOf = (kind, index) => groups.find((group) => group.kind === kind && group.index === index).layer;
    const levels = (list) => [...new Set(list.map((item) => item.kv))].sort((a, b) => b - a);

    addPatterns(data.hosts.map((host) => host.colour));
    makePanes();
    drawDistricts();
    drawSites();
    drawLines();
    drawStations();
    addControls();
    wirePage();
    fit();
    setView("host");
    setCase(chosenCase);
    listProjects();
    setLanguage(data.language);
    showSizes();
    root.dataset.ready = "true";

    function makePanes() {
      const order = [["fg-districts", 350], ["fg-sites", 410], ["fg-lines", 420], ["fg-circles", 430], ["fg-names", 440]];
      for (const [name, z] of order) map.createPane(name).style.zIndex = String(z);
      map.getPane("fg-names").style.pointerEvents = "none";
      speak(map.getContainer(), data.labels["ui.map"]).setAttribute("role", "group");
    }

    function open(latlng, content, opener) {
      const popup = L.popup({ maxWidth: 340, minWidth: 300, maxHeight: Math.max(180, map.getSize().y - 90),
        autoPanPaddingTopLeft: [besideLegend(), 16], autoPanPaddingBottomRight: [46, 16] }).setLatLng(latlng).setContent(content);
      popup.openOn(map);
      const close = popup.getElement().querySelector(".leaflet-popup-close-button");
      if (close) speak(close, data.labels["ui.close"]);
      const frame = popup.getElement();
      frame.setAttribute("role", "dialog");
      frame.setAttribute("aria-label", content.querySelector("h3").innerText);
      if (opener) {
        content.focus({ preventScroll: true });
        popup.on("remove", () => opener.focus({ preventScroll: true }));
      }
    }

    function hover(layers, words) {
      layers.on("mouseover", (event) => tip.setLatLng(event.latlng).setContent(words(event.layer || layers)).openOn(map));
      layers.on("mousemove", (event) => tip.setLatLng(event.latlng));
      layers.on("mouseout click", () => map.closeTooltip(tip));
    }

    function drawDistricts() {
      const group = groupOf("districts", 0);
      L.geoJSON({ type: "FeatureCollection", features: data.districts.map((district) => ({ type: "Feature",
        properties: {}, geometry: { type: "MultiPolygon", coordinates: district.shape } })) },
      { pane: "fg-districts", interactive: false,
        style: { color: "#8b98a3", weight: 1.4, fillColor: "#ffffff", fillOpacity: 1 } }).addTo(group);
      for (const district of data.districts) {
        const name = node("span", "district-name", both(district.name));
        L.marker(district.at, { pane: "fg-names", interactive: false, keyboard: false,
          icon: L.divIcon({ className: "fg-anchor", iconSize: [0, 0], html: name }) }).addTo(group);
      }
    }

    function drawSites() {
      const features = data.hosts.map(() => []);
      candidates.forEach((site, i) => features[hostIndex.get(site.host_type)].push({ type: "Feature",
        properties: { i }, geometry: { type: "MultiPolygon", coordinates: site.shape } }));
      features.forEach((list, h) => {
        const group = groupOf("host", h);
        const remember = (feature, layer) => siteLayers[feature.properties.i].push(layer);
        L.geoJSON({ type: "FeatureCollection", features: list }, { pane: "fg-sites", onEachFeature: remember }).addTo(group);
        /* Large circles first, so that small ones stay on top and can be reached. */
        const bySize = [...list].sort((a, b) => candidates[b.properties.i].capacity_mw - candidates[a.properties.i].capacity_mw);
        for (const feature of bySize) {
          const site = candidates[feature.properties.i];
          const circle = L.circleMarker([site.lat, site.lon], { pane: "fg-circles", radius: radius(site) });
          circle.feature = feature;
          remember(feature, circle);
          circle.addTo(group);
        }
        group.on("click", (event) => {
          const feature = event.layer && event.layer.feature ? event.layer.feature : event.propagatedFrom.feature;
          open(event.latlng, sitePopup(candidates[feature.properties.i]), null);
        });
        hover(group, (layer) => {
          const site = candidates[layer.feature.properties.i];
          return node("span", "", both([site.name_zh, site.name_en]), ` · ${number(site.capacity_mw, 1, "MW")}`);
        });
      });
    }

    function drawLines() {
      const kvs = levels(data.lines);
      for (const route of data.lines) {
        const group = groupOf("lines", kvs.indexOf(route.kv));
        const path = route.shape.map((part) => part.map(([lon, lat]) => [lat, lon]));
        const casing = L.polyline(path, { pane: "fg-lines", color: "#ffffff", weight: route.width + 3, opacity: 0.9,
          interactive: false });
        const drawn = L.polyline(path, { pane: "fg-lines", interactive: false });
        /* A thin line is hard to hit: a wide invisible one takes the click. */
        const reach = L.polyline(path, { pane: "fg-lines", weight: Math.max(route.width + 8, 12), opacity: 0 });
        reach.on("click", (event) => {
          L.DomEvent.stopPropagation(event);
          open(event.latlng, linePopup(route), null);
        });
        hover(reach, () => node("span", "", both(route.circuits[0].name),
          ` · ${number(routeLoading(route, chosenCase), 0, "%")}`));
        group.addLayer(casing).addLayer(drawn).addLayer(reach);
        routeLayers.push([route, drawn]);
      }
    }

    function drawStations() {
      const kvs = levels(data.stations);
      for (const station of data.stations) {
        const square = node("i", "station");
        square.style.setProperty("--s", `${station.size}px`);
        square.style.setProperty("--c", station.grade === null ? style.unknown : style.headroom[station.grade][1]);
        const high = station.kv >= style.high_station_names_from_kv ? "name high" : "name";
        const content = node("span", "station-mark", square, node("span", high, both(station.name)));
        const marker = L.marker(station.at, { keyboard: true, riseOnHover: true,
          zIndexOffset: Math.round(station.kv), icon: L.divIcon({ className: "fg-anchor fg-station",
            iconSize: [station.size + 8, station.size + 8], html: content }) });
        const words = station.name.map((name, i) => `${data.labels["popup.station"][i]} ${name} ${station.kv} kV`);
        marker.on("add", () => speak(marker.getElement(), words));
        marker.on("click keypress", (event) => {
          if (event.type === "keypress" && event.originalEvent.key !== "Enter") return;
          open(station.at, stationPopup(station), event.type === "keypress" ? marker.getElement() : null);
        });
        marker.addTo(groupOf("stations", kvs.indexOf(station.kv)));
        stationMarkers.set(station.id, marker);
      }
    }

    function addControls() {
      const zoom = L.control.zoom({ position: "topleft" }).addTo(map).getContainer();
      speak(zoom.querySelector(".leaflet-control-zoom-in"), data.labels["ui.zoom_in"]);
      speak(zoom.querySelector(".leaflet-control-zoom-out"), data.labels["ui.zoom_out"]);
      const home = speak(node("a", "fg-home", "⤢"), data.labels["ui.home"]);
      home.href = "#";
      home.setAttribute("role", "button");
      L.DomEvent.on(home, "click", (event) => { L.DomEvent.stop(event); fit(); });
      zoom.append(home);
      L.control.scale({ position: "bottomright", imperial: false, maxWidth: 140 }).addTo(map);
      byId("fg-layers").append(control.getContainer());
      const stage = byId("fg-stage");
      byId("fg-legend").open = map.getSize().x > NARROW;
      for (const name of ["fg-legend", "fg-north"]) {
        L.DomEvent.disableClickPropagation(byId(name));
        L.DomEvent.disableScrollPropagation(byId(name));
        stage.append(byId(name));
      }
    }

    /* Where the map's free part begins: right of the legend if the window is wide enough for both. */
    function besideLegend() {
      const legend = byId("fg-legend");
      return legend.open && map.getSize().x > NARROW ? legend.offsetWidth + 20 : 56;
    }

    function fit() {
      map.fitBounds(data.bounds, { paddingTopLeft: [besideLegend(), 16], paddingBottomRight: [24, 24], animate: false });
    }

    /* A site is a circle while its outline, or the square of its host area (scattered roofs), would be smaller on
       the screen than the circle. */
    function showSizes() {
      const pixels = 256 * 2 ** map.getZoom() / 360;
      const metresInDegree = 111320;
      candidates.forEach((site, i) => {
        const [outline, circle] = siteLayers[i];
        const bounds = outline.getBounds();
        const extent = Math.max(bounds.getEast() - bounds.getWest(), bounds.getNorth() - bounds.getSouth());
        const side = Math.sqrt(site.area_m2) / metresInDegree;
        const small = Math.min(extent, side) * pixels < 2 * radius(site);
        for (const [layer, shown] of [[outline, !small], [circle, small]]) {
          const element = layer.getElement();
          if (element) element.style.display = shown ? "" : "none";
        }
      });
      root.dataset.names = map.getZoom() >= style.all_station_names_from_zoom ? "all" : "high";
      placeNames();
    }

    /* Names in order of voltage; one that would cover another name or a station is left out at this zoom. */
    function placeNames() {
      const marks = [...stationMarkers.values()].map((marker) => marker.getElement()).filter(Boolean);
      const squares = marks.map((mark) => mark.querySelector(".station").getBoundingClientRect());
      const placed = [];
      const apart = (a, b) => a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top;
      marks.forEach((mark, i) => {
        const name = mark.querySelector(".name");
        name.classList.remove("crowded");
        const box = name.getBoundingClientRect();
        if (!box.width) return;
        const free = placed.every((other) => apart(box, other)) && squares.every((other, k) => k === i || apart(box, other));
        if (free) placed.push(box);
        else name.classList.add("crowded");
      });
    }

    function setView(view) {
      root.dataset.view = view;
      candidates.forEach((site, i) => siteLayers[i].forEach((layer) => layer.setStyle(siteStyle(site))));
    }

    function setCase(value) {
      chosenCase = value;
      root.dataset.case = value;
      for (const [route, layer] of routeLayers) layer.setStyle(routeStyle(route, value));
      byId("fg-case-summary").replaceChildren(...caseSummary(value));
    }

    function caseSummary(value) {
      const item = data.cases[Number(value)];
      if (value === "worst" || !item || !item.summary) return [];
      const sum = item.summary;
      const infeed = sum.infeed_mw !== null && sum.infeed_mw < 0 ? ["case.export", -sum.infeed_mw] : ["case.infeed", sum.infeed_mw];
      const share = (part) => number(part === null ? null : part * 100, 0, "%");
      const output = node("span", "", label("case.pv"), ` ${share(item.pv_share)} · `, label("case.wind"), ` ${share(item.wind_share)}`);
      const most = node("span", "", `${number(sum.loading_max_percent, 0, "%")} `,
        sum.loading_max_element ? both(elementName(sum.loading_max_element)) : "");
      const volts = sum.vm_min_pu === null ? null : `${number(sum.vm_min_pu, 3)} – ${number(sum.vm_max_pu, 3, "p.u.")}`;
      return [rows([
        ["case.status", badge(`status-${sum.status}`, `status.${sum.status}`)],
        ["case.load", number(sum.load_mw, 0, "MW")],
        ["case.new_output", output],
        [infeed[0], number(infeed[1], 0, "MW")],
        ["case.losses", number(sum.losses_mw, 1, "MW")],
        ["case.max_loading", most],
        ["case.voltage", volts],
        ["case.n_1", sum.n_1.total ? both(filled(data.labels["case.n_1_text"], sum.n_1)) : null],
      ])];
    }

    function setLanguage(language) {
      root.dataset.lang = language;
      root.lang = language === "zh" ? "zh-CN" : "en";
      document.title = language === "zh" ? root.dataset.titleZh : root.dataset.titleEn;
      for (const element of all("[data-aria-zh]")) {
        const words = language === "zh" ? element.dataset.ariaZh : element.dataset.ariaEn;
        element.setAttribute("aria-label", words);
        if (element.title) element.title = words;
      }
      map.eachLayer((layer) => { if (layer instanceof L.Popup) layer.update(); });
      placeNames();
    }

    /* ---- project list ---- */

    function listProjects() {
      const wanted = byId("fg-search").value.trim().toLowerCase();
      const found = candidates.filter((site) => !wanted || haystack(site).includes(wanted));
      const items = found.slice(0, style.list_limit).map(listItem);
      byId("fg-list").replaceChildren(...items);
      const words = [both(filled(data.labels["project.count"], { shown: found.length, total: candidates.length }))];
      if (!found.length) words.splice(0, 1, label("project.none"));
      if (found.length > items.length) {
        words.push(" · ", both(filled(data.labels["project.more"], { limit: items.length })));
      }
      byId("fg-count").replaceChildren(...words);
    }

    function haystack(site) {
      const host = data.hosts[hostIndex.get(site.host_type)].name;
      const verdict = data.labels[`verdict.${site.verdict}`];
      return [site.candidate_id, site.name_zh, site.name_en, site.district_zh, site.district_en, site.station_zh,
        site.station_en, ...host, ...verdict].join("\n").toLowerCase();
    }

    function listItem(site) {
      const chip = node("i", "chip");
      chip.style.setProperty("--c", style.verdicts[site.verdict].colour);
      const button = node("button", "", node("span", "rank", String(site.order)), chip,
        node("span", "what", node("b", "", both([site.name_zh, site.name_en])),
          node("small", "", both(data.hosts[hostIndex.get(site.host_type)].name), " · ", label(`verdict.${site.verdict}`))),
        node("span", "mw", number(site.capacity_mw, 1, "MW")));
      button.type = "button";
      button.addEventListener("click", () => showSite(site, button));
      return node("li", "", button);
    }

    function showSite(site, opener) {
      const i = candidates.indexOf(site);
      const group = groupOf("host", hostIndex.get(site.host_type));
      if (!map.hasLayer(group)) map.addLayer(group);
      map.closePopup();
      map.fitBounds(siteLayers[i][0].getBounds(), { maxZoom: 12.5, animate: false });
      open([site.lat, site.lon], sitePopup(site), opener);
    }

    /* ---- wiring ---- */

    function wirePage() {
      map.on("zoomend overlayadd", showSizes);
      byId("fg-language").addEventListener("click", () => setLanguage(root.dataset.lang === "zh" ? "en" : "zh"));
      byId("fg-search").addEventListener("input", listProjects);
      all("input[name=fg-view]").forEach((input) => input.addEventListener("change", () => setView(input.value)));
      all("input[name=fg-case]").forEach((input) => input.addEventListener("change", () => setCase(input.value)));
      const panel = byId("fg-panel");
      panel.addEventListener("click", () => {
        const open = panel.getAttribute("aria-expanded") !== "true";
        panel.setAttribute("aria-expanded", String(open));
        byId("fg-side").hidden = !open;
        map.invalidateSize({ animate: false });
      });
      const tabs = all("[role=tab]");
      tabs.forEach((tab, i) => {
        tab.addEventListener("click", () => chooseTab(tabs, i, false));
        tab.addEventListener("keydown", (event) => {
          const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
          if (step) chooseTab(tabs, (i + step + tabs.length) % tabs.length, true);
        });
      });
      document.addEventListener("keydown", (event) => { if (event.key === "Escape") map.closePopup(); });
      window.addEventListener("resize", () => map.invalidateSize({ animate: false }));
    }

    function chooseTab(tabs, index, focus) {
      tabs.forEach((tab, i) => {
        tab.setAttribute("aria-selected", String(i === index));
        tab.tabIndex = i === index ? 0 : -1;
        byId(tab.getAttribute("aria-controls")).hidden = i !== index;
      });
      if (focus) tabs[index].focus();
    }
  }

  return { start };
})();

/* The page: puts the parts together and listens to the reader. Called once by the map's last line of script. */

class Page {
  constructor(map, control, groups, sites) {
    this.map = map;
    this.control = control;
    this.groups = groups;
    this.sites = sites;
    this.siteLayer = new SiteLayer(sites);
    this.network = new NetworkLayer(this);
    this.pictures = new LandPictures(map);
    this.list = new ProjectList(this, sites);
    /* One tip for the whole map: bound to shapes, Leaflet would make each of them a stop of the tabulator key. */
    this.tip = L.tooltip({ direction: "top", offset: [0, -6], className: "fg-tip" });
  }

  groupOf(kind, index) {
    return this.groups.find((group) => group.kind === kind && group.index === index).layer;
  }

  /* The first view; words and outlines of the sites follow in finish(). */
  draw() {
    this.makePanes();
    drawDistricts(this);
    this.addControls();
    this.fit();
    this.noteShownHosts();
    this.network.draw();
    new ParkLayer(this).draw();
    this.setCase(this.network.chosenCase);
    this.siteLayer.addTo(this.map);
    this.wire();
    this.setLanguage(data.language);
    this.nameStations();
  }

  async finish() {
    this.sites.shapes = shapesOf(await blockOf("fg-shapes"));
    this.siteLayer.redraw();
    await drawBackdrops(this);
    this.sites.texts = await blockOf("fg-texts");
    this.list.wire();
    this.followLink();
  }

  makePanes() {
    const order = [["fg-districts", 350], ["fg-backdrop", 355], ["fg-land", 360], ["fg-sites", 410], ["fg-lines", 420],
      ["fg-circles", 430], ["fg-names", 440]];
    for (const [name, z] of order) this.map.createPane(name).style.zIndex = String(z);
    for (const name of ["fg-names", "fg-sites", "fg-circles", "fg-backdrop", "fg-land"]) {
      this.map.getPane(name).style.pointerEvents = "none";
    }
    speak(this.map.getContainer(), data.labels["ui.map"]).setAttribute("role", "group");
  }

  open(latlng, content, opener) {
    const { map } = this;
    const popup = L.popup({ maxWidth: 350, minWidth: 320, maxHeight: Math.max(180, Math.min(500, map.getSize().y - 60)),
      autoPan: false })
      .setLatLng(latlng).setContent(content);
    popup.openOn(map);
    const close = popup.getElement().querySelector(".leaflet-popup-close-button");
    if (close) speak(close, data.labels["ui.close"]);
    const frame = popup.getElement();
    frame.setAttribute("role", "dialog");
    frame.setAttribute("aria-label", content.querySelector("h3").innerText);
    this.bringIntoView(frame);
    if (opener) {
      content.focus({ preventScroll: true });
      popup.on("remove", () => opener.focus({ preventScroll: true }));
    }
    return popup;
  }

  /* A popup as a whole in the free part of the map, at once: a button that still moves is missed by the pointer. */
  bringIntoView(frame) {
    const room = this.map.getContainer().getBoundingClientRect();
    const box = frame.getBoundingClientRect();
    const beyond = (low, high, from, to) => (low < from ? low - from : Math.max(0, Math.min(high - to, low - from)));
    this.map.panBy([
      beyond(box.left, box.right, room.left + this.besideLegend(), room.right - 46),
      beyond(box.top, box.bottom, room.top + 16, room.bottom - 16),
    ], { animate: false });
  }

  hover(layer, words) {
    layer.on("mouseover", (event) => this.tip.setLatLng(event.latlng).setContent(words()).openOn(this.map));
    layer.on("mousemove", (event) => this.tip.setLatLng(event.latlng));
    layer.on("mouseout click", () => this.map.closeTooltip(this.tip));
  }

  addControls() {
    const { map } = this;
    const zoom = L.control.zoom({ position: "topleft" }).addTo(map).getContainer();
    speak(zoom.querySelector(".leaflet-control-zoom-in"), data.labels["ui.zoom_in"]);
    speak(zoom.querySelector(".leaflet-control-zoom-out"), data.labels["ui.zoom_out"]);
    const home = speak(node("a", "fg-home", "⤢"), data.labels["ui.home"]);
    home.href = "#";
    home.setAttribute("role", "button");
    L.DomEvent.on(home, "click", (event) => { L.DomEvent.stop(event); this.fit(); });
    zoom.append(home);
    L.control.scale({ position: "bottomright", imperial: false, maxWidth: 140 }).addTo(map);
    byId("fg-layers").append(this.control.getContainer());
    const stage = byId("fg-stage");
    byId("fg-legend").open = map.getSize().x > NARROW;
    for (const name of ["fg-legend", "fg-north"]) {
      L.DomEvent.disableClickPropagation(byId(name));
      L.DomEvent.disableScrollPropagation(byId(name));
      stage.append(byId(name));
    }
  }

  /* Where the map's free part begins: right of the legend if the window is wide enough for both. */
  besideLegend() {
    const legend = byId("fg-legend");
    return legend.open && this.map.getSize().x > NARROW ? legend.offsetWidth + 20 : 56;
  }

  fit() {
    this.map.fitBounds(data.bounds, { paddingTopLeft: [this.besideLegend(), 16], paddingBottomRight: [24, 24], animate: false });
  }

  nameStations() {
    root.dataset.names = this.map.getZoom() >= style.all_station_names_from_zoom ? "all" : "high";
    this.network.placeNames();
  }

  noteShownHosts() {
    data.hosts.forEach((_, h) => { this.siteLayer.shown[h] = this.map.hasLayer(this.groupOf("host", h)) ? 1 : 0; });
  }

  setView(view) {
    root.dataset.view = view;
    this.siteLayer.redraw();
  }

  setCase(value) {
    root.dataset.case = value;
    this.network.setCase(value);
    byId("fg-case-summary").replaceChildren(...caseSummary(value));
  }

  setLanguage(language) {
    root.dataset.lang = language;
    root.lang = language === "zh" ? "zh-CN" : "en";
    document.title = language === "zh" ? root.dataset.titleZh : root.dataset.titleEn;
    for (const element of all("[data-aria-zh]")) {
      const words = language === "zh" ? element.dataset.ariaZh : element.dataset.ariaEn;
      element.setAttribute("aria-label", words);
      if (element.title) element.title = words;
    }
    for (const option of all("option[data-zh]")) option.textContent = language === "zh" ? option.dataset.zh : option.dataset.en;
    this.map.eachLayer((layer) => {
      if (!(layer instanceof L.Popup)) return;
      layer.update();
      this.bringIntoView(layer.getElement());
    });
    this.network.placeNames();
  }

  /* ---- sites ---- */

  siteAt(event) {
    return this.siteLayer.at(event.latlng);
  }

  openSite(i, latlng, opener) {
    if (!this.sites.texts) return;
    this.siteLayer.selected = i;
    this.siteLayer.redraw();
    const popup = this.open(latlng, sitePopup(this.sites, i), opener);
    popup.on("remove", () => {
      if (this.siteLayer.selected !== i) return;
      this.siteLayer.selected = -1;
      this.siteLayer.redraw();
    });
  }

  showSite(i, opener) {
    const group = this.groupOf("host", this.sites.core.host_type[i]);
    if (!this.map.hasLayer(group)) this.map.addLayer(group);
    this.map.closePopup();
    this.map.fitBounds(this.siteLayer.bounds(i), { maxZoom: 12.5, animate: false });
    this.openSite(i, this.siteLayer.latLng(i), opener);
  }

  showStation(station, opener) {
    this.map.closePopup();
    this.map.setView(station.at, Math.max(this.map.getZoom(), 11), { animate: false });
    this.network.open(station, opener);
  }

  clickMap(event) {
    const found = this.siteAt(event);
    if (!found) return;
    this.map.closeTooltip(this.tip);
    if (found.cluster) {
      const at = this.map.unproject([found.cluster.x, found.cluster.y], WORLD_ZOOM);
      this.map.setView(at, Math.min(this.map.getZoom() + 1.5, this.map.getMaxZoom()));
    } else {
      this.openSite(found.site, event.latlng, null);
    }
  }

  /* Circles are drawn over lines, outlines under them: a click goes to what is seen on top. */
  clickLine(event, route) {
    const found = this.siteAt(event);
    if (found && (found.cluster || found.circle)) this.clickMap(event);
    else this.open(event.latlng, linePopup(route), null);
  }

  point(event) {
    if (event.originalEvent.target.closest(".leaflet-interactive, .leaflet-popup, .leaflet-control")) {
      this.pointed = false;
      this.map.getContainer().classList.remove("pointing");
      return;
    }
    const found = this.siteAt(event);
    this.map.getContainer().classList.toggle("pointing", Boolean(found));
    if (found) this.tip.setLatLng(event.latlng).setContent(this.tipWords(found)).openOn(this.map);
    else if (this.pointed) this.map.closeTooltip(this.tip);
    this.pointed = Boolean(found);
  }

  tipWords({ site, cluster }) {
    if (cluster) return node("span", "", both(filled(data.labels["project.cluster"], { count: number(cluster.count, 0), mw: number(cluster.megawatts, 0) })));
    return node("span", "", both(this.sites.name(site)), ` · ${number(this.sites.value("capacity_mw", site), 1, "MW")}`);
  }

  /* "#site=ID" and "#station=ID" open what they name. */
  followLink() {
    const [, kind, id] = /^#(site|station)=(.+)$/.exec(location.hash) || [];
    if (!kind) return;
    let plainId = id;
    try { plainId = decodeURIComponent(id); } catch { /* a broken escape stays as it stands and finds nothing */ }
    const station = kind === "station" && data.stations.find((item) => item.id === plainId);
    const place = kind === "site" ? this.sites.placeOf(plainId) : -1;
    if (station) this.showStation(station, null);
    if (place >= 0) this.showSite(place, null);
  }

  /* ---- wiring ---- */

  wire() {
    const { map } = this;
    map.on("zoomend", () => this.nameStations());
    map.on("overlayadd overlayremove layeradd layerremove", (event) => this.changedLayers(event));
    map.on("click", (event) => this.clickMap(event));
    map.on("mousemove", (event) => this.point(event));
    map.on("mouseout movestart", () => { if (this.pointed) map.closeTooltip(this.tip); });
    byId("fg-language").addEventListener("click", () => this.setLanguage(root.dataset.lang === "zh" ? "en" : "zh"));
    byId("fg-print").addEventListener("click", () => window.print());
    const radios = { "fg-view": (value) => this.setView(value), "fg-case": (value) => this.setCase(value),
      "fg-stations": (value) => this.network.colourStations(value) };
    for (const [name, set] of Object.entries(radios)) {
      all(`input[name=${name}]`).forEach((input) => input.addEventListener("change", () => set(input.value)));
    }
    if (byId("fg-land")) byId("fg-land").addEventListener("change", () => this.pictures.show(byId("fg-land").value));
    this.wirePanel();
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") map.closePopup(); });
    const resized = () => map.invalidateSize({ animate: false });
    window.addEventListener("resize", resized);
    window.addEventListener("hashchange", () => this.followLink());
    for (const moment of ["beforeprint", "afterprint"]) window.addEventListener(moment, resized);
    window.matchMedia("print").addEventListener("change", resized);
  }

  changedLayers(event) {
    if (event.layer instanceof L.TileLayer) {
      let tiles = false;
      this.map.eachLayer((layer) => { tiles = tiles || layer instanceof L.TileLayer; });
      root.dataset.tiles = String(tiles);
    }
    if (event.type.startsWith("layer") && !this.groups.some((group) => group.layer === event.layer)) return;
    const before = this.siteLayer.shown.join();
    this.noteShownHosts();
    if (before !== this.siteLayer.shown.join()) this.siteLayer.redraw();
    if (event.type === "overlayadd") this.nameStations();
  }

  wirePanel() {
    const panel = byId("fg-panel");
    panel.addEventListener("click", () => {
      const open = panel.getAttribute("aria-expanded") !== "true";
      panel.setAttribute("aria-expanded", String(open));
      byId("fg-side").hidden = !open;
      this.map.invalidateSize({ animate: false });
    });
    const tabs = all("[role=tab]");
    tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => chooseTab(tabs, i, false));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step) chooseTab(tabs, (i + step + tabs.length) % tabs.length, true);
      });
    });
  }
}

function chooseTab(tabs, index, focus) {
  tabs.forEach((tab, i) => {
    tab.setAttribute("aria-selected", String(i === index));
    tab.tabIndex = i === index ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = i !== index;
  });
  if (focus) tabs[index].focus();
}

function caseSummary(value) {
  const item = data.cases[Number(value)];
  if (!item || !item.summary) return [];
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

/* "data-ready" says that the first view stands, "data-complete" that every word and outline is there. */
async function start(map, control, groups) {
  const began = performance.now();
  if (typeof DecompressionStream === "undefined") {
    byId("fg-old-browser").hidden = false;
    return;
  }
  const page = new Page(map, control, groups, new Sites(await blockOf("fg-sites")));
  page.draw();
  root.dataset.readyMs = String(Math.round(performance.now() - began));
  root.dataset.ready = "true";
  await new Promise((resolve) => { setTimeout(resolve); });
  await page.finish();
  api.page = page;
  root.dataset.complete = "true";
}

const api = { start, gcj02, shiftedTiles, plain, csvCell, page: null };
return api;

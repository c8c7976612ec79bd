/* Parks: a sign at their place, and their year in a popup. */

class ParkLayer {
  constructor(page) {
    this.page = page;
  }

  draw() {
    for (const park of data.parks) {
      const marker = L.marker(park.at, { keyboard: true, zIndexOffset: 1200, icon: L.divIcon({
        className: "fg-anchor fg-park", iconSize: [20, 20], html: node("i", "park") }) });
      const words = park.name.map((name, i) => `${data.labels["popup.park"][i]} ${name}`);
      marker.on("add", () => speak(marker.getElement(), words));
      marker.on("click keypress", (event) => {
        if (event.type === "keypress" && event.originalEvent.key !== "Enter") return;
        this.page.open(park.at, parkPopup(park), event.type === "keypress" ? marker.getElement() : null);
      });
      this.page.hover(marker, () => node("span", "", both(park.name)));
      marker.addTo(this.page.groupOf("parks", 0));
    }
  }
}

function parkPopup(park) {
  const share = (value) => (isKnown(value) ? number(value * 100, 1, "%") : null);
  const flow = (mwh, peak) => (isKnown(mwh) ? `${number(mwh / 1000, 1, "GWh")} · ${number(peak, 1, "MW")}` : null);
  return card("popup.park", park.name, rows([
    ["park.rules", park.verdict ? label(`direct.${park.verdict}`) : null],
    ["park.load", flow(park.load_mwh, park.peak_mw)],
    ["park.load_from", park.generated ? badge("generated", "origin.generated") : null],
    ["park.pv", number(park.pv_mw, 1, "MW")],
    ["park.wind", number(park.wind_mw, 1, "MW")],
    ["park.storage", park.storage_mw ? `${number(park.storage_mw, 1, "MW")} · ${number(park.storage_mwh, 1, "MWh")}` : null],
    ["park.green", share(park.green_share)],
    ["park.own_use", share(park.self_use_share)],
    ["park.import", flow(park.import_mwh, park.import_peak_mw)],
    ["park.export", flow(park.export_mwh, park.export_peak_mw)],
    ["park.cost", isKnown(park.cost_cny_per_mwh) ? number(park.cost_cny_per_mwh, 0, "CNY/MWh") : null],
    ["park.grid", number(park.grid_price_cny_per_mwh, 0, "CNY/MWh")],
    ["park.co2", isKnown(park.co2_avoided_t) ? number(park.co2_avoided_t, 0, "t") : null],
    ["park.confidence", park.confidence || null],
    ["popup.id", node("code", "", park.id)],
  ]));
}

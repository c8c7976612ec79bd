/* What lies under sites and network: districts, water, built-up land and roads of the study, land pictures, tiles. */

const THIN = { road: [9, 0.9], rail: [9, 1.1] };

function drawDistricts(page) {
  const group = page.groupOf("districts", 0);
  const features = data.districts.map((district) => ({ type: "Feature", properties: {},
    geometry: { type: "MultiPolygon", coordinates: district.shape } }));
  L.geoJSON({ type: "FeatureCollection", features }, { pane: "fg-districts", interactive: false,
    style: { color: "#7d8b96", weight: 1.4, fillColor: "#ffffff", fillOpacity: 1 } }).addTo(group);
  for (const district of data.districts) {
    const name = node("span", "district-name", both(district.name));
    L.marker(district.at, { pane: "fg-names", interactive: false, keyboard: false,
      icon: L.divIcon({ className: "fg-anchor", iconSize: [0, 0], html: name }) }).addTo(group);
  }
}

async function drawBackdrops(page) {
  const layers = [];
  for (const { kind, shapes } of data.backdrops) layers.push({ kind, shapes: shapesOf(await unpacked(shapes)) });
  if (!layers.length) return;
  for (const layer of layers) layer.boxes = boxesOf(layer.shapes);
  page.groupOf("backdrop", 0).addLayer(new Sheet((context, view) => {
    for (const layer of layers) drawBackdrop(context, view, layer);
  }, { pane: "fg-backdrop" }));
}

function drawBackdrop(context, view, { kind, shapes, boxes }) {
  const least = 1.2 / view.scale;
  const thin = THIN[kind];
  context.beginPath();
  for (let i = 0; i < shapes.count; i += 1) {
    const [west, north, east, south] = boxes.subarray(4 * i, 4 * i + 4);
    if (east < view.west || west > view.east || south < view.north || north > view.south) continue;
    if (east - west < least && south - north < least) continue;
    trace(context, view, shapes, i, !thin);
  }
  if (thin) {
    context.strokeStyle = style.backdrops[kind];
    context.lineWidth = Math.max(0.6, thin[1] + (view.zoom - thin[0]) * 0.35);
    context.stroke();
  } else {
    context.fillStyle = style.backdrops[kind];
    context.fill("evenodd");
  }
}

/* West, north, east, south of every shape, in world pixels. */
function boxesOf({ count, parts, corners, xy }) {
  const boxes = new Int32Array(4 * count);
  for (let i = 0; i < count; i += 1) {
    let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let k = corners[parts[i]]; k < corners[parts[i + 1]]; k += 1) {
      west = Math.min(west, xy[2 * k]);
      east = Math.max(east, xy[2 * k]);
      north = Math.min(north, xy[2 * k + 1]);
      south = Math.max(south, xy[2 * k + 1]);
    }
    boxes.set([west, north, east, south], 4 * i);
  }
  return boxes;
}

/* Eligible land and what excludes the rest, one host type at a time. */
class LandPictures {
  constructor(map) {
    this.map = map;
    this.overlay = null;
  }

  show(host) {
    if (this.overlay) this.overlay.remove();
    this.overlay = null;
    const picture = data.pictures.find((item) => item.host === host);
    byId("fg-land-legend").replaceChildren(...(picture ? picture.classes.map((entry) => this.entry(entry)) : []));
    if (!picture) return;
    this.overlay = L.imageOverlay(`data:image/png;base64,${picture.png}`, picture.bounds,
      { pane: "fg-land", opacity: 0.8, className: "fg-picture", alt: "" }).addTo(this.map);
  }

  entry({ rule, name, colour, km2 }) {
    const block = node("i", "chip");
    block.style.setProperty("--c", colour);
    const own = data.labels[`rule.${rule}`];
    return node("li", "", block, node("span", "what", own ? both(own) : both(name)), node("b", "", number(km2, km2 < 10 ? 2 : 0, "km²")));
  }
}

/* ---- tiles on GCJ-02 ----
   The published polynomial of the shift, in degrees (the same as layers/datum.py, which tests compare it with). */
const GCJ_AXIS = 6378245.0;
const GCJ_ECCENTRICITY = 0.00669342162296594323;

function gcj02(lon, lat) {
  const [x, y] = [lon - 105, lat - 35];
  const sine = (value, factor) => Math.sin(value * factor * Math.PI);
  const common = (20 * sine(x, 6) + 20 * sine(x, 2)) * (2 / 3);
  const north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x)) + common
    + (20 * sine(y, 1) + 40 * sine(y, 1 / 3)) * (2 / 3) + (160 * sine(y, 1 / 12) + 320 * sine(y, 1 / 30)) * (2 / 3);
  const east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x)) + common
    + (20 * sine(x, 1) + 40 * sine(x, 1 / 3)) * (2 / 3) + (150 * sine(x, 1 / 12) + 300 * sine(x, 1 / 30)) * (2 / 3);
  const phi = (lat * Math.PI) / 180;
  const magic = 1 - GCJ_ECCENTRICITY * Math.sin(phi) ** 2;
  const meridian = (GCJ_AXIS * (1 - GCJ_ECCENTRICITY)) / (magic * Math.sqrt(magic));
  return [lon + (east * 180) / ((GCJ_AXIS / Math.sqrt(magic)) * Math.cos(phi) * Math.PI), lat + (north * 180) / (meridian * Math.PI)];
}

/* Tiles drawn on GCJ-02, moved under the WGS-84 map by the shift in the middle of the window: there they fit to the
   metre, and at its edges to a pixel or two, since the shift changes by some tens of metres over a window. */
const ShiftedTiles = L.TileLayer.extend({
  _setZoomTransform(level, center, zoom) {
    L.TileLayer.prototype._setZoomTransform.call(this, level, shiftedCentre(center), zoom);
  },
  _getTiledPixelBounds(center) {
    return L.TileLayer.prototype._getTiledPixelBounds.call(this, shiftedCentre(center));
  },
});

function shiftedCentre(center) {
  const at = L.latLng(center);
  const [lon, lat] = gcj02(at.lng, at.lat);
  return L.latLng(lat, lon);
}

const shiftedTiles = (url, options) => new ShiftedTiles(url, options);

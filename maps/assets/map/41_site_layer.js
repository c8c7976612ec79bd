/* How sites are drawn: outlines where they are large enough, circles by megawatts where they are not, and one circle
   for many where circles would lie on each other. */

const INK = "#22313a";
const SELECTED = "#f2b134";
const BIN_PX = 28;
const MOST_PER_BIN = 4;
const FEW_SITES = 2500;
const CLUSTER_PX = 60;
const EARTH_M = 40075016.7;

class SiteLayer {
  constructor(sites) {
    this.sites = sites;
    this.shown = new Uint8Array(data.hosts.length).fill(1);
    this.selected = -1;
    this.version = 0;
    this.crowdedAt = new Map();
    this.patterns = new Map();
    this.measureSites();
    this.areas = new Sheet((context, view) => this.drawAreas(context, view), { pane: "fg-sites" });
    this.circles = new Sheet((context, view) => this.drawCircles(context, view), { pane: "fg-circles" });
  }

  addTo(map) {
    this.map = map;
    this.areas.addTo(map);
    this.circles.addTo(map);
    return this;
  }

  redraw() {
    this.version += 1;
    this.crowdedAt.clear();
    this.planned = null;
    this.areas.redraw();
    this.circles.redraw();
  }

  /* Radius on the screen and size on the ground of every site. All circles shrink together where there are many. */
  measureSites() {
    const { core, count } = this.sites;
    const crowding = Math.max(0.35, Math.min(1, Math.sqrt(200 / Math.max(count, 1))));
    this.radius = new Float32Array(count);
    this.ground = new Float32Array(count);
    const world = 256 * 2 ** WORLD_ZOOM;
    for (let i = 0; i < count; i += 1) {
      this.radius[i] = Math.max(2.8, crowding * Math.min(3.2 + 0.85 * Math.sqrt(core.capacity_mw[i]), 22));
      const cosine = 1 / Math.cosh(Math.PI * (1 - (2 * core.y[i]) / world));
      const side = Math.sqrt(core.area_m2[i]) / ((EARTH_M * cosine) / world);
      const extent = Math.max(core.to_west[i] + core.to_east[i], core.to_north[i] + core.to_south[i]);
      this.ground[i] = Math.min(extent, side);
    }
  }

  isShown(i) {
    return this.sites.matches[i] && this.shown[this.sites.core.host_type[i]];
  }

  /* A site is a circle while its outline, or the square of its host area (scattered roofs), would be smaller. */
  isCircle(i, scale) {
    return !this.sites.shapes || this.ground[i] * scale < 2 * this.radius[i];
  }

  /* Would circles lie on each other at this zoom? Told for the whole map, so that panning changes nothing. */
  isCrowded(zoom) {
    if (!this.crowdedAt.has(zoom)) {
      const { core, count } = this.sites;
      const scale = 2 ** (zoom - WORLD_ZOOM) / BIN_PX;
      const bins = new Set();
      let shown = 0;
      for (let i = 0; i < count; i += 1) {
        if (!this.isShown(i)) continue;
        shown += 1;
        bins.add(Math.floor(core.y[i] * scale) * 4194304 + Math.floor(core.x[i] * scale));
      }
      this.crowdedAt.set(zoom, shown > FEW_SITES && shown > MOST_PER_BIN * bins.size);
    }
    return this.crowdedAt.get(zoom);
  }

  /* What is drawn how in a view: places of outlines and circles in drawing order, and clusters. */
  plan(view) {
    if (this.planned && this.planned.key === view.key) return this.planned;
    const { core } = this.sites;
    const plan = { key: view.key, outlines: [], circles: [], clusters: [] };
    const margin = 24 / view.scale;
    const found = [];
    const crowded = this.isCrowded(view.zoom);
    const bins = new Map();
    const cell = CLUSTER_PX / view.scale;
    this.sites.places.within(view.west - margin, view.north - margin, view.east + margin, view.south + margin, (i) => {
      if (!this.isShown(i)) return;
      if (!this.isCircle(i, view.scale)) plan.outlines.push(i);
      else if (!crowded) found.push(i);
      else {
        const bin = Math.floor(core.y[i] / cell) * 4194304 + Math.floor(core.x[i] / cell);
        if (bins.has(bin)) bins.get(bin).push(i);
        else bins.set(bin, [i]);
      }
    });
    for (const members of bins.values()) {
      if (members.length < 3) found.push(...members);
      else plan.clusters.push(this.cluster(members));
    }
    const larger = (a, b) => core.capacity_mw[b] - core.capacity_mw[a] || a - b;
    plan.circles = found.sort(larger);
    plan.outlines.sort(larger);
    plan.clusters.sort((a, b) => b.radius - a.radius);
    this.planned = plan;
    root.dataset.crowded = String(plan.clusters.length > 0);
    return plan;
  }

  /* Many sites as one circle: in the middle of their megawatts, in the colour that most megawatts have. */
  cluster(members) {
    const { core } = this.sites;
    const classes = this.sites.classesOf(root.dataset.view);
    const byClass = new Map();
    let [x, y, sum] = [0, 0, 0];
    for (const i of members) {
      const mw = core.capacity_mw[i];
      x += core.x[i] * mw;
      y += core.y[i] * mw;
      sum += mw;
      byClass.set(classes[i], (byClass.get(classes[i]) || 0) + mw);
    }
    const [first] = [...byClass].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    return { x: x / sum, y: y / sum, count: members.length, megawatts: sum, colour: colourOfClass(first[0]),
      radius: Math.min(26, 10 + 4 * Math.log10(members.length)) };
  }

  drawAreas(context, view) {
    for (const i of this.plan(view).outlines) {
      const look = this.look(i, true);
      context.beginPath();
      trace(context, view, this.sites.shapes, i, true);
      this.paint(context, look, "evenodd");
    }
    this.drawSelected(context, view);
  }

  drawCircles(context, view) {
    const { core } = this.sites;
    const plan = this.plan(view);
    for (const i of plan.circles) {
      context.beginPath();
      context.arc(core.x[i] * view.scale - view.origin.x, core.y[i] * view.scale - view.origin.y, this.radius[i], 0, 7);
      this.paint(context, this.look(i, this.radius[i] >= 7), "nonzero");
    }
    for (const cluster of plan.clusters) this.drawCluster(context, view, cluster);
    const i = this.selected;
    if (i >= 0 && this.isCircle(i, view.scale)) {
      context.beginPath();
      context.arc(core.x[i] * view.scale - view.origin.x, core.y[i] * view.scale - view.origin.y, this.radius[i] + 4, 0, 7);
      this.outline(context);
    }
  }

  drawCluster(context, view, cluster) {
    const x = cluster.x * view.scale - view.origin.x;
    const y = cluster.y * view.scale - view.origin.y;
    context.beginPath();
    context.arc(x, y, cluster.radius + 3, 0, 7);
    context.fillStyle = "#ffffffb0";
    context.fill();
    context.beginPath();
    context.arc(x, y, cluster.radius, 0, 7);
    this.paint(context, { fill: cluster.colour, alpha: 0.9, stroke: INK, width: 1, dash: [] }, "nonzero");
    context.font = "600 11px sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = "#ffffffd0";
    const words = short(cluster.count);
    context.strokeText(words, x, y);
    context.fillStyle = INK;
    context.fillText(words, x, y);
  }

  drawSelected(context, view) {
    const i = this.selected;
    if (i < 0) return;
    const { core } = this.sites;
    const station = data.stations.find((item) => item.id === this.sites.word("station_id", i));
    if (station) {
      const at = this.map.latLngToLayerPoint(station.at);
      context.beginPath();
      context.moveTo(core.x[i] * view.scale - view.origin.x, core.y[i] * view.scale - view.origin.y);
      context.lineTo(at.x, at.y);
      context.setLineDash([2, 5]);
      context.lineWidth = 2.5;
      context.strokeStyle = INK;
      context.stroke();
      context.setLineDash([]);
    }
    if (!this.isCircle(i, view.scale)) {
      context.beginPath();
      trace(context, view, this.sites.shapes, i, true);
      this.outline(context);
    }
  }

  outline(context) {
    for (const [width, colour] of [[6, INK], [3.5, SELECTED]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke();
    }
  }

  paint(context, look, rule) {
    if (look.fill) {
      context.globalAlpha = look.alpha;
      context.fillStyle = look.pattern ? this.hatch(context, look.fill) : look.fill;
      context.fill(rule);
      context.globalAlpha = 1;
    }
    context.lineWidth = look.width;
    context.strokeStyle = look.stroke;
    if (look.dash.length) context.setLineDash(look.dash);
    context.stroke();
    if (look.dash.length) context.setLineDash([]);
  }

  /* Colour tells the class; by host type the fill tells the verdict too. Dashes need room: small marks go without. */
  look(i, roomy) {
    const colour = colourOfClass(this.sites.classesOf(root.dataset.view)[i]);
    if (root.dataset.view !== "host") return { fill: colour, alpha: 0.9, stroke: INK, width: 0.8, dash: [] };
    const { fill } = style.verdicts[this.sites.word("verdict", i)];
    const line = { stroke: colour, width: 1.6, dash: [] };
    if (fill === "solid") return { fill: colour, alpha: 0.88, stroke: INK, width: 0.8, dash: [] };
    if (fill === "hatch") return { ...line, fill: colour, alpha: 1, pattern: true };
    if (fill === "tint") return { ...line, fill: colour, alpha: 0.35 };
    if (fill === "dashed") return { ...line, fill: "#ffffff", alpha: 0.75, dash: roomy ? [4, 3] : [], width: roomy ? 1.6 : 1.2 };
    return { ...line, fill: "#ffffff", alpha: 0.4, dash: roomy ? [1.5, 3.5] : [], width: roomy ? 1.8 : 0.7 };
  }

  hatch(context, colour) {
    if (!this.patterns.has(colour)) {
      const tile = node("canvas");
      tile.width = tile.height = 6;
      const pen = tile.getContext("2d");
      pen.fillStyle = "#ffffff";
      pen.fillRect(0, 0, 6, 6);
      pen.strokeStyle = colour;
      pen.lineWidth = 2.2;
      for (const shift of [-6, 0, 6]) {
        pen.moveTo(shift - 1, 7);
        pen.lineTo(shift + 7, -1);
      }
      pen.stroke();
      this.patterns.set(colour, context.createPattern(tile, "repeat"));
    }
    return this.patterns.get(colour);
  }

  /* The site or the cluster under a place of the map: circles before outlines, small before large. */
  at(latlng) {
    const map = this.map;
    const scale = 2 ** (map.getZoom() - WORLD_ZOOM);
    const point = map.project(latlng).divideBy(scale);
    const plan = this.plan(viewOf(map, this.circles._bounds));
    for (const cluster of plan.clusters) {
      if (Math.hypot(cluster.x - point.x, cluster.y - point.y) * scale <= cluster.radius) return { cluster };
    }
    const { core, shapes } = this.sites;
    for (let k = plan.circles.length - 1; k >= 0; k -= 1) {
      const i = plan.circles[k];
      if (Math.hypot(core.x[i] - point.x, core.y[i] - point.y) * scale <= this.radius[i] + 1) return { site: i, circle: true };
    }
    for (let k = plan.outlines.length - 1; k >= 0; k -= 1) {
      const i = plan.outlines[k];
      if (point.x < core.x[i] - core.to_west[i] || point.x > core.x[i] + core.to_east[i]
        || point.y < core.y[i] - core.to_north[i] || point.y > core.y[i] + core.to_south[i]) continue;
      if (inside(shapes, i, point.x, point.y)) return { site: i, circle: false };
    }
    return null;
  }

  latLng(i) {
    const { core } = this.sites;
    return this.map.unproject([core.x[i], core.y[i]], WORLD_ZOOM);
  }

  bounds(i) {
    const { core } = this.sites;
    return L.latLngBounds(
      this.map.unproject([core.x[i] - core.to_west[i], core.y[i] - core.to_north[i]], WORLD_ZOOM),
      this.map.unproject([core.x[i] + core.to_east[i], core.y[i] + core.to_south[i]], WORLD_ZOOM));
  }
}

/* Colour of a class in the chosen view. */
function colourOfClass(k) {
  if (k === 255) return style.unknown;
  const view = root.dataset.view;
  if (view === "host") return data.hosts[k].colour;
  if (view === "verdict") return Object.values(style.verdicts)[k].colour;
  if (view === "stage") return data.stages[k][1];
  return quantityOf.get(view).colours[k];
}

const short = (count) => (count < 1000 ? String(count) : `${(count / 1000).toFixed(count < 9950 ? 1 : 0)}k`);

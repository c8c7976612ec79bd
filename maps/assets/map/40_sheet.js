/* A canvas over the map, a little larger than the window: moved by the browser while the map is dragged or zoomed, drawn
   anew when it comes to rest or when its edge would show. ``draw(context, view)`` draws in layer points; ``view`` has
   the scale from world pixels, the origin, and the box of world pixels that can be seen. */

const Sheet = L.Renderer.extend({
  options: { padding: 0.35 },

  initialize(draw, options) {
    L.Renderer.prototype.initialize.call(this, options);
    this._draw = draw;
    this._drawnFor = "";
  },

  getEvents() {
    return { ...L.Renderer.prototype.getEvents.call(this), move: this._keepCovered };
  },

  redraw() {
    this._drawnFor = "";
    if (this._map) this._update();
    return this;
  },

  _initContainer() {
    this._container = node("canvas", "fg-sheet");
    this._container.setAttribute("aria-hidden", "true");
    this._context = this._container.getContext("2d");
  },

  _destroyContainer() {
    this._container.remove();
    this._container = null;
    this._drawnFor = "";
  },

  _keepCovered() {
    if (this._map._animatingZoom || !this._bounds || this._map.getZoom() !== this._zoom) return;
    const size = this._map.getSize();
    const seen = L.bounds(this._map.containerPointToLayerPoint([0, 0]), this._map.containerPointToLayerPoint(size));
    if (!this._bounds.contains(seen)) this._update();
  },

  _update() {
    const map = this._map;
    if (map._animatingZoom && this._bounds) return;
    L.Renderer.prototype._update.call(this);
    const bounds = this._bounds;
    const origin = map.getPixelOrigin();
    const size = bounds.getSize();
    const key = [map.getZoom(), origin.x, origin.y, bounds.min.x, bounds.min.y, size.x, size.y].join();
    if (key === this._drawnFor) return;
    this._drawnFor = key;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const canvas = this._container;
    L.DomUtil.setPosition(canvas, bounds.min);
    const [width, height] = [Math.round(size.x * ratio), Math.round(size.y * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${size.x}px`;
      canvas.style.height = `${size.y}px`;
    }
    this._context.setTransform(1, 0, 0, 1, 0, 0);
    this._context.clearRect(0, 0, width, height);
    this._context.setTransform(ratio, 0, 0, ratio, -bounds.min.x * ratio, -bounds.min.y * ratio);
    this._draw(this._context, viewOf(map, bounds));
  },
});

function viewOf(map, bounds) {
  const scale = 2 ** (map.getZoom() - WORLD_ZOOM);
  const origin = map.getPixelOrigin();
  return {
    scale, origin, zoom: map.getZoom(),
    key: [map.getZoom(), origin.x, origin.y, bounds.min.x, bounds.min.y, bounds.max.x, bounds.max.y].join(),
    west: (bounds.min.x + origin.x) / scale, north: (bounds.min.y + origin.y) / scale,
    east: (bounds.max.x + origin.x) / scale, south: (bounds.max.y + origin.y) / scale,
  };
}

/* Puts the parts of one shape on the context's path; corners closer than this to the last drawn one add nothing. */
const NEAR_PX = 0.7;

function trace(context, view, shapes, i, close) {
  const { xy, corners, parts } = shapes;
  const { scale, origin } = view;
  for (let p = parts[i]; p < parts[i + 1]; p += 1) {
    const from = corners[p];
    const to = corners[p + 1];
    let x = xy[2 * from] * scale - origin.x;
    let y = xy[2 * from + 1] * scale - origin.y;
    context.moveTo(x, y);
    for (let k = from + 1; k < to; k += 1) {
      const nextX = xy[2 * k] * scale - origin.x;
      const nextY = xy[2 * k + 1] * scale - origin.y;
      if (k + 1 < to && Math.abs(nextX - x) + Math.abs(nextY - y) < NEAR_PX) continue;
      x = nextX;
      y = nextY;
      context.lineTo(x, y);
    }
    if (close) context.closePath();
  }
}

/* Is a place inside a shape? Even-odd over all its rings, in world pixels. */
function inside(shapes, i, x, y) {
  const { xy, corners, parts } = shapes;
  let odd = false;
  for (let p = parts[i]; p < parts[i + 1]; p += 1) {
    const from = corners[p];
    const to = corners[p + 1];
    for (let k = from, last = to - 1; k < to; last = k, k += 1) {
      const [ax, ay, bx, by] = [xy[2 * k], xy[2 * k + 1], xy[2 * last], xy[2 * last + 1]];
      if ((ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
    }
  }
  return odd;
}

/* The sites: columns by name, classes for colouring, filters, and what is where. Numbers are never copied into
   objects, so that a hundred thousand sites stay a few arrays. */

const WORLD_ZOOM = 18;
const hostOf = new Map(data.hosts.map((host, i) => [host.id, i]));
const quantityOf = new Map(data.quantities.map((quantity) => [quantity.id, quantity]));

class Sites {
  constructor(core) {
    this.core = core;
    this.count = core.count;
    this.texts = null;
    this.shapes = null;
    this.matches = new Uint8Array(this.count).fill(1);
    this.bySize = Uint32Array.from({ length: this.count }, (_, i) => i)
      .sort((a, b) => core.capacity_mw[b] - core.capacity_mw[a] || a - b);
    this.places = new PlaceIndex(core);
    this.classes = new Map();
  }

  word(column, i) {
    const words = this.core.words[column];
    return words ? words[this.core[column][i]] : "";
  }

  value(column, i) {
    return column in this.core ? this.core[column][i] : NaN;
  }

  name(i) {
    return this.texts ? [this.texts.name_zh[i], this.texts.name_en[i]] : ["", ""];
  }

  id(i) {
    return this.texts ? this.texts.candidate_id[i] : "";
  }

  /* Class of every site in a view: place in a list of colours, 255 where the value is not known. */
  classesOf(view) {
    if (!this.classes.has(view)) this.classes.set(view, this.computed(view));
    return this.classes.get(view);
  }

  computed(view) {
    if (view === "host") return this.core.host_type;
    if (view === "verdict") return this.core.verdict;
    const found = new Uint8Array(this.count);
    if (view === "stage") {
      const stages = this.core.stage;
      for (let i = 0; i < this.count; i += 1) found[i] = stages && stages[i] ? stages[i] - 1 : 255;
      return found;
    }
    const { column, edges } = quantityOf.get(view);
    const values = this.core[column];
    for (let i = 0; i < this.count; i += 1) found[i] = Number.isNaN(values[i]) ? 255 : classOf(values[i], edges);
    return found;
  }

  /* Which sites fulfil all tests, and how many megawatts they have. */
  filter(tests) {
    let count = 0;
    let megawatts = 0;
    for (let i = 0; i < this.count; i += 1) {
      const fits = tests.every((test) => test(i)) ? 1 : 0;
      this.matches[i] = fits;
      count += fits;
      if (fits) megawatts += this.core.capacity_mw[i];
    }
    return { count, megawatts };
  }

  /* Plain words of each site, made when somebody searches for the first time. */
  haystack(i) {
    if (!this.hay) {
      const { candidate_id: ids, name_zh: zh, name_en: en, township } = this.texts;
      const common = new Map();
      this.hay = ids.map((id, k) => {
        const codes = `${this.core.district_code[k]} ${this.core.host_type[k]} ${this.core.verdict[k]} ${this.core.station_id[k]}`;
        if (!common.has(codes)) common.set(codes, plain(this.commonWords(k).join("\n")).replaceAll("\n", "|"));
        return `${plain(`${id}\u0001${zh[k]}\u0001${en[k]}\u0001${township ? township[k] : ""}`)}|${common.get(codes)}`;
      });
    }
    return this.hay[i];
  }

  commonWords(i) {
    return [...districtName(this.word("district_code", i)), ...data.hosts[this.core.host_type[i]].name,
      ...data.labels[`verdict.${this.word("verdict", i)}`], ...stationName(this.word("station_id", i))];
  }

  /* Places of the sites that hold all words: those whose id or name is what was written, then those that begin with it,
     then those whose id or name holds all words, then those that hold a word elsewhere; each in the list's order. */
  found(query) {
    const words = query.split(/[\s,，;；]+/).map(plain).filter(Boolean);
    const whole = plain(query);
    const places = [[], [], [], []];
    for (let i = 0; i < this.count; i += 1) {
      if (!this.matches[i]) continue;
      if (!words.length) places[0].push(i);
      else if (words.every((word) => this.haystack(i).includes(word))) places[this.farness(i, whole, words)].push(i);
    }
    return places.flat();
  }

  /* How far a site that holds all words is from what was written: 0 the same, 1 begins so, 2 in id or name, 3 elsewhere. */
  farness(i, whole, words) {
    const names = this.haystack(i).split("\u0001", 3);
    if (names.includes(whole)) return 0;
    if (names.some((name) => name.startsWith(whole))) return 1;
    return names.some((name) => words.every((word) => name.includes(word))) ? 2 : 3;
  }

  placeOf(id) {
    return this.texts.candidate_id.indexOf(id);
  }
}

function classOf(value, edges) {
  let k = 0;
  while (k + 1 < edges.length && value >= edges[k + 1]) k += 1;
  return k;
}

/* Squares of the world with the sites whose middle lies in them. A site larger than a square is on a list of its own. */
class PlaceIndex {
  constructor(core) {
    this.core = core;
    const { x, y, count } = core;
    const size = squareSize(core);
    this.size = size;
    this.left = Math.floor(Math.min(...range(x)) / size);
    this.top = Math.floor(Math.min(...range(y)) / size);
    this.across = Math.floor(Math.max(...range(x)) / size) - this.left + 1;
    this.down = Math.floor(Math.max(...range(y)) / size) - this.top + 1;
    this.large = [];
    const square = new Int32Array(count);
    const starts = new Uint32Array(this.across * this.down + 1);
    for (let i = 0; i < count; i += 1) {
      square[i] = -1;
      if (core.to_west[i] > size || core.to_east[i] > size || core.to_north[i] > size || core.to_south[i] > size) {
        this.large.push(i);
        continue;
      }
      square[i] = (Math.floor(y[i] / size) - this.top) * this.across + Math.floor(x[i] / size) - this.left;
      starts[square[i] + 1] += 1;
    }
    for (let k = 0; k < this.across * this.down; k += 1) starts[k + 1] += starts[k];
    this.starts = starts.slice();
    this.members = new Uint32Array(count - this.large.length);
    for (let i = 0; i < count; i += 1) if (square[i] >= 0) this.members[starts[square[i]]++] = i;
  }

  /* Calls ``each`` for every site that may reach into a box of world pixels. */
  within(west, north, east, south, each) {
    const { size, core } = this;
    const column = (x) => Math.floor(x / size) - this.left;
    const row = (y) => Math.floor(y / size) - this.top;
    const first = Math.max(0, column(west - size));
    const last = Math.min(this.across - 1, column(east + size));
    for (let r = Math.max(0, row(north - size)); r <= Math.min(this.down - 1, row(south + size)); r += 1) {
      const from = this.starts[r * this.across + first];
      const to = first <= last ? this.starts[r * this.across + last + 1] : from;
      for (let k = from; k < to; k += 1) each(this.members[k]);
    }
    for (const i of this.large) {
      const { x, y } = core;
      if (x[i] + core.to_east[i] >= west && x[i] - core.to_west[i] <= east
        && y[i] + core.to_south[i] >= north && y[i] - core.to_north[i] <= south) each(i);
    }
  }
}

function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return values.length ? [low, high] : [0, 0];
}

/* About eight sites a square, no square below 2 km. */
function squareSize({ x, y, count }) {
  const [west, east] = range(x);
  const [north, south] = range(y);
  const area = Math.max(1, (east - west) * (south - north));
  return Math.max(4096, Math.sqrt((8 * area) / Math.max(1, count)));
}

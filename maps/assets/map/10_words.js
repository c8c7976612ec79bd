/* Words, numbers and nodes. Every word of the data enters the page as text, never as markup. */

const root = document.documentElement;
const data = JSON.parse(document.getElementById("fg-data").textContent);
const style = data.style;
const DASH = "—";
const NARROW = 600;
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
const all = (selector) => Array.from(document.querySelectorAll(selector));

function node(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
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
const named = (pair) => (pair[0] || pair[1] ? both(pair) : null);
const filled = (pair, values) =>
  pair.map((text) => text.replace(/\{(\w+)\}/g, (_, name) => String(values[name])));

function speak(element, pair) {
  element.dataset.ariaZh = pair[0];
  element.dataset.ariaEn = pair[1];
  element.setAttribute("aria-label", chosen(pair));
  return element;
}

const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);

function number(value, digits, unit) {
  if (!isKnown(value)) return DASH;
  const text = value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return unit ? `${text} ${unit}` : text;
}

function badge(kind, key) {
  return node("span", `badge ${kind}`, label(key));
}

/* A list of name and value; what has no value is left out. */
function rows(pairs) {
  const list = node("dl", "rows");
  for (const [key, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(node("dt", "", label(key)), node("dd", "", value));
  }
  return list;
}

const named_ = (table, id) => (Object.hasOwn(table, id) ? table[id] : [id, id]);
const elementName = (id) => named_(data.elements, id);
const upgradeName = (id) => named_(data.upgrades, id);
const codeName = (kind, id) => (Object.hasOwn(data.labels, `${kind}.${id}`) ? data.labels[`${kind}.${id}`] : [id, id]);
const limitName = (id) => codeName("limit", id);
const districtName = (id) => named_(data.places.districts, id);
const stationName = (id) => named_(data.places.stations, id);
const caseName = (id) => {
  const found = data.cases.find((item) => item.id === id);
  return found ? found.name : [id, id];
};

/* Words as they are searched: small letters, without tone marks, blanks and hyphens ("Méng chéng" is "mengcheng"). */
const plain = (text) =>
  text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[\s\-_'·]+/g, "");

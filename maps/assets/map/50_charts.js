/* Small charts as inline SVG: no outside script, readable in grey, with their figures in words for screen readers. */

const CHART = { width: 146, height: 78, left: 4, right: 4, top: 13, bottom: 13 };

function chartFrame(title, unit, highest, spoken, ...marks) {
  const { width, height } = CHART;
  const picture = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "chart" }, ...marks,
    drawn("line", { x1: CHART.left, x2: width - CHART.right, y1: height - CHART.bottom, y2: height - CHART.bottom, class: "axis" }));
  speak(picture, spoken);
  return node("figure", "", node("figcaption", "", label(title), ` ${unit} · `, label("popup.most"), ` ${number(highest, digitsFor(highest))}`),
    picture);
}

const digitsFor = (value) => (value < 10 ? 2 : value < 100 ? 1 : 0);

function chartText(x, y, words, anchor) {
  return drawn("text", { x, y, "text-anchor": anchor }, words);
}

/* Twelve bars. ``values`` in MWh. */
function monthChart(values) {
  const { width, height, left, right, top, bottom } = CHART;
  const highest = Math.max(...values);
  const step = (width - left - right) / 12;
  const full = height - top - bottom;
  const marks = values.map((value, m) => drawn("rect", { x: left + m * step + 1, width: step - 2, class: "bar",
    y: height - bottom - (value / highest) * full, height: (value / highest) * full }));
  const labels = [1, 4, 7, 10, 12].map((m) => chartText(left + (m - 0.5) * step, height - 3, String(m), "middle"));
  const best = values.indexOf(highest) + 1;
  const spoken = filled(data.labels["popup.month_aria"], { month: best, value: number(highest, digitsFor(highest)) });
  return chartFrame("popup.months", "MWh", highest, spoken, ...marks, ...labels);
}

/* Mean output by hour, each hour drawn at its middle. ``values`` in MW. */
function dayChart(values) {
  const { width, height, left, right, top, bottom } = CHART;
  const highest = Math.max(...values, 1e-9);
  const x = (hour) => left + (hour / 24) * (width - left - right);
  const y = (value) => height - bottom - (value / highest) * (height - top - bottom);
  const line = values.map((value, hour) => `${x(hour + 0.5).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const base = height - bottom;
  const marks = [drawn("polygon", { points: `${x(0.5)},${base} ${line} ${x(23.5)},${base}`, class: "under" }),
    drawn("polyline", { points: line, class: "curve" })];
  const labels = [0, 6, 12, 18, 24].map((hour) =>
    chartText(x(hour), height - 3, String(hour), hour === 0 ? "start" : hour === 24 ? "end" : "middle"));
  const best = values.indexOf(Math.max(...values));
  const spoken = filled(data.labels["popup.day_aria"], { hour: best, value: number(highest, digitsFor(highest)) });
  return chartFrame("popup.day", "MW", highest, spoken, ...marks, ...labels);
}

/* From what is built to what the network takes: one bar a step, all on one scale. */
function reasonWaterfall(steps) {
  const known = steps.filter(([, value]) => isKnown(value));
  const full = Math.max(...known.map(([, value]) => value), 1e-9);
  const list = node("ol", "steps");
  for (const [key, value, kind] of known) {
    const bar = node("i", `step ${kind}`);
    bar.style.width = `${Math.max(0.5, (100 * value) / full)}%`;
    list.append(node("li", "", node("span", "what", label(key)), node("span", "track", bar), node("b", "", number(value, 1))));
  }
  return node("section", "waterfall", node("h4", "", label("popup.steps")), list);
}

// What the Noise tab draws over its map, and its two charts: the cloud of gradients, the spread of the runs.

import { box, frame, powers, upright } from "./chart.js";
import { fit, ink, palette, short, ticks } from "./dom.js";
import { dashColor, FAR, startMark, stroke } from "./map.js";
import { arrow, marker } from "./marks.js";

export const CLASSES = ["#CC79A7", "#009E73"]; // of samples labelled 0 and 1
const SIGMAS = 2; // ellipses are drawn at two standard deviations
const TURN = Array.from({ length: 61 }, (_, k) => [Math.cos((2 * Math.PI * k) / 60), Math.sin((2 * Math.PI * k) / 60)]);

// An ellipse about (x, y): axes (2, 2) at `first` of an array, times the unit circle.
function ellipse(context, place, [x, y], axes, first, { color, width, dash = [] }) {
  const [a, b, c, d] = axes.slice(first, first + 4);
  if (![x, y, a, b, c, d].every(Number.isFinite)) return;
  context.beginPath();
  for (const [p, q] of TURN) context.lineTo(...place(x + SIGMAS * (a * p + b * q), y + SIGMAS * (c * p + d * q)));
  context.setLineDash(dash);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
  context.setLineDash([]);
}

// The three paths up to step t with all that is shown beside them. Returns where the markers were drawn, in w and b.
export function drawRuns(canvas, view, { race, bundle, cloud, state, t, looks }) {
  const context = fit(canvas, view.width, view.height);
  const theme = palette();
  const k = Math.min(Math.floor(t), race.steps);
  context.save();
  context.beginPath();
  context.rect(view.left, view.top, view.right - view.left, view.bottom - view.top);
  context.clip();
  context.lineJoin = "round";
  const color = ink(looks[state.focus === "sgd" ? "sgd" : "minibatch"].color);
  if (bundle && state.show.seeds) many(context, view, bundle, k, color);
  const shown = race.methods.filter((name) => state.methods[name].shown);
  const points = (name) => (step) => [view.px(race.at(name, "x", step)), view.py(race.at(name, "y", step))];
  for (const name of shown) stroke(context, points(name), k, race.steps, { color: ink(looks[name].color), width: 1.2, alpha: 0.22, dash: [] });
  for (const name of shown) {
    stroke(context, points(name), 0, k, { color: theme.halo, width: 4, alpha: 0.8, dash: [] });
    stroke(context, points(name), 0, k, { color: ink(looks[name].color), width: 2, alpha: 1, dash: [] });
  }
  if (bundle && state.show.spread) spread(context, view, bundle, race, k, color, theme);
  if (cloud && state.show.samples) pulls(context, view, cloud, theme);
  const drawn = {};
  for (const name of shown) {
    const [x, y] = race.between(name, t);
    if (!(Math.abs(view.px(x)) < FAR && Math.abs(view.py(y)) < FAR)) continue;
    marker(context, looks[name].marker, view.px(x), view.py(y), 5.6, ink(looks[name].color), dashColor(theme));
    drawn[name] = [x, y];
  }
  context.restore();
  startMark(context, view, state.start);
  return drawn;
}

const LINES = 24; // of the runs, as faint lines; all of them as dots

function many(context, view, { runs }, k, color) {
  const [seeds, length] = runs.shape;
  for (let s = 0; s < Math.min(seeds, LINES); s++) {
    const at = (step) => { const i = 2 * (s * length + step); return [view.px(runs.data[i]), view.py(runs.data[i + 1])]; };
    stroke(context, at, 0, k, { color, width: 1, alpha: 0.13, dash: [] });
  }
}

function spread(context, view, { runs, centre, measured, theory }, race, k, color, theme) {
  const [seeds, length] = runs.shape;
  const place = (x, y) => [view.px(x), view.py(y)];
  const here = Float32Array.from({ length: 2 * seeds }, (_, i) => runs.data[2 * ((i >> 1) * length + k) + (i % 2)]);
  dots(context, { data: here, shape: [seeds] }, place, { size: 2.1, color, alpha: 0.75 });
  const middle = [centre.data[2 * k], centre.data[2 * k + 1]];
  const line = { color, width: 1.6 };
  for (const look of [{ color: theme.halo, width: 4 }, line]) ellipse(context, place, middle, measured.data, 4 * k, look);
  const descent = [race.at("gd", "x", k), race.at("gd", "y", k)];
  for (const look of [{ color: theme.halo, width: 4 }, { color: theme.ink, width: 1.6, dash: [5, 4] }]) ellipse(context, place, descent, theory.data, 4 * k, look);
}

// The samples' downhill arrows from the point, the longest a quarter of the map, and the full one.
function pulls(context, view, { header: { at }, arrays: { each, label, full } }, theme) {
  const [x, y] = [view.px(at[0]), view.py(at[1])];
  if (!(Math.abs(x) < FAR && Math.abs(y) < FAR)) return;
  const sizes = Array.from({ length: each.shape[0] }, (_, i) => Math.hypot(each.data[2 * i], each.data[2 * i + 1]));
  const scale = (view.right - view.left) / 4 / (Math.max(...sizes) || 1);
  const tip = (a, b) => [-a * scale, b * scale];
  context.globalAlpha = 0.45;
  context.lineWidth = 1;
  CLASSES.forEach((paint, kind) => {
    context.beginPath();
    sizes.forEach((_, i) => {
      if (label.data[i] !== kind) return;
      const [dx, dy] = tip(each.data[2 * i], each.data[2 * i + 1]);
      context.moveTo(x, y);
      context.lineTo(x + dx, y + dy);
    });
    context.strokeStyle = ink(paint);
    context.stroke();
  });
  context.globalAlpha = 1;
  arrow(context, x, y, ...tip(full.data[0], full.data[1]), theme.ink, theme.halo);
}

// Points (n, 2) as dots of one colour, in one go: many fills are slow.
function dots(context, { data, shape: [n] }, place, { size, color, alpha }, which = () => true) {
  context.beginPath();
  for (let i = 0; i < n; i++) {
    if (!which(i)) continue;
    const [x, y] = place(data[2 * i], data[2 * i + 1]);
    if (!(Math.abs(x) < FAR && Math.abs(y) < FAR)) continue;
    context.moveTo(x + size, y);
    context.arc(x, y, size, 0, 2 * Math.PI);
  }
  context.globalAlpha = alpha;
  context.fillStyle = color;
  context.fill();
  context.globalAlpha = 1;
}

// Gradients in their own plane, both axes on one scale.
export function drawCloud(canvas, { arrays: { each, label, full, means, axes } }, color) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const context = fit(canvas, width, height);
  const theme = palette();
  const inside = { left: 44, right: width - 8, top: 8, bottom: height - 30 };
  const range = (offset) => {
    const values = [0, ...each.data.filter((_, i) => i % 2 === offset)];
    return [Math.min(...values), Math.max(...values)];
  };
  const [[x0, x1], [y0, y1]] = [range(0), range(1)];
  const unit = Math.max((x1 - x0) / (inside.right - inside.left), (y1 - y0) / (inside.bottom - inside.top), 1e-12) * 1.1; // gradient a pixel
  const [cx, cy] = [(inside.left + inside.right) / 2, (inside.top + inside.bottom) / 2];
  const place = (x, y) => [cx + (x - (x0 + x1) / 2) / unit, cy - (y - (y0 + y1) / 2) / unit];
  const [left, right] = [(inside.left - cx) * unit + (x0 + x1) / 2, (inside.right - cx) * unit + (x0 + x1) / 2];
  const [low, high] = [(cy - inside.bottom) * unit + (y0 + y1) / 2, (cy - inside.top) * unit + (y0 + y1) / 2];
  frame(context, inside, theme, {
    x: ticks(left, right, 4).map((v) => [place(v, 0)[0], short(v)]), y: ticks(low, high, 4).map((v) => [place(0, v)[1], short(v)]), name: "∂L/∂w across, ∂L/∂b up",
  });
  CLASSES.forEach((paint, k) => dots(context, each, place, { size: 2.2, color: ink(paint), alpha: 0.7 }, (i) => label.data[i] === k));
  dots(context, means, place, { size: 1.3, color, alpha: 0.6 });
  const mean = [full.data[0], full.data[1]];
  for (const look of [{ color: theme.halo, width: 4 }, { color: theme.ink, width: 1.6, dash: [5, 4] }]) ellipse(context, place, mean, axes.data, 0, look);
  const [ox, oy] = place(0, 0);
  const [gx, gy] = place(...mean);
  marker(context, "o", ox, oy, 2.4, theme.soft, theme.card);
  arrow(context, ox, oy, gx - ox, gy - oy, theme.ink, theme.halo);
  canvas.dataset.drawn = JSON.stringify({ full: mean, samples: each.shape[0], means: means.shape[0] });
}

// Root mean square distance of the runs from their mean against the step, measured and by theory.
export function drawRadius(canvas, { radius, steps, end }, t, color) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const context = fit(canvas, width, height);
  const theme = palette();
  const inside = box(width, height);
  const { left, right, top, bottom } = inside;
  const log = (i, k) => Math.log10(radius.data[i * (steps + 1) + k]);
  const [found, said] = [0, 1].map((i) => Array.from({ length: steps }, (_, k) => log(i, k + 1)).filter(Number.isFinite));
  const most = Math.max(...found) + 0.7; // theory may leave the picture, where it says that nothing comes to rest
  const seen = [...found, ...said, ...(end ? [Math.log10(end)] : [])].map((v) => Math.min(v, most));
  let [low, high] = [Math.min(...seen), Math.max(...seen)];
  if (!(low < high)) [low, high] = [(low || 0) - 1, (low || 0) + 1];
  [low, high] = [Math.max(low, high - 6) - 0.05, high + 0.08];
  const [px, py] = [(k) => left + (k / steps) * (right - left), (v) => bottom - ((v - low) / (high - low)) * (bottom - top)];
  frame(context, inside, theme, {
    x: ticks(0, steps, width < 360 ? 4 : 5).filter(Number.isInteger).map((k) => [px(k), short(k, 5)]), y: powers(low, high).map(([p, text]) => [py(p), text]), name: "step",
  });
  context.save();
  context.beginPath();
  context.rect(left, top, right - left + 2, bottom - top);
  context.clip();
  const line = (i, look) => stroke(context, (k) => [px(k), py(log(i, k))], 1, steps, { alpha: 1, ...look });
  line(0, { color, width: 1.8, dash: [] });
  line(1, { color: theme.ink, width: 1.6, dash: [5, 4] });
  context.restore();
  upright(context, px(t), inside, theme);
}

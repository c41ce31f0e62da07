// Loss against step for every method, with the current step; pressing it scrubs. And the heat map of learning rate and momentum.

import { blend, CIVIDIS, fit, ink, palette, short, ticks } from "./dom.js";
import { dashes, marker } from "./marks.js";

export const box = (width, height) => ({ left: 52, right: width - 10, top: 10, bottom: height - 30 });

export const stepAt = (canvas, px, steps) => {
  const { left, right } = box(canvas.clientWidth, canvas.clientHeight);
  return Math.round(Math.min(Math.max((px - left) / (right - left), 0), 1) * steps);
};

// work: against this column of the paths in place of the step, in the logarithm, each method with its own place.
export function drawLosses(canvas, race, state, surface, t, looks, work = null) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const context = fit(canvas, width, height);
  const theme = palette();
  const { left, right, top, bottom } = box(width, height);
  const log = surface.lowest !== null;
  const column = log ? "above" : "loss";
  const shown = race.methods.filter((name) => state.methods[name]?.shown !== false);
  const squeezed = (name, k) => (log ? Math.log10(Math.max(race.at(name, column, k), 1e-12)) : race.at(name, column, k));
  let [low, high] = [Infinity, -Infinity];
  const first = race.methods[0] ? squeezed(race.methods[0], 0) : 0;
  const cap = log ? Math.max(first, -2) + 3 : first + 2 * Math.abs(surface.high - surface.low);
  const floor = log ? -12 : Math.min(surface.low, first) - 0.5 * Math.abs(surface.high - surface.low);
  for (const name of shown)
    for (let k = 0; k <= race.steps; k++) {
      const value = squeezed(name, k);
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, Math.max(value, floor));
      high = Math.max(high, Math.min(value, cap));
    }
  if (!(low < high)) [low, high] = [(Number.isFinite(low) ? low : 0) - 1, (Number.isFinite(low) ? low : 0) + 1];
  const most = work ? Math.log10(Math.max(...shown.map((name) => race.at(name, work, race.steps)), 10)) : race.steps;
  const across = (name, k) => (work ? Math.log10(Math.max(race.at(name, work, k), 1)) : k);
  const [px, py] = [(k) => left + (k / most) * (right - left), (v) => bottom - ((v - low) / (high - low)) * (bottom - top)];
  frame(context, { left, right, top, bottom }, theme, {
    x: work ? powers(0, most).map(([p, text]) => [px(p), text]) : ticks(0, race.steps, width < 360 ? 4 : 5).filter(Number.isInteger).map((k) => [px(k), short(k, 5)]),
    y: log ? powers(low, high).map(([p, text]) => [py(p), text]) : ticks(low, high, 4).map((v) => [py(v), short(v)]),
    name: work ? `${work} seen` : "step",
  });
  context.save();
  context.beginPath();
  context.rect(left, top - 2, right - left + 2, bottom - top + 4);
  context.clip();
  for (const name of shown) {
    context.beginPath();
    let drawing = false;
    for (let k = 0; k <= race.steps; k++) {
      const value = squeezed(name, k);
      if (!Number.isFinite(value)) drawing = false;
      else if (drawing) context.lineTo(px(across(name, k)), py(Math.min(value, high + 1)));
      else {
        context.moveTo(px(across(name, k)), py(Math.min(value, high + 1)));
        drawing = true;
      }
    }
    context.strokeStyle = ink(looks[name].color);
    context.lineWidth = 1.8;
    context.lineJoin = "round";
    context.setLineDash(dashes(looks[name]));
    context.stroke();
  }
  context.setLineDash([]);
  if (work) for (const name of shown) place(context, looks[name], px(across(name, Math.floor(t))), py(squeezed(name, Math.floor(t))), theme);
  else upright(context, px(t), { top, bottom }, theme);
  context.restore();
}

function place(context, look, x, y, theme) {
  if (Number.isFinite(y)) marker(context, look.marker, x, y, 4.6, ink(look.color), theme.card);
}

// The line that stands at the current step.
export function upright(context, x, { top, bottom }, theme) {
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, bottom);
  context.strokeStyle = theme.ink;
  context.lineWidth = 1.2;
  context.stroke();
}

export const superscript = (p) => [...String(p)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("");
// Where a logarithmic axis is marked, and with what.
export function powers(low, high) {
  const every = Math.max(Math.ceil((high - low) / 5), 1);
  const whole = Array.from({ length: 60 }, (_, k) => k - 30);
  const tens = whole.filter((p) => p >= low && p <= high && p % every === 0);
  if (tens.length > 1) return tens.map((p) => [p, `10${superscript(p)}`]);
  const between = whole.flatMap((p) => [1, 2, 5].map((n) => n * 10 ** p)).filter((v) => Math.log10(v) >= low && Math.log10(v) <= high);
  return (between.length > 1 ? between : ticks(10 ** low, 10 ** high, 3)).map((v) => [Math.log10(v), short(v)]);
}

export function frame(context, { left, right, top, bottom }, theme, { x, y, name }) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = theme.soft;
  context.strokeStyle = theme.edge;
  context.lineWidth = 1;
  context.textAlign = "right";
  for (const [at, text] of y) {
    context.beginPath();
    context.moveTo(left, at);
    context.lineTo(right, at);
    context.stroke();
    context.fillText(text, left - 6, at + 4);
  }
  context.textAlign = "center";
  for (const [at, text] of x) context.fillText(text, Math.min(at, right - 6), bottom + 15);
  context.textAlign = "left";
  context.fillText(name, left, bottom + 27);
}

const heatBox = (canvas) => ({ ...box(canvas.clientWidth, canvas.clientHeight), left: 44, bottom: canvas.clientHeight - 34 });

// The pair of numbers under a pointer.
export function heatAt(canvas, heat, x, y) {
  const { left, right, top, bottom } = heatBox(canvas);
  const [n, m] = [heat.rates.data.length, heat.values.data.length];
  const inside = (k, most) => Math.min(Math.max(Math.floor(k), 0), most - 1);
  return [heat.rates.data[inside(((x - left) / (right - left)) * n, n)], heat.values.data[inside(((bottom - y) / (bottom - top)) * m, m)]];
}

export function drawHeat(canvas, heat, chosen) {
  const context = fit(canvas, canvas.clientWidth, canvas.clientHeight);
  const theme = palette();
  const { left, right, top, bottom } = heatBox(canvas);
  const [n, m] = [heat.rates.data.length, heat.values.data.length];
  const [w, t] = [(right - left) / n, (bottom - top) / m];
  for (let j = 0; j < m; j++)
    for (let i = 0; i < n; i++) {
      const shade = heat.shade.data[j * n + i];
      context.fillStyle = Number.isNaN(shade) ? "#111214" : `rgb(${blend(CIVIDIS, 1 - shade).map(Math.round)})`;
      context.fillRect(left + i * w, bottom - (j + 1) * t, w + 0.6, t + 0.6);
    }
  const [low, high] = [Math.log10(heat.rates.data[0]), Math.log10(heat.rates.data[n - 1])];
  const px = (rate) => left + ((Math.log10(rate) - low) / (high - low)) * (right - left);
  const top_ = heat.values.data[m - 1];
  const py = (value) => bottom - (value / top_) * (bottom - top);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = theme.soft;
  context.textAlign = "center";
  for (let p = Math.ceil(low); p <= high; p += 2) context.fillText(`10${superscript(p)}`, Math.min(px(10 ** p), right - 8), bottom + 14);
  context.textAlign = "right";
  for (const value of [0, 0.25, 0.5, 0.75]) context.fillText(short(value), left - 6, py(value) + 4);
  context.textAlign = "left";
  context.fillText("learning rate", left, bottom + 28);
  const [x, y] = [px(chosen.rate), py(chosen.value)];
  if (x >= left && x <= right) {
    for (const [radius, color, width] of [[6.5, "#111214", 3.4], [6.5, "#ffffff", 1.8]]) {
      context.beginPath();
      context.arc(x, Math.min(Math.max(y, top + 2), bottom - 2), radius, 0, 2 * Math.PI);
      context.strokeStyle = color;
      context.lineWidth = width;
      context.stroke();
    }
  }
}


// The surface from above: shades, contours, basins and axes on one canvas, paths and arrows on another over it.

import { blend, CIVIDIS, fit, ink, palette, short, ticks } from "./dom.js";
import { contour, levels } from "./contours.js";
import { arrow, dashes, marker } from "./marks.js";

const START = "#F0E442";
const hex = (color) => [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));

export class View {
  // Where the domain lies on the canvas.
  constructor(surface, width, height) {
    this.surface = surface;
    [this.width, this.height] = [width, height];
    const left = width < 480 ? 30 : 40;
    Object.assign(this, { left, top: 10, right: width - 12, bottom: height - 26 });
  }
  px = (x) => this.left + ((x - this.surface.x[0]) / (this.surface.x[1] - this.surface.x[0])) * (this.right - this.left);
  py = (y) => this.bottom - ((y - this.surface.y[0]) / (this.surface.y[1] - this.surface.y[0])) * (this.bottom - this.top);
  // A direction in x and y as one on the canvas, so long.
  along = ([dx, dy], length) => {
    const [a, b] = [dx * (this.px(1) - this.px(0)), dy * (this.py(1) - this.py(0))];
    const size = Math.hypot(a, b) || 1;
    return [(a / size) * length, (b / size) * length];
  };
  back = (px, py) => [
    this.surface.x[0] + ((px - this.left) / (this.right - this.left)) * (this.surface.x[1] - this.surface.x[0]),
    this.surface.y[0] + ((this.bottom - py) / (this.bottom - this.top)) * (this.surface.y[1] - this.surface.y[0]),
  ];
}

function pixels(nx, ny, color) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [nx, ny];
  const context = canvas.getContext("2d");
  const image = context.createImageData(nx, ny);
  for (let j = 0; j < ny; j++)
    for (let i = 0; i < nx; i++) {
      const [r, g, b] = color(j * nx + i);
      image.data.set([r, g, b, 255], 4 * ((ny - 1 - j) * nx + i));
    }
  context.putImageData(image, 0, 0);
  return canvas;
}

function shades(surface) {
  const { data, shape: [ny, nx] } = surface.heights;
  const span = surface.high - surface.low || 1;
  const stops = palette().ground;
  return pixels(nx, ny, (k) => (Number.isFinite(data[k]) ? blend(stops, (data[k] - surface.low) / span) : hex(palette().edge)));
}

// Colours of the basins: one a minimum, or by depth where they are many; grey where none is reached.
export function basinColor(label, count, colors) {
  if (label < 0) return label < -1 ? [20, 20, 22] : hex(palette().edge);
  return count <= colors.length ? hex(colors[label]) : blend(CIVIDIS, label / (count - 1));
}

export function drawGround(canvas, view, surface, basins, colors) {
  const context = fit(canvas, view.width, view.height);
  const theme = palette();
  const box = [view.left, view.top, view.right - view.left, view.bottom - view.top];
  context.save();
  context.beginPath();
  context.roundRect(...box, 6);
  context.clip();
  context.imageSmoothingQuality = "high";
  context.drawImage(shades(surface), ...box);
  if (basins) {
    const { data, shape: [ny, nx] } = basins.label;
    const count = surface.minima.shape[0];
    context.globalAlpha = 0.5;
    context.imageSmoothingEnabled = false;
    context.drawImage(pixels(nx, ny, (k) => basinColor(data[k], count, colors)), ...box);
    context.globalAlpha = 1;
  }
  contours(context, view, surface, theme);
  minima(context, view, surface);
  context.restore();
  axes(context, view, surface, theme);
}

function contours(context, view, surface, theme) {
  const { data, shape: [ny, nx] } = surface.heights;
  const [sx, sy] = [(view.right - view.left) / (nx - 1), (view.bottom - view.top) / (ny - 1)];
  context.beginPath();
  for (const level of levels(surface.low, surface.high, 20))
    contour(data, nx, ny, level, (x0, y0, x1, y1) => {
      context.moveTo(view.left + x0 * sx, view.bottom - y0 * sy);
      context.lineTo(view.left + x1 * sx, view.bottom - y1 * sy);
    });
  context.lineWidth = 0.9;
  context.strokeStyle = theme.line;
  context.stroke();
}

function minima(context, view, surface) {
  const { data, shape: [n] } = surface.minima;
  for (let k = 0; k < n; k++) {
    const [x, y] = [view.px(data[2 * k]), view.py(data[2 * k + 1])];
    if (n > 12) marker(context, "o", x, y, 1.6, palette().soft, palette().soft);
    else marker(context, "*", x, y, 6, "#ffffff", "#23262b");
  }
}

function axes(context, view, surface, theme) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = theme.soft;
  const n = view.width < 480 ? 4 : 6;
  context.textAlign = "center";
  for (const x of ticks(...surface.x, n)) if (view.px(x) < view.right - 16) context.fillText(short(x), view.px(x), view.bottom + 16);
  context.textAlign = "right";
  for (const y of ticks(...surface.y, n)) if (view.py(y) > view.top + 18) context.fillText(short(y), view.left - 6, view.py(y) + 4);
  context.font = "italic 13px Georgia, serif";
  context.fillStyle = theme.ink;
  const names = surface.names ?? { x: "x", y: "y" };
  context.fillText(names.x, view.right, view.bottom + 17);
  context.fillText(names.y, view.left - 8, view.top + 10);
}

export const FAR = 1e5; // pixels: farther off nothing is drawn

// The paths up to step t, faint beyond it; `race` has at(method, column, step). Returns where the markers were drawn, in x and y.
export function drawPaths(canvas, view, race, state, t, looks) {
  const context = fit(canvas, view.width, view.height);
  const theme = palette();
  context.save();
  context.beginPath();
  context.rect(view.left, view.top, view.right - view.left, view.bottom - view.top);
  context.clip();
  context.lineJoin = "round";
  const shown = race.methods.filter((name) => state.methods[name]?.shown !== false);
  const points = (name) => (k) => [view.px(race.at(name, "x", k)), view.py(race.at(name, "y", k))];
  for (const name of shown) {
    const color = ink(looks[name].color);
    stroke(context, points(name), Math.floor(t), race.steps, { color, width: 1.4, alpha: 0.28, dash: dashes(looks[name]) });
  }
  for (const name of shown) {
    const color = ink(looks[name].color);
    stroke(context, points(name), 0, Math.floor(t), { color: theme.halo, width: 4.6, alpha: 1, dash: [] });
    stroke(context, points(name), 0, Math.floor(t), { color, width: 2.2, alpha: 1, dash: dashes(looks[name]) });
  }
  if (state.optax && race.optax) twins(context, view, race, shown);
  for (const name of shown) extras(context, view, race, state, name, t, ink(looks[name].color), theme);
  const drawn = {};
  for (const name of shown) {
    const [x, y] = race.between(name, t);
    if (!(Math.abs(view.px(x)) < FAR && Math.abs(view.py(y)) < FAR)) continue;
    marker(context, looks[name].marker, view.px(x), view.py(y), 5.6, ink(looks[name].color), dashColor(theme));
    drawn[name] = view.back(view.px(x), view.py(y));
  }
  context.restore();
  startMark(context, view, state.start);
  return drawn;
}

export function startMark(context, view, [x, y]) {
  marker(context, "o", view.px(x), view.py(y), 8, START, "#23262b");
  marker(context, "o", view.px(x), view.py(y), 2, "#23262b", "#23262b");
}

export const dashColor = (theme) => (theme.card === "#ffffff" ? "#ffffff" : "#101216");

export function stroke(context, point, from, to, { color, width, alpha, dash }) {
  context.beginPath();
  let drawing = false;
  let [lastX, lastY] = [0, 0];
  for (let k = from; k <= to; k++) {
    const [x, y] = point(k);
    if (!(Math.abs(x) < FAR && Math.abs(y) < FAR)) {
      drawing = false;
      continue;
    }
    if (drawing && k < to && Math.abs(x - lastX) + Math.abs(y - lastY) < 0.7) continue; // no eye tells these points apart
    if (drawing) context.lineTo(x, y);
    else context.moveTo(x, y);
    [lastX, lastY, drawing] = [x, y, true];
  }
  context.globalAlpha = alpha;
  context.strokeStyle = color;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function twins(context, view, race, shown) {
  const every = Math.max(Math.round(race.steps / 25), 1);
  for (const name of shown)
    for (let k = 0; k <= race.steps; k += every) {
      const [x, y] = race.twin(name, k);
      if (Number.isFinite(x)) marker(context, "o", view.px(x), view.py(y), 1.7, "#ffffff", "#23262b");
    }
}

// Arrows and squares at the step's place; their sizes go by the square root, longest on the path = one seventh of the map.
function extras(context, view, race, state, name, t, color, theme) {
  const k = Math.min(Math.floor(t), race.steps);
  const [x, y] = [view.px(race.at(name, "x", k)), view.py(race.at(name, "y", k))];
  if (!(Math.abs(x) < FAR && Math.abs(y) < FAR)) return;
  const most = (view.right - view.left) / 7;
  const pointing = (columns, sign, paint, hollow) => {
    const pair = columns.map((column) => sign * race.at(name, column, k));
    const size = Math.hypot(...pair);
    const largest = race.largest(name, columns);
    if (!(size > 0 && largest > 0) || !Number.isFinite(size)) return;
    const length = most * Math.sqrt(Math.min(size / largest, 1));
    arrow(context, x, y, ...view.along(pair, length), paint, theme.halo, hollow);
  };
  if (state.show.squares && Number.isFinite(race.at(name, "vx", k))) {
    const largest = race.largest(name, ["vx", "vy"], Math.max);
    const [a, b] = ["vx", "vy"].map((column) => (most * Math.sqrt(Math.max(race.at(name, column, k), 0) / largest)) || 0);
    context.globalAlpha = 0.16;
    context.fillStyle = color;
    context.fillRect(x - a / 2, y - b / 2, a, b);
    context.globalAlpha = 0.9;
    context.strokeStyle = color;
    context.lineWidth = 1.2;
    context.strokeRect(x - a / 2, y - b / 2, a, b);
    context.globalAlpha = 1;
  }
  if (state.show.gradient) pointing(["gx", "gy"], -1, theme.soft, false);
  if (state.show.velocity) pointing(["mx", "my"], name === "momentum" ? 1 : -1, color, true);
  if (state.show.step) pointing(["ux", "uy"], 1, color, false);
}

// One state of an update, at the place of its method: an arrow, a square or the point that it leads to.
export function drawState(canvas, view, race, name, state, values, t, look) {
  const context = canvas.getContext("2d");
  const k = Math.min(Math.floor(t), race.steps);
  const [x, y] = [view.px(race.at(name, "x", k)), view.py(race.at(name, "y", k))];
  const value = (step) => [values[state.result].data[2 * step], values[state.result].data[2 * step + 1]];
  const [a, b] = value(k);
  if (![x, y, a, b].every(Number.isFinite)) return;
  const color = ink(look.color);
  const theme = palette();
  const most = (view.right - view.left) / 5;
  if (state.drawn === "point") {
    context.globalAlpha = 0.55;
    marker(context, look.marker, view.px(a), view.py(b), 7.5, color, theme.ink);
    context.globalAlpha = 1;
    return;
  }
  let largest = 0;
  for (let step = 0; step <= race.steps; step++) {
    const size = Math.hypot(...value(step));
    if (size > largest && Number.isFinite(size)) largest = size;
  }
  if (!largest) return;
  if (state.drawn === "square") {
    const [p, q] = [a, b].map((side) => most * Math.sqrt(Math.max(side, 0) / largest));
    context.fillStyle = color;
    context.globalAlpha = 0.25;
    context.fillRect(x - p / 2, y - q / 2, p, q);
    context.globalAlpha = 1;
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.strokeRect(x - p / 2, y - q / 2, p, q);
    return;
  }
  const size = Math.hypot(a, b);
  const length = most * Math.sqrt(size / largest);
  if (size > 0) arrow(context, x, y, ...view.along([a, b], length), color, theme.halo, state.result.startsWith("m"));
}

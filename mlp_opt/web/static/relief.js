// The surface in relief: a mesh painted from the farthest cell to the nearest, each with the pieces of path that lie on it.

import { blend, fit, ink, palette, short } from "./dom.js";
import { dashes, marker } from "./marks.js";

const CELLS = 52;
const TALL = 0.62; // height of the box, in widths

// A canvas that turns the relief while it is dragged; get and set: [turn, tilt].
export function turnable(canvas, get, set) {
  const by = (x, y) => {
    const [turn, tilt] = get();
    set([turn + x * 0.01, Math.min(Math.max(tilt + y * 0.007, 0.15), 1.45)]);
  };
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) by(event.movementX, event.movementY); });
}

export class Relief {
  constructor(surface, width, height, [turn, tilt]) {
    Object.assign(this, { surface, width, height });
    [this.cos, this.sin] = [Math.cos(turn), Math.sin(turn)];
    [this.up, this.flat] = [Math.sin(tilt), Math.cos(tilt)];
    this.scale = Math.min(width / 1.42, height / (TALL * this.flat + 1.42 * this.up + 0.12));
    const { data, shape: [ny, nx] } = surface.heights;
    const span = surface.high - surface.low || 1;
    this.height01 = (t) => (t - surface.low) / span;
    this.n = CELLS;
    this.z = new Float32Array((CELLS + 1) ** 2);
    for (let j = 0; j <= CELLS; j++)
      for (let i = 0; i <= CELLS; i++)
        this.z[j * (CELLS + 1) + i] = this.height01(between(data, nx, ny, (i * (nx - 1)) / CELLS, (j * (ny - 1)) / CELLS));
  }

  // u, v, z from 0 to 1 -> pixels, and how far back.
  project(u, v, z) {
    const [a, b] = [u - 0.5, v - 0.5];
    const right = a * this.cos - b * this.sin;
    const deep = a * this.sin + b * this.cos;
    const drop = deep * this.up + (z - 0.45) * TALL * this.flat;
    return [this.width / 2 + right * this.scale, this.height / 2 - drop * this.scale, deep];
  }

  u = (x) => (x - this.surface.x[0]) / (this.surface.x[1] - this.surface.x[0]);
  v = (y) => (y - this.surface.y[0]) / (this.surface.y[1] - this.surface.y[0]);

  draw(canvas, race, state, t, looks) {
    const context = fit(canvas, this.width, this.height);
    const theme = palette();
    this.#floor(context, theme);
    const order = this.#order();
    const pieces = this.#pieces(race, state, t, looks, order.place);
    context.lineJoin = "round";
    for (const cell of order.cells) {
      this.#cell(context, cell, theme);
      for (const piece of pieces.get(cell) ?? []) this.#piece(context, piece, theme);
    }
    this.#ends(context, race, state, t, looks, theme);
  }

  // The outline of the domain below the surface, with its corners' numbers.
  #floor(context, theme) {
    const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([u, v]) => this.project(u, v, -0.04));
    context.beginPath();
    corners.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.setLineDash([]);
    context.lineWidth = 1;
    context.strokeStyle = theme.edge;
    context.stroke();
    context.textAlign = "center";
    context.textBaseline = "middle";
    const names = this.surface.names ?? { x: "x", y: "y" };
    for (const [axis, [u, v]] of [["x", [0.5, this.cos > 0 ? -0.07 : 1.07]], ["y", [this.sin > 0 ? -0.07 : 1.07, 0.5]]]) {
      const [low, high] = this.surface[axis];
      for (const [share, text] of [[0.04, short(low)], [0.5, names[axis]], [0.96, short(high)]]) {
        const [x, y] = this.project(...(axis === "x" ? [share, v] : [u, share]), -0.04);
        context.font = share === 0.5 ? "italic 14px Georgia, serif" : "11px system-ui, sans-serif";
        context.fillStyle = share === 0.5 ? theme.ink : theme.soft;
        context.fillText(text, x, y);
      }
    }
    context.textBaseline = "alphabetic";
  }

  // Cells from the back to the front, and for each the nearer neighbour whose turn a path waits for.
  #order() {
    const n = this.n;
    const cells = Array.from({ length: n * n }, (_, k) => k);
    const deep = (k) => ((k % n) - n / 2) * this.sin + (Math.floor(k / n) - n / 2) * this.cos;
    cells.sort((a, b) => deep(b) - deep(a));
    const [di, dj] = [this.sin > 0 ? -1 : 1, this.cos > 0 ? -1 : 1];
    const inside = (k) => Math.min(Math.max(k, 0), n - 1);
    return { cells, place: (u, v) => inside(Math.floor(v * n) + dj) * n + inside(Math.floor(u * n) + di) };
  }

  #pieces(race, state, t, looks, place) {
    const pieces = new Map();
    for (const name of race.methods) {
      if (state.methods[name]?.shown === false) continue;
      const color = ink(looks[name].color);
      let before = null;
      for (let k = 0; k <= race.steps; k++) {
        const [u, v, z] = [this.u(race.at(name, "x", k)), this.v(race.at(name, "y", k)), this.height01(race.at(name, "height", k))];
        const here = u >= 0 && u <= 1 && v >= 0 && v <= 1 && z <= 1.02 ? [u, v, z + 0.012] : null;
        const look = { color, faint: k > t, dash: dashes(looks[name]).length > 0 };
        if (here && before) this.#split(before, here, look, pieces, place);
        before = here;
      }
    }
    return pieces;
  }

  // A step in pieces no longer than a cell, laid on the surface: a long chord would hide below it.
  #split(from, to, look, pieces, place) {
    const n = Math.max(Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) * this.n), 1);
    let here = from;
    for (let k = 1; k <= n; k++) {
      const [u, v] = [0, 1].map((i) => from[i] + ((to[i] - from[i]) * k) / n);
      const next = k === n ? to : [u, v, this.#mesh(u, v) + 0.012];
      const cell = place((u + here[0]) / 2, (v + here[1]) / 2);
      if (!pieces.has(cell)) pieces.set(cell, []);
      this.count = (this.count ?? 0) + 1;
      pieces.get(cell).push({ ...look, from: here, to: next, dash: look.dash && this.count % 4 > 1 });
      here = next;
    }
  }

  // The mesh's height between its corners.
  #mesh(u, v) {
    const [a, b] = [u, v].map((share) => Math.min(share * this.n, this.n - 1e-6));
    const [i, j] = [Math.floor(a), Math.floor(b)];
    const z = (p, q) => this.z[(j + q) * (this.n + 1) + i + p];
    return (1 - (b - j)) * ((1 - (a - i)) * z(0, 0) + (a - i) * z(1, 0)) + (b - j) * ((1 - (a - i)) * z(0, 1) + (a - i) * z(1, 1));
  }

  #cell(context, cell, theme) {
    const n = this.n;
    const [i, j] = [cell % n, Math.floor(cell / n)];
    const corner = (a, b) => this.z[(j + b) * (n + 1) + i + a];
    const heights = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)];
    if (!heights.every(Number.isFinite)) return;
    const mean = heights.reduce((a, b) => a + b) / 4;
    const slope = ((heights[0] + heights[3] - heights[1] - heights[2]) * 0.6 + (heights[2] + heights[3] - heights[0] - heights[1]) * 0.4) * n * TALL;
    const light = 0.93 + 0.2 * Math.tanh(0.5 * slope); // from the west and a little from the north
    const [r, g, b] = blend(theme.ground, theme.relief[0] + theme.relief[1] * mean).map((c) => Math.min(c * light, 255));
    context.beginPath();
    [[0, 0], [1, 0], [1, 1], [0, 1]].forEach(([a, b], k) => {
      const [x, y] = this.project((i + a) / n, (j + b) / n, heights[k]);
      if (k) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    context.closePath();
    context.fillStyle = context.strokeStyle = `rgb(${r | 0},${g | 0},${b | 0})`;
    context.lineWidth = 0.8;
    context.setLineDash([]);
    context.globalAlpha = 1;
    context.fill();
    context.stroke();
    if (i % 4 === 0 || j % 4 === 0) {
      context.beginPath();
      const line = (a0, b0, a1, b1) => {
        context.moveTo(...this.project((i + a0) / n, (j + b0) / n, corner(a0, b0)).slice(0, 2));
        context.lineTo(...this.project((i + a1) / n, (j + b1) / n, corner(a1, b1)).slice(0, 2));
      };
      if (i % 4 === 0) line(0, 0, 0, 1);
      if (j % 4 === 0) line(0, 0, 1, 0);
      context.strokeStyle = theme.line;
      context.lineWidth = 0.7;
      context.stroke();
    }
  }

  #piece(context, { from, to, color, faint, dash }, theme) {
    if (dash) return;
    const [x0, y0] = this.project(...from);
    const [x1, y1] = this.project(...to);
    const line = (paint, width, alpha, cap) => {
      context.lineCap = cap;
      context.beginPath();
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
      context.strokeStyle = paint;
      context.lineWidth = width;
      context.globalAlpha = alpha;
      context.stroke();
      context.globalAlpha = 1;
    };
    if (!faint) line(theme.halo, 4.4, 0.5, "butt");
    line(color, faint ? 1.4 : 2.4, faint ? 0.3 : 1, "round");
  }

  #ends(context, race, state, t, looks, theme) {
    const edge = theme.card === "#ffffff" ? "#ffffff" : "#101216";
    const put = (x, y, height, kind, size, color, line) => {
      const [u, v, z] = [this.u(x), this.v(y), this.height01(height)];
      if (!(u >= 0 && u <= 1 && v >= 0 && v <= 1 && z <= 1.02)) return;
      const [px, py] = this.project(u, v, z + 0.012);
      marker(context, kind, px, py, size, color, line);
    };
    const first = race.methods[0];
    if (first) put(race.at(first, "x", 0), race.at(first, "y", 0), race.at(first, "height", 0), "o", 6.5, "#F0E442", "#23262b");
    for (const name of race.methods) {
      if (state.methods[name]?.shown === false) continue;
      put(...race.between(name, t), race.at(name, "height", Math.min(Math.round(t), race.steps)), looks[name].marker, 5.6, ink(looks[name].color), edge);
    }
  }
}

// The value between the points of a grid; the nearest point's where a neighbour has none.
function between(data, nx, ny, x, y) {
  const [i, j] = [Math.min(Math.floor(x), nx - 2), Math.min(Math.floor(y), ny - 2)];
  const [a, b] = [x - i, y - j];
  const k = j * nx + i;
  const value = (1 - b) * ((1 - a) * data[k] + a * data[k + 1]) + b * ((1 - a) * data[k + nx] + a * data[k + nx + 1]);
  return Number.isFinite(value) ? value : data[Math.round(y) * nx + Math.round(x)];
}

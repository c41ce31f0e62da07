// A chart's axes and what is drawn between them. An axis is { low, high, log, name }; a logarithmic one has low > 0.

import { frame, powers } from "./chart.js";
import { fit, palette, short, ticks } from "./dom.js";
import { marker } from "./marks.js";

const along = ({ log }, value) => (log ? Math.log10(value) : value);

// An axis round some values: logarithmic where that is asked for and all are above 0. `room`: share left free at each end.
export function axis(values, { log = false, name = "", room = 0.04 } = {}) {
  const seen = values.filter(Number.isFinite);
  if (!seen.length) return { low: 0, high: 1, log: false, name };
  let [low, high] = seen.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (log && low > 0) {
    const spread = high > low ? (high / low) ** room : 1.3;
    return { low: low / spread, high: high * spread, log: true, name };
  }
  const spread = high > low ? (high - low) * room : Math.abs(low) * 0.1 || 1;
  return { low: low - spread, high: high + spread, log: false, name };
}

export class Plot {
  // room: pixels below the axes' box that belong to it, for what has no place on the y axis.
  constructor(canvas, { x, y, left = 46, room = 0 }) {
    [this.width, this.height] = [canvas.clientWidth, canvas.clientHeight];
    this.context = fit(canvas, this.width, this.height);
    Object.assign(this, { x, y, theme: palette(), left, right: this.width - 10, top: 10, bottom: this.height - 32 - room, floor: this.height - 32 });
    this.#axes();
  }

  px = (value) => this.left + ((along(this.x, value) - along(this.x, this.x.low)) / (along(this.x, this.x.high) - along(this.x, this.x.low))) * (this.right - this.left);
  py = (value) => this.bottom - ((along(this.y, value) - along(this.y, this.y.low)) / (along(this.y, this.y.high) - along(this.y, this.y.low))) * (this.bottom - this.top);
  // The x under a pointer.
  at = (px) => {
    const share = (px - this.left) / (this.right - this.left);
    const value = along(this.x, this.x.low) + share * (along(this.x, this.x.high) - along(this.x, this.x.low));
    return this.x.log ? 10 ** value : value;
  };

  #axes() {
    const marks = (axis, place, n) => {
      const found = axis.marks ?? (axis.log ? powers(along(axis, axis.low), along(axis, axis.high)).map(([p, text]) => [10 ** p, text])
        : ticks(axis.low, axis.high, n).filter((v) => !axis.whole || Number.isInteger(v)).map((v) => [v, short(v, 4)]));
      return found.map(([value, text]) => [place(value), text]);
    };
    const box = { left: this.left, right: this.right, top: this.top, bottom: this.floor };
    const up = marks(this.y, this.py, this.height < 200 ? 3 : 5).filter(([at]) => at >= this.top - 1 && at <= this.bottom + 1);
    frame(this.context, box, this.theme, { x: marks(this.x, this.px, this.width < 340 ? (this.x.whole ? 4 : 3) : 6), y: up, name: this.x.name });
  }

  // What is drawn by `act` stays within the box.
  within(act) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(this.left - 3, this.top - 3, this.right - this.left + 6, this.floor - this.top + 6);
    context.clip();
    act(context);
    context.restore();
  }

  // points: [x, y], broken where one is no number.
  line(points, { color, width = 2, dash = [], alpha = 1 }) {
    this.within((context) => {
      context.beginPath();
      let drawing = false;
      for (const [x, y] of points) {
        const [a, b] = [this.px(x), this.py(y)];
        if (!(Number.isFinite(a) && Number.isFinite(b))) drawing = false;
        else if (drawing) context.lineTo(a, b);
        else {
          context.moveTo(a, b);
          drawing = true;
        }
      }
      Object.assign(context, { strokeStyle: color, lineWidth: width, lineJoin: "round", globalAlpha: alpha });
      context.setLineDash(dash);
      context.stroke();
    });
  }

  // Between two lines: points [x, low, high].
  band(points, color) {
    const seen = points.filter((point) => point.every(Number.isFinite));
    if (seen.length < 2) return;
    this.within((context) => {
      context.beginPath();
      for (const [x, , high] of seen) context.lineTo(this.px(x), this.py(high));
      for (const [x, low] of seen.toReversed()) context.lineTo(this.px(x), this.py(low));
      context.closePath();
      Object.assign(context, { fillStyle: color, globalAlpha: 0.13 });
      context.fill();
    });
  }

  mark(kind, px, py, size, color, { alpha = 1, edge = color } = {}) {
    this.context.globalAlpha = alpha;
    marker(this.context, kind, px, py, size, color, edge);
    this.context.globalAlpha = 1;
  }

  cross(px, py, size, color, alpha = 1) {
    const { context } = this;
    context.beginPath();
    for (const s of [-1, 1]) {
      context.moveTo(px - size, py - s * size);
      context.lineTo(px + size, py + s * size);
    }
    Object.assign(context, { strokeStyle: color, lineWidth: 1.6, globalAlpha: alpha });
    context.setLineDash([]);
    context.stroke();
    context.globalAlpha = 1;
  }

  ring(px, py, radius = 8) {
    const { context, theme } = this;
    for (const [color, width] of [[theme.halo, 4.5], [theme.ink, 2]]) {
      context.beginPath();
      context.arc(px, py, radius, 0, 2 * Math.PI);
      Object.assign(context, { strokeStyle: color, lineWidth: width, globalAlpha: 1 });
      context.setLineDash([]);
      context.stroke();
    }
  }

  rule(x, color, dash = []) {
    this.within((context) => {
      context.beginPath();
      context.moveTo(this.px(x), this.top);
      context.lineTo(this.px(x), this.floor);
      Object.assign(context, { strokeStyle: color, lineWidth: 1.2 });
      context.setLineDash(dash);
      context.stroke();
    });
  }
}

// A small text beside the pointer, in a wrapper that is positioned; and a ring round what is meant.
export function tip(h, ringed = false) {
  const element = h("div", { class: "tip", hidden: true });
  const ring = h("div", { class: "here", hidden: true });
  return {
    element,
    ring,
    show(x, y, width, lines) {
      element.replaceChildren(...lines.map((line, k) => h(k ? "span" : "b", {}, line)));
      element.hidden = false;
      ring.hidden = !ringed;
      [ring.style.left, ring.style.top] = [`${x}px`, `${y}px`];
      const half = element.offsetWidth / 2;
      element.style.left = `${Math.min(Math.max(x, half), width - half)}px`;
      element.style.top = `${y}px`;
      element.classList.toggle("below", y < element.offsetHeight + 14);
    },
    hide() { element.hidden = ring.hidden = true; },
  };
}

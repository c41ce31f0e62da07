// The network: a picture of every unit and a line for every weight. Units are buttons over the canvas, so that keys reach them.

import { fit, h, palette, short } from "./dom.js";
import { paint, sign } from "./playcolors.js";

const TOP = 46; // room for the layers' counters
const SMALL = 34; // points of a small map, a side
export const FEATURES = { x: "x", y: "y", x2: "x²", y2: "y²", xy: "xy", sinx: "sin x", siny: "sin y" };

// Where every column and unit is, for a width.
function places(width, names, sizes) {
  const columns = [names.length, ...sizes.slice(1)];
  const narrow = width < 520;
  const size = narrow ? 32 : 38;
  const gap = 10;
  const [left, right] = [narrow ? 44 : 58, 26];
  const space = (width - left - right - size) / (columns.length - 1);
  const x = columns.map((_, l) => left + l * space);
  const height = TOP + Math.max(...columns) * (size + gap) + 8;
  const y = columns.map((n) => Array.from({ length: n }, (_, k) => TOP + k * (size + gap)));
  y[y.length - 1] = [TOP + ((Math.max(...columns) - 1) * (size + gap)) / 2];
  return { x, y, size, height, columns };
}

export class Net {
  hover = null; // { layer, unit } or { layer, to, input }

  // looked(unit or null): pointed at a unit; edited(layer, unit, input or null): pressed; toggled(feature); layers and units changed.
  constructor({ about, looked, edited, toggled, resized }) {
    Object.assign(this, { about, looked, edited, toggled, resized });
    this.canvas = h("canvas", { class: "netdraw", "aria-hidden": "true" });
    this.over = h("div", { class: "netover" });
    this.tip = h("div", { class: "note", role: "status", hidden: true });
    this.stage = h("div", { class: "net" }, this.canvas, this.over, this.tip);
    this.element = h("div", { class: "netscroll", tabindex: "-1" }, this.stage);
    this.sheet = document.createElement("canvas");
    this.output = { scale: 1, shift: 0 }; // of the last unit's map
    this.stage.addEventListener("pointermove", (event) => this.#point(event));
    this.stage.addEventListener("pointerleave", () => this.#aim(null));
    this.stage.addEventListener("click", (event) => {
      const link = event.target.closest("button") ? null : this.#link(event);
      if (link) this.edited(link.layer, link.to, link.input);
    });
  }

  // The network's shape as the page wants it, before the server has said anything about it.
  shape(state) {
    this.names = this.about.features;
    this.chosen = state.features;
    this.sizes = [state.features.length, ...state.hidden, 1];
    this.stage.style.minWidth = `${90 + 60 * this.sizes.length}px`;
    this.#lay(state);
  }

  #lay(state) {
    const width = Math.max(this.element.clientWidth, parseFloat(this.stage.style.minWidth) || 0);
    this.at = places(width, this.names, this.sizes);
    const { x, y, size, height, columns } = this.at;
    this.width = width;
    this.stage.style.height = `${height}px`;
    const box = (left, top) => `left:${left}px;top:${top}px;width:${size}px;height:${size}px`;
    const features = this.names.map((name, k) => h("button", {
      type: "button", class: "unit feature", "aria-pressed": String(this.chosen.includes(name)), "aria-label": `Feature ${FEATURES[name]}`, style: box(x[0], y[0][k]), "data-feature": name,
      onclick: () => this.toggled(name), onfocus: () => this.#aim({ layer: 0, unit: k }), onblur: () => this.#aim(null),
    }, h("span", {}, FEATURES[name])));
    this.units = columns.slice(1).flatMap((n, l) => Array.from({ length: n }, (_, k) => h("button", {
      type: "button", class: "unit", style: box(x[l + 1], y[l + 1][k]), "data-unit": `${l + 1}.${k + 1}`, "aria-label": l + 2 === columns.length ? "The output: its weights" : `Unit ${k + 1} of layer ${l + 1}: its weights`,
      onclick: () => this.edited(l, k, null), onfocus: () => this.#aim({ layer: l + 1, unit: k }), onblur: () => this.#aim(null),
    })));
    const counters = state.hidden.map((n, l) => h("div", { class: "counter", style: `left:${x[l + 1] + size / 2}px` },
      h("button", { type: "button", "aria-label": `Fewer units in layer ${l + 1}`, disabled: n <= 1, onclick: () => this.resized(l, n - 1) }, "−"),
      h("span", { "aria-label": `${n} units in layer ${l + 1}` }, n),
      h("button", { type: "button", "aria-label": `More units in layer ${l + 1}`, disabled: n >= this.about.limits.units, onclick: () => this.resized(l, n + 1) }, "+")));
    const heads = [h("div", { class: "head0", style: `left:${x[0] + size / 2}px` }, "features"), h("div", { class: "head0", style: `left:${x.at(-1) + size / 2}px` }, "output")];
    const focused = document.activeElement?.getAttribute?.("aria-label");
    const inside = this.over.contains(document.activeElement);
    this.over.replaceChildren(...features, ...this.units, ...counters, ...heads);
    if (inside) [...this.over.querySelectorAll("button")].find((b) => b.getAttribute("aria-label") === focused)?.focus();
  }

  // The first weight of a layer (from 0) in the flat parameters.
  #start(layer) {
    let at = 0;
    for (let l = 0; l < layer; l++) at += this.sizes[l + 1] * (this.sizes[l] + 1);
    return at;
  }

  weight(params, layer, to, input) {
    const at = this.#start(layer);
    return input === null ? params[at + this.sizes[layer + 1] * this.sizes[layer] + to] : params[at + to * this.sizes[layer] + input];
  }

  // Where a column's unit stands: of the first column only the chosen features have lines.
  #row(layer, k) { return layer === 0 ? this.names.indexOf(this.chosen[k]) : k; }

  #ends(layer, to, input) {
    const { x, y, size } = this.at;
    return [x[layer] + size, y[layer][this.#row(layer, input)] + size / 2, x[layer + 1], y[layer + 1][to] + size / 2];
  }

  #link(event) {
    const frame = this.stage.getBoundingClientRect();
    const [px, py] = [event.clientX - frame.left, event.clientY - frame.top];
    let [best, found] = [8, null];
    const layer = this.at.x.findLastIndex((x) => x + this.at.size <= px);
    if (layer < 0 || layer >= this.sizes.length - 1) return null;
    for (let to = 0; to < this.sizes[layer + 1]; to++)
      for (let input = 0; input < this.sizes[layer]; input++) {
        const [x0, y0, x1, y1] = this.#ends(layer, to, input);
        const s = solve((px - x0) / (x1 - x0));
        const away = Math.abs(y0 + (y1 - y0) * s * s * (3 - 2 * s) - py);
        if (away < best) [best, found] = [away, { layer, to, input, px, py }];
      }
    return found;
  }

  #point(event) {
    const unit = event.target.closest(".unit");
    if (unit) {
      const name = unit.dataset.feature;
      const [layer, k] = name ? [0, this.names.indexOf(name) + 1] : unit.dataset.unit.split(".").map(Number);
      return this.#aim({ layer, unit: k - 1 });
    }
    this.#aim(event.target.closest("button") ? null : this.#link(event));
  }

  #aim(next) {
    const same = JSON.stringify([next?.layer, next?.unit, next?.to, next?.input]) === JSON.stringify([this.hover?.layer, this.hover?.unit, this.hover?.to, this.hover?.input]);
    this.hover = next;
    this.stage.style.cursor = next?.input !== undefined ? "pointer" : "";
    if (!same || next?.input !== undefined) this.looked(next);
  }

  draw(net, last) {
    const { x, y, size } = this.at;
    const context = fit(this.canvas, this.width, this.at.height);
    const theme = palette();
    if (!last || last.header.sizes.join() !== this.sizes.join()) return;
    const { params, maps } = last.arrays;
    let mean = 0;
    for (const w of params.data) if (Number.isFinite(w)) mean = Math.max(mean, Math.abs(w));
    const most = Math.max(mean, 1);
    context.lineCap = "round";
    this.sizes.slice(1).forEach((n, layer) => {
      for (let to = 0; to < n; to++)
        for (let input = 0; input < this.sizes[layer]; input++) this.#line(context, layer, to, input, this.weight(params.data, layer, to, input), most);
      if (net.header.skips[layer]) this.#skips(context, layer, theme);
    });
    const { hover } = this;
    if (hover?.input !== undefined && hover.layer < this.sizes.length - 1) this.#line(context, hover.layer, hover.to, hover.input, this.weight(params.data, hover.layer, hover.to, hover.input), most, true);
    this.#pictures(context, net.arrays.features.data, maps, theme);
    this.sizes.slice(1).forEach((n, layer) => {
      for (let k = 0; k < n; k++) {
        const bias = this.weight(params.data, layer, k, null);
        context.fillStyle = theme.card;
        context.fillRect(x[layer + 1] - 4, y[layer + 1][k] + size - 5, 9, 9);
        context.fillStyle = sign(bias, Number.isFinite(bias) ? 0.25 + 0.75 * Math.min(Math.abs(bias), 1) : 1);
        context.fillRect(x[layer + 1] - 3, y[layer + 1][k] + size - 4, 7, 7);
      }
    });
    this.#tell(params.data);
  }

  #line(context, layer, to, input, w, most, strong = false) {
    const [x0, y0, x1, y1] = this.#ends(layer, to, input);
    const middle = (x0 + x1) / 2;
    const share = Number.isFinite(w) ? Math.min(Math.abs(w) / most, 1) : 0.2;
    context.beginPath();
    context.moveTo(x0, y0);
    context.bezierCurveTo(middle, y0, middle, y1, x1, y1);
    context.strokeStyle = sign(w, strong ? 1 : 0.22 + 0.68 * share ** 0.6);
    context.lineWidth = 0.7 + 7 * share + (strong ? 2 : 0);
    context.setLineDash(Number.isFinite(w) ? [] : [2, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  // What passes a layer by: z[l-1] is added to its output.
  #skips(context, layer, theme) {
    const { x, y, size } = this.at;
    context.setLineDash([1.5, 3.5]);
    context.strokeStyle = theme.soft;
    context.lineWidth = 1.2;
    for (let k = 0; k < this.sizes[layer]; k++) {
      context.beginPath();
      const [x0, y0, x1] = [x[layer] + size, y[layer][this.#row(layer, k)] + 5, x[layer + 1]];
      context.moveTo(x0, y0);
      context.quadraticCurveTo((x0 + x1) / 2, y0 - 14, x1, y[layer + 1][k] + 5);
      context.stroke();
    }
    context.setLineDash([]);
  }

  // Every small map, painted on one sheet and cut from there.
  #pictures(context, features, maps, theme) {
    const { x, y, size } = this.at;
    const units = this.sizes.slice(1).reduce((a, b) => a + b, 0);
    const count = this.names.length + units;
    const each = SMALL * SMALL;
    if (this.sheet.height !== SMALL * count) [this.sheet.width, this.sheet.height] = [SMALL, SMALL * count];
    const sheet = this.sheet.getContext("2d");
    const image = sheet.createImageData(SMALL, SMALL * count);
    const pixels = new Uint32Array(image.data.buffer);
    this.names.forEach((_, k) => paint(pixels, k * each, features, k * each, SMALL, 5));
    for (let k = 0; k < units; k++) {
      const out = k === units - 1;
      paint(pixels, (this.names.length + k) * each, maps.data, k * each, SMALL, out ? this.output.scale : largest(maps.data, k * each, each), out ? this.output.shift : 0);
    }
    sheet.putImageData(image, 0, 0);
    let at = 0;
    this.at.columns.forEach((n, l) => {
      for (let k = 0; k < n; k++, at++) {
        const off = l === 0 && !this.chosen.includes(this.names[k]);
        const aimed = this.hover && this.hover.layer === l && this.hover.unit === k;
        const [left, top] = [x[l], y[l][k]];
        context.globalAlpha = off && !aimed ? 0.3 : 1;
        context.drawImage(this.sheet, 0, at * SMALL, SMALL, SMALL, left, top, size, size);
        context.globalAlpha = 1;
        context.strokeStyle = aimed ? theme.ink : off ? theme.edge : theme.soft;
        context.lineWidth = aimed ? 2.2 : 1;
        context.strokeRect(left, top, size, size);
      }
    });
  }

  #tell(params) {
    const { hover } = this;
    this.tip.hidden = hover?.input === undefined || hover.layer >= this.sizes.length - 1;
    if (this.tip.hidden) return;
    this.tip.textContent = `weight ${short(this.weight(params, hover.layer, hover.to, hover.input))}`;
    this.tip.style.transform = `translate(${Math.min(hover.px + 12, this.width - 110)}px, ${hover.py - 34}px)`;
  }
}

// The largest number of a map: each unit's picture uses all of the colours.
export function largest(values, from, count) {
  let most = 1e-6;
  for (let k = from; k < from + count; k++) {
    const v = Math.abs(values[k]);
    if (v > most && v < Infinity) most = v;
  }
  return most;
}

// The parameter s of the curve x(s) = 1.5 s (1-s)^2 + 1.5 s^2 (1-s) + s^3 at x.
function solve(x) {
  let s = x;
  for (let k = 0; k < 4; k++) s -= (1.5 * s - 1.5 * s * s + s ** 3 - x) / (1.5 - 3 * s + 3 * s * s);
  return Math.min(Math.max(s, 0), 1);
}

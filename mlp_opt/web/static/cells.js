// The heat map of two hyperparameters: the median score of the networks in each cell, hatched where at least half diverged.

import { blend, CIVIDIS, fit, h, palette, short } from "./dom.js";
import { tip } from "./plot.js";

export class Cells {
  // tab has state, lanes, selected; chosen(lane), pair(x, y).
  constructor(tab) {
    this.tab = tab;
    this.canvas = h("canvas", { class: "chart cells", role: "img" });
    this.tip = tip(h);
    const select = (text) => h("select", { "aria-label": text, onchange: () => tab.pair(this.x.value, this.y.value) });
    [this.x, this.y] = [select("Across"), select("Up")];
    this.scale = h("div", { class: "scale" }, this.low = h("span"), h("i", { style: `background: linear-gradient(90deg, ${CIVIDIS.map((c) => `rgb(${c})`).join(",")})` }), this.high = h("span"), this.what = h("span"));
    this.element = h("section", { class: "card cells-card", "aria-label": "Heat map" }, h("div", { class: "row spread" }, h("h2", {}, "Two at a time"), h("span", { class: "row small" }, this.x, "×", this.y)),
      h("div", { class: "wrap" }, this.canvas, this.tip.element), this.scale, this.note = h("p", { class: "soft" }));
    this.canvas.addEventListener("pointermove", (event) => this.#over(event.offsetX, event.offsetY));
    this.canvas.addEventListener("pointerleave", () => this.tip.hide());
    this.canvas.addEventListener("pointerdown", (event) => {
      const cell = this.#under(event.offsetX, event.offsetY);
      const best = cell ? this.#best(...cell) : -1;
      if (best >= 0) tab.chosen(tab.lanes.lane(best));
    });
  }

  options() {
    const { lanes, state } = this.tab;
    this.element.hidden = lanes.varied.length < 2;
    for (const [select, name, other] of [[this.x, state.pair?.[0], state.pair?.[1]], [this.y, state.pair?.[1], state.pair?.[0]]]) {
      select.replaceChildren(...lanes.varied.map((field) => h("option", { value: field.name, disabled: field.name === other }, field.label)));
      select.value = name ?? "";
    }
  }

  show({ header, arrays }) {
    const data = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.data]));
    const [rows, columns] = arrays.middle.shape;
    this.found = { ...header, ...data, rows, columns };
    const seen = [...data.middle].filter(Number.isFinite);
    this.span = seen.length ? [Math.max(Math.min(...seen), this.tab.lanes.metric === "r2" ? Math.min(-0.2, Math.max(...seen) - 0.1) : -Infinity), Math.max(...seen)] : [0, 1];
    [this.low.textContent, this.high.textContent] = this.span.map((value) => short(value));
    this.what.textContent = `median ${header.what}`;
    this.scale.hidden = !seen.length;
    this.note.textContent = `Press a cell to open its best network.${data.lost.some((share) => share > 0) ? " Hatched: at least half diverged." : ""}`;
    this.draw();
  }

  #box() {
    const { found } = this;
    const context = this.canvas.getContext("2d");
    context.font = "11px system-ui, sans-serif";
    const widest = Math.max(...found.y.labels.map((text) => context.measureText(text).width));
    const box = { left: Math.min(Math.max(widest + 12, 34), 130), right: this.canvas.clientWidth - 8, top: 8, bottom: this.canvas.clientHeight - 34 };
    return { ...box, w: (box.right - box.left) / found.columns, t: (box.bottom - box.top) / found.rows };
  }

  draw() {
    const { found } = this;
    if (found?.name !== this.tab.lanes.name || !this.canvas.clientWidth) return;
    const tall = Math.min(Math.max(found.rows * 44 + 46, 170), 380);
    this.canvas.style.height = `${tall}px`;
    const context = fit(this.canvas, this.canvas.clientWidth, tall);
    const theme = palette();
    const box = (this.box = this.#box());
    for (let r = 0; r < found.rows; r++) for (let c = 0; c < found.columns; c++) this.#cell(context, r, c, box, theme);
    this.#labels(context, box, theme);
    this.#selected(context, box, theme);
    this.canvas.setAttribute("aria-label", `Median ${found.what} by ${found.x.name} and ${found.y.name}, ${found.rows} by ${found.columns} cells. ${this.#bestSaid()}`);
    this.canvas.dataset.drawn = JSON.stringify([...found.middle].map((v) => (Number.isFinite(v) ? v : null)));
  }

  #bestSaid() {
    const { found } = this;
    const values = [...found.middle];
    const k = values.reduce((best, v, i) => (Number.isFinite(v) && !(v <= values[best]) ? i : best), -1);
    return k < 0 ? "" : `The best: ${this.#value("x", k % found.columns)}, ${this.#value("y", Math.floor(k / found.columns))} with ${short(values[k])}.`;
  }

  #cell(context, r, c, { left, bottom, w, t }, theme) {
    const { found } = this;
    const k = r * found.columns + c;
    const [x, y] = [left + c * w + 1, bottom - (r + 1) * t + 1];
    context.beginPath();
    context.roundRect(x, y, w - 2, t - 2, Math.min(5, w / 5));
    if (!found.lanes[k]) {
      context.strokeStyle = theme.edge;
      context.lineWidth = 1;
      context.setLineDash([]);
      return context.stroke();
    }
    const value = found.middle[k];
    const known = Number.isFinite(value);
    const share = known ? (value - this.span[0]) / (this.span[1] - this.span[0] || 1) : 0;
    const color = known ? blend(CIVIDIS, share) : null;
    context.fillStyle = color ? `rgb(${color.map(Math.round)})` : theme.edge;
    context.fill();
    const lost = found.lost[k];
    if (lost >= 0.5) this.#hatch(context, theme);
    if (w < 36 || t < 17) return;
    const ink = color && 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2] > 120 ? "#14161a" : color ? "#ffffff" : theme.ink;
    const lines = [known ? short(value) : null, lost > 0 && (t > 34 || !known) ? `${Math.round(100 * lost)} % lost` : null].filter(Boolean);
    context.textAlign = "center";
    lines.forEach((text, i) => {
      const at = y + t / 2 + 3 + (i - (lines.length - 1) / 2) * 14;
      context.font = i || !known ? "10px system-ui, sans-serif" : "12px system-ui, sans-serif";
      if (w < context.measureText(text).width + 6) return;
      if (lost >= 0.5) {
        context.fillStyle = theme.card;
        const wide = context.measureText(text).width / 2 + 3;
        context.fillRect(x + w / 2 - wide - 1, at - 11, 2 * wide, 14);
      }
      context.fillStyle = lost >= 0.5 ? theme.ink : ink;
      context.fillText(text, x + w / 2 - 1, at);
    });
  }

  // Lines across the path that was just filled.
  #hatch(context, theme) {
    context.save();
    context.clip();
    context.beginPath();
    for (let at = -this.canvas.clientHeight; at < this.canvas.clientWidth; at += 7) {
      context.moveTo(at, this.canvas.clientHeight);
      context.lineTo(at + this.canvas.clientHeight, 0);
    }
    Object.assign(context, { strokeStyle: theme.soft, lineWidth: 1, globalAlpha: 0.7 });
    context.setLineDash([]);
    context.stroke();
    context.restore();
  }

  #labels(context, { left, right, bottom, w, t }, theme) {
    const { x, y } = this.found;
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = theme.soft;
    context.textAlign = "right";
    y.labels.forEach((text, k) => context.fillText(text, left - 7, bottom - (k + (y.edges ? 0 : 0.5)) * t + 4));
    context.textAlign = "center";
    const wide = Math.max(...x.labels.map((text) => context.measureText(text).width)) + 8;
    const every = Math.max(Math.ceil(wide / w), 1);
    x.labels.forEach((text, k) => { if (k % every === 0) context.fillText(text, Math.min(left + (k + (x.edges ? 0 : 0.5)) * w, right - 10), bottom + 15); });
    context.textAlign = "left";
    context.fillText(this.tab.lanes.field(x.name)?.label ?? x.name, left, bottom + 29);
  }

  #selected(context, { left, bottom, w, t }, theme) {
    const { lanes, selected } = this.tab;
    const k = selected ? lanes.find(selected) : -1;
    const { row, column } = this.found;
    if (k < 0 || !(row[k] >= 0 && column[k] >= 0)) return;
    for (const [color, width] of [[theme.card, 5], [theme.ink, 2.4]]) {
      context.beginPath();
      context.roundRect(left + column[k] * w + 1, bottom - (row[k] + 1) * t + 1, w - 2, t - 2, Math.min(5, w / 5));
      Object.assign(context, { strokeStyle: color, lineWidth: width });
      context.setLineDash([]);
      context.stroke();
    }
  }

  #under(x, y) {
    if (!this.found || !this.box) return null;
    const { left, right, top, bottom, w, t } = this.box;
    if (x < left || x >= right || y < top || y >= bottom) return null;
    return [Math.floor((bottom - y) / t), Math.floor((x - left) / w)];
  }

  #best(r, c) {
    const { lanes } = this.tab;
    const { row, column } = this.found;
    let best = -1;
    for (let k = 0; k < lanes.n; k++) if (row[k] === r && column[k] === c && (best < 0 || lanes.at(k, "value") < lanes.at(best, "value"))) best = k;
    return best;
  }

  #value(side, k) {
    const { name, labels, edges } = this.found[side];
    const label = this.tab.lanes.field(name)?.label ?? name;
    return `${label} ${edges ? `${labels[k]} to ${labels[k + 1]}` : labels[k]}`;
  }

  #over(x, y) {
    const cell = this.#under(x, y);
    const k = cell ? cell[0] * this.found.columns + cell[1] : -1;
    this.canvas.style.cursor = k >= 0 && this.found.lanes[k] ? "pointer" : "default";
    if (k < 0) return this.tip.hide();
    const [r, c] = cell;
    const n = this.found.lanes[k];
    const { left, bottom, w, t } = this.box;
    const lines = [n ? `${n} network${n === 1 ? "" : "s"}${Number.isFinite(this.found.middle[k]) ? `, median ${short(this.found.middle[k])}` : ""}` : "No network here", this.#value("x", c), this.#value("y", r)];
    if (this.found.lost[k] > 0) lines.push(`${Math.round(100 * this.found.lost[k])} % diverged`);
    this.tip.show(left + (c + 0.5) * w, bottom - (r + 1) * t, this.canvas.clientWidth, lines);
  }
}

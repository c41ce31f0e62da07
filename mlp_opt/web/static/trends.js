// Sensitivity: every network a point, score against one number; for each group the median and the band from 10 to 90 %.

import { h, ink, short } from "./dom.js";
import { groupKeys, same } from "./lanes.js";
import { dashes } from "./marks.js";
import { axis, Plot, tip } from "./plot.js";

const STRIP = 26; // pixels below the axes, for what diverged
const BANDS = 4; // more would cover each other
const MANY = 3000; // points: more are drawn as dust
const REACH = 18; // pixels from a point at which it is meant

export class Trends {
  // tab has state, lanes, selected; chosen(lane), axis(name), toggled(group).
  constructor(tab) {
    this.tab = tab;
    this.canvas = h("canvas", { class: "chart trends", tabindex: 0, role: "img", "aria-describedby": "trends-help" });
    this.tip = tip(h, true);
    this.select = h("select", { "aria-label": "Number on the horizontal axis", onchange: () => tab.axis(this.select.value) });
    this.keys = h("div", { class: "keys" });
    this.note = h("p", { class: "soft", id: "trends-help" });
    this.title = h("h2", {}, "Sensitivity");
    this.element = h("section", { class: "card trends-card", "aria-label": "Sensitivity" }, h("div", { class: "row spread" }, this.title, h("label", { class: "row small" }, "against", this.select)),
      this.keys, h("div", { class: "wrap" }, this.canvas, this.tip.ring, this.tip.element), this.note);
    this.canvas.addEventListener("pointermove", (event) => this.#over(event.offsetX, event.offsetY));
    this.canvas.addEventListener("pointerleave", () => this.#over(null));
    this.canvas.addEventListener("pointerdown", (event) => {
      const k = this.#near(event.offsetX, event.offsetY);
      if (k >= 0) tab.chosen(tab.lanes.lane(k));
    });
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  options() {
    const { lanes, state } = this.tab;
    this.select.replaceChildren(...lanes.numbers.map(({ name, label }) => h("option", { value: name }, label)));
    this.select.value = state.x ?? "";
    this.element.hidden = !lanes.numbers.length;
    const halved = lanes.counts.halved ? ` ${lanes.counts.halved.toLocaleString("en")} were dropped by halving and count as they stood then.` : "";
    const few = lanes.drawn < lanes.networks ? ` ${lanes.drawn.toLocaleString("en")} of ${lanes.networks.toLocaleString("en")} are drawn; the lines are of all.` : "";
    this.help = `A point a network: hover to see it, press to open it. Line: median; band: 10 to 90 %.${halved}${few}`;
  }

  show({ header, arrays }) {
    this.found = { ...header, groups: this.tab.lanes.groups.map((look, k) => ({ look, k, at: arrays[`at${k}`].data, middle: arrays[`middle${k}`].data, lost: arrays[`lost${k}`].data })) };
    this.draw();
  }

  draw() {
    const { lanes, state, selected } = this.tab;
    if (!lanes || !state.x || !this.canvas.clientWidth) return;
    this.keys.replaceChildren(...groupKeys(lanes.groups, state.hide, (name) => this.tab.toggled(name)));
    const shown = Array.from({ length: lanes.n }, (_, k) => k).filter((k) => !state.hide.includes(lanes.group(k).name) && Number.isFinite(lanes.at(k, state.x)));
    const field = lanes.field(state.x);
    const lost = shown.some((k) => lanes.diverged(k) || lanes.at(k, "score") < lanes.range[0]);
    const across = axis(Array.from({ length: lanes.n }, (_, k) => lanes.at(k, state.x)), { log: field.scale === "log", name: field.label });
    const up = axis(lanes.range, { room: 0.05 });
    const plot = (this.plot = new Plot(this.canvas, { x: across, y: up, room: lost ? STRIP : 0 }));
    const size = Math.min(Math.max(70 / Math.sqrt(lanes.n), 1.6), 4.2);
    this.points = shown.map((k) => this.#place(plot, k));
    if (this.points.length > MANY) this.#dust(plot);
    else for (const { k, px, py, sign } of this.points) {
      const look = lanes.group(k);
      if (sign === "x") plot.cross(px, py, 3.2, ink(look.color), 0.8);
      else plot.mark(sign ?? look.marker, px, py, sign ? 3 : size, ink(look.color), { alpha: 0.42 });
    }
    if (this.#known()) this.#medians(plot);
    if (lost) this.#stripName(plot);
    for (const { k, px, py } of this.points) if (selected && lanes.at(k, "trial") === selected[0]) plot.ring(px, py, same(lanes.lane(k), selected) ? 7.5 : 5);
    const signs = new Set(this.points.map(({ sign }) => sign));
    this.note.textContent = this.help + (signs.has("x") ? " Crosses: diverged, counted as worst." : "") + (signs.has("v") ? ` Triangles at the edge: below ${short(lanes.range[0], 2)}.` : "");
    this.canvas.setAttribute("aria-label", `${lanes.what} of ${shown.length} networks against ${field.label}. Left and right arrows choose the next network.`);
    this.canvas.dataset.drawn = JSON.stringify({ points: this.points.length, crosses: this.points.filter(({ sign }) => sign === "x").length, x: state.x });
  }

  // Very many points: a square each, a group at a time.
  #dust({ context }) {
    for (const look of this.tab.lanes.groups) {
      context.beginPath();
      for (const { k, px, py } of this.points) if (this.tab.lanes.group(k) === look) context.rect(px - 1, py - 1, 2, 2);
      Object.assign(context, { fillStyle: ink(look.color), globalAlpha: 0.4 });
      context.fill();
    }
    context.globalAlpha = 1;
  }

  // Whether what was found is of this sweep (perhaps as it was a moment ago) and axis.
  #known() { return this.found?.x === this.tab.state.x && this.found.name === this.tab.lanes.name; }

  #place(plot, k) {
    const { lanes, state } = this.tab;
    const group = lanes.at(k, "group");
    const n = lanes.groups.length;
    const side = this.#known() && !this.found.binned ? (group - (n - 1) / 2) * Math.min(60 / n, 14) : 0; // few values: side by side
    const px = plot.px(lanes.at(k, state.x)) + side;
    const score = lanes.at(k, "score");
    const low = plot.floor - 4 - ((group % 4) * (STRIP - 12)) / 4;
    if (lanes.diverged(k)) return { k, px, py: low, sign: "x" };
    if (score < lanes.range[0]) return { k, px, py: low, sign: "v" };
    return { k, px, py: plot.py(score), sign: null };
  }

  #medians(plot) {
    const { state } = this.tab;
    const seen = this.found.groups.filter(({ look }) => !state.hide.includes(look.name));
    const n = this.found.groups.length;
    for (const { look, k, at, middle } of seen) {
      const color = ink(look.color);
      const side = this.found.binned ? 0 : (k - (n - 1) / 2) * Math.min(60 / n, 14);
      const cut = (value) => Math.max(value, plot.y.low);
      plot.context.save();
      plot.context.translate(side, 0);
      if (seen.length <= BANDS) plot.band([...at].map((x, i) => [x, cut(middle[3 * i]), cut(middle[3 * i + 2])]), color);
      const points = [...at].map((x, i) => [x, cut(middle[3 * i + 1])]);
      plot.line(points, { color: plot.theme.halo, width: 4.5 });
      plot.line(points, { color, width: 2.2, dash: dashes(look) });
      for (const [x, y] of points) if (Number.isFinite(y)) plot.mark(look.marker, plot.px(x), plot.py(y), 4.4, color, { edge: plot.theme.card });
      plot.context.restore();
    }
    this.canvas.dataset.medians = JSON.stringify(seen.map(({ look, middle }) => [look.name, [...middle].filter((_, i) => i % 3 === 1).map((v) => (Number.isFinite(v) ? v : null))]));
  }

  #stripName({ context, theme, left, bottom, floor }) {
    context.strokeStyle = theme.edge;
    context.beginPath();
    context.moveTo(left, floor);
    context.lineTo(this.plot.right, floor);
    context.stroke();
    context.fillStyle = theme.soft;
    context.textAlign = "right";
    context.font = "11px system-ui, sans-serif";
    context.fillText(this.points.some(({ sign }) => sign === "x") ? "lost" : "below", left - 6, (bottom + floor) / 2 + 8);
  }

  #near(x, y) {
    let [best, nearest] = [-1, REACH];
    for (const { k, px, py } of this.points ?? []) {
      const far = Math.hypot(px - x, py - y);
      if (far < nearest) [best, nearest] = [k, far];
    }
    return best;
  }

  #over(x, y) {
    const k = x === null ? -1 : this.#near(x, y);
    this.canvas.style.cursor = k < 0 ? "default" : "pointer";
    if (k < 0) return this.tip.hide();
    const { px, py } = this.points.find((point) => point.k === k);
    this.tip.show(px, py, this.canvas.clientWidth, this.tab.lanes.told(k));
  }

  #key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !this.points?.length || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const order = this.points.toSorted((a, b) => a.px - b.px || a.py - b.py);
    const here = order.findIndex(({ k }) => same(this.tab.lanes.lane(k), this.tab.selected));
    const next = order[Math.min(Math.max(here + by, 0), order.length - 1)];
    this.tab.chosen(this.tab.lanes.lane(next.k));
    this.tip.show(next.px, next.py, this.canvas.clientWidth, this.tab.lanes.told(next.k));
  }
}

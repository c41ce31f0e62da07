// The curves of one network: loss and score of the training and the validation part, epoch by epoch.

import { fit, h, ink, short } from "./dom.js";
import { axis, Plot } from "./plot.js";

const PARTS = { train: ["training", "#0072B2", [7, 3]], val: ["validation", "#D55E00", []] };
export const NAMES = { loss: "Loss", accuracy: "Accuracy", r2: "R²" };

export class Curves {
  constructor() {
    this.charts = ["loss", "score"].map((what) => {
      const canvas = h("canvas", { class: "chart curve", role: "img" });
      canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX, canvas));
      canvas.addEventListener("pointerdown", (event) => this.#point(event.offsetX, canvas));
      canvas.addEventListener("pointerleave", () => this.#point(null));
      return { what, canvas, title: h("h3"), read: h("span", { class: "soft read" }) };
    });
    this.legend = h("p", { class: "soft legend" });
    this.element = h("div", { class: "curves" }, this.legend, h("div", { class: "pair" }, this.charts.map(({ title, read, canvas }) => h("div", {}, h("div", { class: "row titled" }, title, read), canvas))));
  }

  // arrays: epoch, train_loss, ...; best: the epoch whose weights were kept.
  show(arrays, metric, best) {
    this.data = Object.fromEntries(Object.entries(arrays).map(([name, { data }]) => [name, data]));
    Object.assign(this, { metric, best, at: null });
    this.parts = Object.fromEntries(Object.entries(PARTS).filter(([part]) => `${part}_loss` in this.data));
    this.legended();
    this.draw();
  }

  // The legend, in the theme's colours.
  legended() {
    const keys = Object.values(this.parts ?? {}).map(([text, color, dash]) => h("span", { class: "key" }, keyLine(color, dash), text));
    this.legend.replaceChildren(...keys, this.best ? h("span", {}, `best epoch: ${this.best}`) : "");
  }

  draw() {
    if (!this.data || !this.charts[0].canvas.clientWidth) return;
    const { epoch } = this.data;
    for (const chart of this.charts) {
      const what = chart.what === "loss" ? "loss" : this.metric;
      const all = Object.keys(this.parts).flatMap((part) => [...(this.data[`${part}_${what}`] ?? [])]);
      const up = axis(all, { log: what === "loss", room: 0.06 });
      if (what === "r2" && up.low < -0.5 && up.high > 0) up.low = -0.5; // it has no lower bound
      const across = { low: Math.min(epoch[0] ?? 0, 1), high: Math.max(epoch.at(-1) ?? 1, 2), name: "epoch", whole: true };
      const plot = (chart.plot = new Plot(chart.canvas, { x: across, y: up }));
      if (this.best) plot.rule(this.best, plot.theme.soft, [2, 3]);
      for (const [part, [, color, dash]] of Object.entries(this.parts)) {
        const values = this.data[`${part}_${what}`];
        if (!values) continue;
        plot.line([...epoch].map((e, k) => [e, values[k]]), { color: ink(color), dash });
        if (epoch.length === 1) plot.mark("o", plot.px(epoch[0]), plot.py(values[0]), 3.5, ink(color));
      }
      if (this.at !== null) plot.rule(epoch[this.at], plot.theme.ink);
      chart.title.textContent = NAMES[what] ?? what;
      const k = this.at ?? epoch.length - 1;
      chart.read.textContent = epoch.length ? `${this.at === null ? "" : `epoch ${epoch[k]}: `}${Object.keys(this.parts).map((part) => short(this.data[`${part}_${what}`]?.[k])).join(" · ")}` : "no epoch was finished";
      chart.canvas.setAttribute("aria-label", `${NAMES[what] ?? what} by epoch; at the end ${this.#said(what, epoch.length - 1)}`);
      chart.canvas.dataset.drawn = JSON.stringify(Object.fromEntries(Object.keys(this.parts).map((part) => [part, this.data[`${part}_${what}`]?.at(-1) ?? null])));
    }
  }

  #said(what, k) {
    return Object.entries(this.parts).map(([part, [text]]) => `${text} ${short(this.data[`${part}_${what}`]?.[k])}`).join(", ");
  }

  #point(px, canvas) {
    if (!this.data?.epoch.length) return;
    const plot = this.charts.find((chart) => chart.canvas === canvas)?.plot;
    const { epoch } = this.data;
    const wanted = px === null || !plot ? null : plot.at(px);
    const nearest = wanted === null ? null : epoch.reduce((best, e, k) => (Math.abs(e - wanted) < Math.abs(epoch[best] - wanted) ? k : best), 0);
    if (nearest === this.at) return;
    this.at = nearest;
    this.draw();
  }

  csv() {
    const names = Object.keys(this.data);
    const rows = [...this.data.epoch].map((_, k) => names.map((name) => (Number.isFinite(this.data[name][k]) ? this.data[name][k] : "")).join(","));
    return [names.join(","), ...rows].join("\n") + "\n";
  }
}

// A short piece of a line, for a legend.
export function keyLine(color, dash) {
  const canvas = h("canvas", { class: "line" });
  const context = fit(canvas, 26, 10);
  Object.assign(context, { strokeStyle: ink(color), lineWidth: 2.2 });
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(1, 5);
  context.lineTo(25, 5);
  context.stroke();
  return canvas;
}

// The fair comparison: each method's score against its learning rate, and where each ended at its own best.

import { frame, powers, superscript } from "./chart.js";
import { fit, h, ink, palette, short } from "./dom.js";
import { dashes, marker } from "./marks.js";

const LEAST = 1e-12; // less is as good as nothing

export class Fair {
  constructor({ locked, used }) {
    this.canvas = h("canvas", { class: "chart plain", role: "img", "aria-label": "Score against learning rate, a line a method; the table below has the best of each." });
    this.rows = h("tbody");
    this.note = h("p", { class: "soft" });
    this.use = h("button", { type: "button", class: "chip", onclick: used, hidden: locked }, "Use these rates");
    this.table = h("table", {}, h("thead", {}, h("tr", {}, ["", "best rate", "median", "missed"].map((text) => h("th", { scope: "col" }, text)))), this.rows);
    this.element = h("section", { class: "card", "aria-label": "Fair comparison" }, h("div", { class: "row spread" }, h("h2", {}, "A fair comparison"), this.use), this.canvas, this.table, this.note);
  }

  show(answer) {
    const { header } = answer;
    this.answer = header.error ? null : answer;
    this.canvas.hidden = this.table.hidden = this.use.hidden = Boolean(header.error);
    if (header.error) return void (this.note.textContent = header.error);
    const order = Object.entries(header.results).sort(([, a], [, b]) => (a.median ?? Infinity) - (b.median ?? Infinity));
    this.rows.replaceChildren(...order.map(([name, { rate, median, missed }]) => h("tr", {}, h("th", { scope: "row" }, name),
      [short(rate), median === null ? "lost" : short(Math.max(median, 0)), `${Math.round(100 * missed)} %`].map((text) => h("td", {}, text)))));
    this.note.textContent = `${header.steps} gradients each. Every method tries the same 36 rates from ${header.tuning} random starts; its best is then run from `
      + `${header.reporting} others. Last loss above ${header.above ? "the lowest known" : "the best seen"}.`;
  }

  draw(looks) {
    if (!this.answer || !this.canvas.clientWidth) return;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const context = fit(this.canvas, width, height);
    const theme = palette();
    const { header, arrays: { rates, tuned } } = this.answer;
    const names = Object.keys(header.results);
    const n = rates.data.length;
    const value = (i, k) => Math.log10(Math.max(tuned.data[i * n + k], LEAST));
    const all = [...tuned.data].filter(Number.isFinite).map((v) => Math.log10(Math.max(v, LEAST)));
    const low = Math.min(...all);
    const high = Math.max(Math.min(Math.max(...all), low + 16, 4), low + 0.5);
    const box = { left: 52, right: width - 10, top: 8, bottom: height - 30 };
    const [first, last] = [Math.log10(rates.data[0]), Math.log10(rates.data[n - 1])];
    const px = (rate) => box.left + ((Math.log10(rate) - first) / (last - first)) * (box.right - box.left);
    const py = (v) => box.bottom - ((v - low) / (high - low)) * (box.bottom - box.top);
    frame(context, box, theme, {
      x: [-5, -3, -1, 1].map((p) => [px(10 ** p), `10${superscript(p)}`]), y: powers(low, high).map(([p, text]) => [py(p), text]), name: "learning rate",
    });
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 5, box.right - box.left + 4, box.bottom - box.top + 10);
    context.clip();
    names.forEach((name, i) => {
      context.beginPath();
      let drawing = false;
      for (let k = 0; k < n; k++) {
        const v = value(i, k);
        if (!Number.isFinite(tuned.data[i * n + k])) drawing = false;
        else if (drawing) context.lineTo(px(rates.data[k]), py(v));
        else {
          context.moveTo(px(rates.data[k]), py(v));
          drawing = true;
        }
      }
      context.strokeStyle = ink(looks[name].color);
      context.lineWidth = 1.8;
      context.setLineDash(dashes(looks[name]));
      context.stroke();
    });
    names.forEach((name, i) => {
      const k = rates.data.findIndex((rate) => Math.abs(rate / header.results[name].rate - 1) < 1e-3);
      if (k >= 0) marker(context, looks[name].marker, px(rates.data[k]), py(value(i, k)), 5, ink(looks[name].color), theme.card);
    });
    context.restore();
  }
}

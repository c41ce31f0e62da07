// Loss against epoch, train and test, a colour an optimizer; and the size of the gradient in every layer.

import { frame, powers } from "./chart.js";
import { fit, h, ink, palette, short, ticks } from "./dom.js";
import { marker } from "./marks.js";

const COLUMNS = 4; // of a row of the curve: train loss, train score, test loss, test score

// What each optimizer's training has been, an epoch a row.
export class Curves {
  constructor(count) { this.rows = Array.from({ length: count }, () => []); }

  get epochs() { return this.rows[0].length - 1; }

  // The rows of an answer, which ends at `epoch`; what was lost on the way stays empty.
  add({ header: { epoch, epochs }, arrays: { curve, now } }) {
    const row = (from, n) => Array.from(from.data.subarray(COLUMNS * n, COLUMNS * (n + 1)));
    this.rows.forEach((rows, k) => {
      if (epoch === 0) rows.length = 0;
      const put = (e, values) => {
        while (rows.length < e) rows.push([NaN, NaN, NaN, NaN]);
        rows[e] = values;
      };
      for (let n = 0; n < epochs; n++) put(epoch - epochs + 1 + n, row(curve, k * epochs + n));
      if (epochs === 0) put(epoch, row(now, k));
    });
  }

  csv(names) {
    const heads = names.flatMap((name) => ["train_loss", "train_score", "test_loss", "test_score"].map((column) => `${name} ${column}`));
    const lines = this.rows[0].map((_, e) => [e, ...this.rows.flatMap((rows) => rows[e] ?? [])].join());
    return [["epoch", ...heads].join(), ...lines].join("\n") + "\n";
  }
}

export class Charts {
  constructor() {
    this.losses = h("canvas", { class: "chart plain", role: "img", "aria-label": "Training and test loss against epoch" });
    this.norms = h("canvas", { class: "chart plain", role: "img", "aria-label": "Size of the gradient in every layer" });
    this.lossNote = h("p", { class: "soft" });
    this.normNote = h("p", { class: "soft" }, "‖dL/dW, dL/db‖, over all training data. Falling to the left: it vanishes on its way down.");
  }

  drawLosses(curves, looks, log) {
    const [width, height] = [this.losses.clientWidth, this.losses.clientHeight];
    if (!width || !curves) return;
    const context = fit(this.losses, width, height);
    const theme = palette();
    const box = { left: 46, right: width - 10, top: 8, bottom: height - 30 };
    const last = Math.max(curves.epochs, 1);
    const stride = Math.max(1, Math.floor(last / (box.right - box.left)));
    const value = (row, c) => (log ? Math.log10(Math.max(row[c], 1e-7)) : row[c]);
    let [low, high] = [Infinity, -Infinity];
    for (const rows of curves.rows)
      for (let e = 0; e < rows.length; e += stride)
        for (const c of [0, 2]) {
          const v = value(rows[e], c);
          if (Number.isFinite(v)) [low, high] = [Math.min(low, v), Math.max(high, v)];
        }
    const start = Math.max(...curves.rows.map((rows) => (rows[0] ? value(rows[0], 0) : -Infinity)).filter(Number.isFinite), -Infinity);
    if (Number.isFinite(start)) high = Math.min(high, log ? start + 2 : 3 * start + 0.1); // one that diverges does not hide the others
    if (!log) low = 0;
    if (!(low < high)) [low, high] = Number.isFinite(low) ? [low - (log ? 0.5 : 0), low + 0.5] : [0, 1];
    const px = (e) => box.left + (e / last) * (box.right - box.left);
    const py = (v) => box.bottom - ((Math.min(v, high + 1) - low) / (high - low)) * (box.bottom - box.top);
    frame(context, box, theme, {
      x: ticks(0, last, width < 360 ? 3 : 5).filter(Number.isInteger).map((e) => [px(e), short(e, 5)]),
      y: log ? powers(low, high).map(([p, text]) => [py(p), text]) : ticks(low, high, 4).map((v) => [py(v), short(v)]), name: "epoch",
    });
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 3, box.right - box.left + 3, box.bottom - box.top + 6);
    context.clip();
    curves.rows.forEach((rows, k) => {
      for (const [column, dash, thick] of [[2, [5, 4], 1.5], [0, [], 2.1]]) {
        context.beginPath();
        let drawing = false;
        for (let e = 0; e < rows.length; e = e === rows.length - 1 ? rows.length : Math.min(e + stride, rows.length - 1)) {
          const v = value(rows[e], column);
          if (!Number.isFinite(v)) drawing = false;
          else if (drawing) context.lineTo(px(e), py(v));
          else {
            context.moveTo(px(e), py(v));
            drawing = true;
          }
        }
        context.strokeStyle = ink(looks[k].color);
        context.globalAlpha = column === 2 ? 0.75 : 1;
        context.lineWidth = thick;
        context.setLineDash(dash);
        context.stroke();
      }
    });
    context.restore();
  }

  drawNorms(norms, looks, diverged) {
    const [width, height] = [this.norms.clientWidth, this.norms.clientHeight];
    if (!width || !norms) return;
    const context = fit(this.norms, width, height);
    const theme = palette();
    const box = { left: 46, right: width - 14, top: 10, bottom: height - 30 };
    const [count, layers] = norms.shape;
    const value = (k, l) => Math.log10(Math.max(norms.data[k * layers + l], 1e-12));
    const there = (k, l) => diverged[k] === null && Number.isFinite(norms.data[k * layers + l]);
    const all = [...norms.data].filter((v, n) => there(Math.floor(n / layers), n % layers)).map((v) => Math.log10(Math.max(v, 1e-12)));
    let [low, high] = all.length ? [Math.min(...all), Math.max(...all)] : [-3, 0];
    [low, high] = [Math.max(Math.min(Math.floor(low), Math.floor(high) - 2), Math.ceil(high) - 9), Math.ceil(high + 0.01)]; // what is smaller, 0 too, stands at the foot
    const px = (l) => (layers === 1 ? (box.left + box.right) / 2 : box.left + 16 + (l / (layers - 1)) * (box.right - box.left - 32));
    const py = (v) => box.bottom - ((Math.max(v, low) - low) / (high - low)) * (box.bottom - box.top);
    frame(context, box, theme, { x: Array.from({ length: layers }, (_, l) => [px(l), String(l + 1)]), y: powers(low, high).map(([p, text]) => [py(p), text]), name: "layer" });
    for (let k = 0; k < count; k++) {
      context.beginPath();
      for (let l = 0; l < layers; l++) if (there(k, l)) context.lineTo(px(l), py(value(k, l)));
      context.strokeStyle = ink(looks[k].color);
      context.lineWidth = 2;
      context.stroke();
      for (let l = 0; l < layers; l++) if (there(k, l)) marker(context, looks[k].marker, px(l), py(value(k, l)), 4, ink(looks[k].color), theme.card);
    }
  }
}

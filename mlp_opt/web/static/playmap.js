// The large map: what the network, or one unit of it, makes of every point of the plane, with the data on it.

import { fit, h, palette, short, ticks } from "./dom.js";
import { paint, sign, tone } from "./playcolors.js";

export const SPAN = 6; // the plane reaches from -SPAN to SPAN

export class BigMap {
  constructor() {
    this.canvas = h("canvas", { class: "layer", role: "img", "aria-label": "What the network makes of every point of the plane, and the data." });
    this.over = h("canvas", { class: "layer", "aria-hidden": "true" });
    this.stage = h("div", { class: "bigmap" }, this.canvas, this.over);
    this.legend = h("canvas", { class: "ramp", "aria-hidden": "true" });
    this.sheet = document.createElement("canvas");
    this.caption = h("p", { class: "soft", hidden: true });
    this.element = h("div", {}, this.stage, this.legend, this.caption);
  }

  // values (side, side) from low y to high; view: { scale, shift, ends, discrete }.
  draw(net, values, side, view, { test, regression }) {
    const width = this.stage.clientWidth;
    if (!width) return;
    const box = { left: 30, top: 4, size: width - 34 };
    const context = fit(this.canvas, width, width);
    const theme = palette();
    if (this.sheet.width !== side) this.sheet.width = this.sheet.height = side;
    const sheet = this.sheet.getContext("2d");
    const image = sheet.createImageData(side, side);
    paint(new Uint32Array(image.data.buffer), 0, values.data, values.from, side, view.scale, view.shift, view.discrete);
    sheet.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = !view.discrete;
    context.drawImage(this.sheet, 0, 0, side, side, box.left, box.top, box.size, box.size);
    const now = JSON.stringify([view, test, regression, width, theme.ink, net.header.id, window.devicePixelRatio]); // the rest stays as it is while it trains
    if (now === this.before) return;
    this.before = now;
    const above = fit(this.over, width, width);
    this.#axes(above, net.header.ranges, box, theme);
    this.#points(above, net, box, theme, test, regression);
    this.#bar(view, theme);
    const { names, classes, task } = net.header;
    this.caption.hidden = names.join() === "x,y,target";
    this.caption.textContent = `Across: ${names[0]}. Up: ${names[1]}. Colour: ${names[2]}${task === "regression" ? "" : `, ${classes[0]} or ${classes[1]}`}.`;
  }

  #axes(context, [xs, ys], box, theme) {
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = theme.soft;
    const px = (v, [a, b]) => ((v - a) / (b - a)) * box.size;
    context.textAlign = "center";
    for (const v of ticks(xs[0], xs[1], 5)) if (px(v, xs) > 8 && px(v, xs) < box.size - 8) context.fillText(short(v), box.left + px(v, xs), box.top + box.size + 14);
    context.textAlign = "right";
    for (const v of ticks(ys[0], ys[1], 5)) if (px(v, ys) > 8 && px(v, ys) < box.size - 8) context.fillText(short(v), box.left - 5, box.top + box.size - px(v, ys) + 4);
  }

  #points(context, net, box, theme, test, regression) {
    const { data, shape: [n] } = net.arrays.points;
    const first = net.header.train;
    const radius = n > 600 ? 2.2 : 3;
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.size, box.size);
    context.clip();
    for (let k = test ? n - 1 : first - 1; k >= 0; k--) { // those trained on lie above
      const [x, y, value] = [data[3 * k], data[3 * k + 1], data[3 * k + 2]];
      const [px, py] = [box.left + ((x + SPAN) / (2 * SPAN)) * box.size, box.top + ((SPAN - y) / (2 * SPAN)) * box.size];
      context.beginPath();
      if (k < first) context.arc(px, py, radius, 0, 2 * Math.PI);
      else context.rect(px - 2.2, py - 2.2, 4.4, 4.4);
      context.fillStyle = regression ? tone(value) : sign(2 * value - 1);
      context.fill();
      context.lineWidth = k < first ? 1 : 0.8;
      context.strokeStyle = k >= first ? theme.ink : regression ? "rgba(60,66,76,.75)" : "#ffffff";
      context.stroke();
    }
    context.restore();
  }

  #bar(view, theme) {
    const width = this.legend.clientWidth;
    const context = fit(this.legend, width, 30);
    const [left, right] = [30, width - 4];
    for (let px = left; px < right; px++) {
      const v = (2 * (px - left)) / (right - left) - 1;
      context.fillStyle = tone(view.discrete ? Math.sign(v) * 0.75 : v);
      context.fillRect(px, 4, 1.5, 8);
    }
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = theme.soft;
    [["left", left, view.ends[0]], ["center", (left + right) / 2, view.ends[1]], ["right", right, view.ends[2]]].forEach(([align, at, text]) => {
      context.textAlign = align;
      context.fillText(text, at, 25);
    });
  }
}

// A small picture of a data set, for its button.
export function thumbnail(canvas, points, count, from, regression) {
  const context = fit(canvas, 44, 44);
  for (let k = from; k < from + count; k++) {
    const [x, y, value] = [points[3 * k], points[3 * k + 1], points[3 * k + 2]];
    context.beginPath();
    context.arc(22 + (x / SPAN) * 21, 22 - (y / SPAN) * 21, 1.6, 0, 2 * Math.PI);
    context.fillStyle = regression ? tone(value) : sign(2 * value - 1);
    context.fill();
  }
}

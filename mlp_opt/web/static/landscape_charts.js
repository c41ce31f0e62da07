// Beside a loss plane: how far the loss drawn under a path is from the true one, the lines between solutions, the curvature along the runs.

import { h, ink, short } from "./dom.js";
import { dashes } from "./marks.js";
import { axis, Plot } from "./plot.js";

const PAIRS = ["#56B4E9", "#CC79A7", "#009E73", "#E69F00", "#0072B2", "#D55E00", "#000000"]; // lines between two solutions
const chart = (label, kind = "") => h("canvas", { class: `chart side-chart ${kind}`, role: "img", "aria-label": label });
const card = (label, heading, ...rest) => h("section", { class: "card", "aria-label": label }, h("h2", {}, heading), ...rest);

// What the plane leaves out: above the losses of the networks and under their shadows, below the gap between them.
export class Gap {
  constructor(tab) {
    this.tab = tab;
    this.above = chart("Training loss of the real networks (lines) and at their projections on the plane (dots), by epoch. Press to go to an epoch.", "short");
    this.below = chart("Gap: the real loss minus the plane's, by epoch. Press to go to an epoch.", "low");
    this.note = h("p", { class: "soft" });
    this.element = card("Gap", "What the plane leaves out", this.note, h("h3", {}, "Training loss: line real, dots on the plane"), this.above, h("h3", {}, "Gap: real minus plane"), this.below);
    for (const canvas of [this.above, this.below]) {
      const scrub = (event) => { if (event.buttons && this.plot) tab.player.go(Math.round(this.plot.at(event.offsetX))); };
      canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); scrub(event); });
      canvas.addEventListener("pointermove", scrub);
    }
  }

  show(data) {
    this.element.hidden = !data.methods.length;
    if (!data.methods.length) return;
    const shares = data.explained ?? [];
    const sum = shares.reduce((a, b) => a + b, 0);
    const worst = Math.max(...data.runs.map((run) => run["largest gap"] ?? 0));
    this.note.textContent = `No path lies in the plane: what is drawn is its shadow. The plane holds ${percent(sum)} of the paths' variance; the loss under a shadow is up to ${short(worst, 2)} off.`;
  }

  draw() {
    const { paths, data, shown, t, looks } = this.tab;
    if (!paths || !this.above.clientWidth || this.element.hidden) return;
    const steps = Array.from({ length: paths.steps + 1 }, (_, k) => k);
    const x = { low: 0, high: Math.max(paths.steps, 1), name: "epoch", whole: true };
    const column = (names, columns) => names.flatMap((name) => columns.flatMap((c) => steps.map((k) => paths.at(name, c, k))));
    const above = new Plot(this.above, { x, y: axis(column(data.methods, ["loss", "on_plane"]), { log: true }), left: 52 });
    const gaps = column(data.methods, ["gap"]);
    const below = (this.plot = new Plot(this.below, { x, y: axis([...gaps, 0], { room: 0.12 }), left: 52 }));
    below.line([[0, 0], [paths.steps, 0]], { color: below.theme.soft, width: 1 });
    for (const name of shown) {
      const color = ink(looks[name].color);
      above.line(steps.map((k) => [k, paths.at(name, "loss", k)]), { color, dash: dashes(looks[name]) });
      for (const k of thin(steps)) above.mark("o", above.px(k), above.py(paths.at(name, "on_plane", k)), 2.8, above.theme.card, { edge: color });
      below.line(steps.map((k) => [k, paths.at(name, "gap", k)]), { color, dash: dashes(looks[name]) });
    }
    for (const plot of [above, below]) plot.rule(t, plot.theme.ink);
    this.below.dataset.drawn = JSON.stringify(Object.fromEntries(shown.map((name) => [name, paths.at(name, "gap", Math.floor(t))])));
  }
}

// Straight lines from the initial weights to each solution, and between solutions, with the barrier on the way.
export class Lines {
  constructor(tab) {
    this.tab = tab;
    this.grown = chart("Loss along the line from the initial weights to each solution");
    this.between = chart("Loss along the line between each two solutions");
    this.rows = h("tbody");
    this.table = h("table", {}, h("thead", {}, h("tr", {}, ["between", "barrier"].map((text) => h("th", { scope: "col" }, text)))), this.rows);
    this.second = h("div", {}, h("h3", {}, "From one solution (0) to another (1)"), this.between, this.table,
      h("p", { class: "soft" }, "Barrier: how far the loss rises above the straight line between its two ends."));
    this.element = card("Lines", "Straight lines between networks", h("h3", {}, "From the initial weights (0) to the solution (1)"), this.grown, this.second);
  }

  show(data) {
    const pairs = data.lines.map((line, k) => ({ ...line, k })).filter((line) => line.from !== null);
    this.pairs = pairs;
    this.starts = data.lines.map((line, k) => ({ ...line, k })).filter((line) => line.from === null);
    this.element.hidden = !data.lines.length;
    this.second.hidden = !pairs.length;
    this.rows.replaceChildren(...pairs.map(({ from, to, barrier }, i) => h("tr", {}, h("th", { scope: "row" }, h("i", { class: "dot", style: `background: ${ink(PAIRS[i % PAIRS.length])}` }), `${from} – ${to}`),
      h("td", {}, barrier === null ? "∞" : short(barrier, 2)))));
  }

  draw() {
    const { data, looks, shown } = this.tab;
    if (!data?.line_t || !this.grown.clientWidth) return;
    const [, n] = data.line_t.shape;
    const part = (name, k) => [...data[`line_${name}`].data.subarray(k * n, (k + 1) * n)];
    const draw = (canvas, lines, look) => {
      if (!lines.length) return;
      const all = lines.flatMap(({ k }) => part("loss", k));
      const plot = new Plot(canvas, { x: { low: part("t", lines[0].k)[0], high: part("t", lines[0].k).at(-1), name: "share of the way" }, y: axis(all, { log: true }), left: 52 });
      for (const end of [0, 1]) plot.rule(end, plot.theme.edge);
      for (const [i, line] of lines.entries()) {
        const loss = part("loss", line.k);
        plot.line(part("t", line.k).map((t, m) => [t, loss[m]]), look(line, i));
      }
      canvas.dataset.drawn = JSON.stringify(lines.map(({ k }) => part("loss", k).at(-1)));
    };
    draw(this.grown, this.starts.filter(({ to }) => shown.includes(to)), ({ to }) => ({ color: ink(looks[to].color), dash: dashes(looks[to]) }));
    if (this.pairs.length) draw(this.between, this.pairs, (_, i) => ({ color: ink(PAIRS[i % PAIRS.length]), dash: [[], [7, 4], [2, 3.5]][Math.floor(i / PAIRS.length) % 3] }));
  }
}

// The largest eigenvalue of the Hessian along each run, and the curvature above which its full-batch steps diverge.
export class Sharpness {
  constructor(tab) {
    this.tab = tab;
    this.canvas = chart("The largest eigenvalue of the Hessian along each run, by epoch");
    this.note = h("p", { class: "soft" });
    this.element = card("Sharpness", "Sharpness along the runs", this.canvas, this.note);
  }

  show(data) {
    this.element.hidden = !data.sharpness.length;
    this.tops = data.sharpness.map((one, k) => ({ ...one, epochs: [...row(data[`sharp${k}`], 0)], top: [...row(data[`sharp${k}`], 1)] }));
    const limits = this.tops.filter(({ limit }) => limit !== null);
    const said = limits.map(({ name, limit }) => `${name} ${short(limit)}`).join(", ");
    const without = this.tops.filter(({ limit }) => limit === null).map(({ name }) => name).join(", ");
    this.note.textContent = `The largest eigenvalue of the loss's Hessian.${said ? ` Dashed: full-batch steps diverge along a direction of higher curvature (2/α, with momentum μ 2(1 + μ)/α): ${said}.` : ""}${without ? ` For ${without} there is no such line.` : ""}`;
  }

  draw() {
    const { looks, shown, t } = this.tab;
    if (!this.tops?.length || !this.canvas.clientWidth) return;
    const tops = this.tops.filter(({ name }) => shown.includes(name));
    const all = tops.flatMap(({ top }) => top);
    const high = Math.max(...all.filter(Number.isFinite), 0);
    const near = tops.map(({ limit }) => limit).filter((limit) => limit !== null && limit < 30 * high); // one far off is left out of sight
    const positive = all.filter((v) => v > 0);
    const y = axis(positive.length === all.length ? [...all, ...near] : [...all, ...near, 0], { log: true, room: 0.07 });
    const last = Math.max(...tops.flatMap(({ epochs }) => epochs), 1);
    const plot = new Plot(this.canvas, { x: { low: 0, high: last, name: "epoch", whole: true }, y, left: 52 });
    for (const { name, epochs, top, limit } of tops) {
      const color = ink(looks[name].color);
      if (limit !== null && near.includes(limit)) plot.line([[0, limit], [last, limit]], { color, width: 1.4, dash: [6, 4] });
      plot.line(epochs.map((e, k) => [e, top[k]]), { color, dash: dashes(looks[name]) });
      for (const k of thin(epochs.map((_, i) => i))) if (Number.isFinite(top[k])) plot.mark("o", plot.px(epochs[k]), plot.py(top[k]), 2.6, color, { edge: plot.theme.card });
    }
    if (this.tab.paths) plot.rule(t, plot.theme.ink);
    this.canvas.dataset.drawn = JSON.stringify(Object.fromEntries(tops.map(({ name, top }) => [name, top.at(-1)])));
  }
}

const row = ({ data, shape: [, n] }, k) => data.subarray(k * n, (k + 1) * n);
const thin = (list) => list.filter((_, k) => k % Math.max(Math.ceil(list.length / 60), 1) === 0);
export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

// The Landscape tab: the loss plane of `mlp-opt landscape` with the paths on it, and what it leaves out; or the curves of a trained network.

import { Gap, Lines, percent, Sharpness } from "./landscape_charts.js";
import * as addresses from "./landscape_state.js";
import { powers } from "./chart.js";
import { h, ink, palette, short } from "./dom.js";
import { Folders } from "./folders.js";
import { drawGround, drawPaths, View } from "./map.js";
import { marker, swatch } from "./marks.js";
import { Paths } from "./paths.js";
import { Player } from "./player.js";
import { Relief, turnable } from "./relief.js";
import { picture, save, sharing, table } from "./share.js";
import { Trained } from "./trained.js";

export const title = "Landscape";
export const open = (page) => new Landscape(page);
const QUIET = { gradient: false, velocity: false, step: false, squares: false };

class Landscape {
  data = null;
  paths = null;

  constructor(page) {
    Object.assign(this, { page, transport: page.transport, signal: page.signal, address: page.address });
    this.state = addresses.read(location.hash.slice(1));
    this.folders = new Folders({
      page, kinds: { landscape: "Landscapes", train: "Trained networks" }, label: "Run", chosen: (name) => this.choose(name), looked: () => this.#looked(),
      words: { title: "No landscape yet", text: "See the loss that optimizers saw on a network of yours: their paths on one plane, the lines between their solutions, the curvature on the way. In a terminal, one of:" },
    });
    this.player = new Player({
      time: () => this.t, steps: () => this.steps, speed: () => this.state.speed, unit: "epoch", pace: () => Math.max(this.steps / 6, 1.5),
      moved: (t) => { this.state.t = t >= this.steps ? null : t; this.draw(); this.remember(); },
      faster: (speed) => { this.state.speed = speed; this.remember(); },
    });
    [this.gap, this.lines, this.sharp] = [new Gap(this), new Lines(this), new Sharpness(this)];
    this.trained = new Trained();
    this.#layout();
    page.tools.append(...sharing(page, () => addresses.write(this.state), [
      ["Picture (PNG)", async () => save(await picture(this.layers()), "landscape.png")],
      ["What is shown (CSV)", () => this.data && save(table(this.csv()), this.data.methods ? "paths.csv" : "history.csv")],
    ]));
    const resized = new ResizeObserver(() => { this.old = true; this.draw(); });
    resized.observe(this.board);
    page.signal.addEventListener("abort", () => { resized.disconnect(); this.player.pause(); });
    window.addEventListener("hashchange", () => { // typed, or a link within the page
      if (page.signal.aborted) return;
      this.state = addresses.read(location.hash.slice(1));
      this.data = null;
      this.#looked();
    }, { signal: page.signal });
    document.addEventListener("keydown", (event) => { if (this.paths) this.player.key(event); }, { signal: page.signal });
    this.folders.start();
  }

  get steps() { return this.paths?.steps ?? 0; }
  get t() { return Math.min(this.state.t ?? this.steps, this.steps); }
  get looks() { return this.data.looks; }
  get shown() { return Object.keys(this.looks).filter((name) => !this.state.hide.includes(name)); }

  #layout() {
    this.ground = h("canvas", { class: "layer" });
    this.over = h("canvas", { class: "layer still", role: "img" });
    this.relief = h("canvas", { class: "layer", role: "img", "aria-label": "The loss plane in relief. Drag to turn it.", hidden: true });
    this.stage = h("div", { class: "stage" }, this.ground, this.over, this.relief);
    turnable(this.relief, () => this.state.turn, (turn) => { this.state.turn = turn; this.draw(); this.remember(); });
    const view = (name, text) => h("button", { type: "button", "data-view": name, onclick: () => { this.state.view = name; this.old = true; this.draw(); this.remember(); } }, text);
    this.views = h("div", { class: "segments", role: "group", "aria-label": "View" }, view("map", "Map"), view("relief", "Relief"));
    this.planes = h("select", { "aria-label": "Plane", onchange: () => { this.state.plane = Number(this.planes.value); this.old = true; this.draw(); this.remember(); } });
    this.scale = h("div", { class: "scale loss-scale" }, h("span", {}, "training loss"), this.bar = h("i"));
    this.caption = h("p", { class: "soft" });
    const main = h("section", { class: "card main", "aria-label": "Loss plane" }, h("div", { class: "row spread bar" }, this.title = h("h2"), this.planes, this.views), this.stage, this.scale, this.player.element, this.caption);
    this.list = h("ul", { class: "methods" });
    this.ends = h("p", { class: "soft" });
    const side = h("section", { class: "card", "aria-label": "Optimizers" }, h("h2", {}, "Optimizers"), this.list, this.ends);
    this.board = h("div", { class: "plane-board", hidden: true }, main, h("div", { class: "charts" }, side, this.gap.element), h("div", { class: "charts third" }, this.lines.element, this.sharp.element));
    this.headline = h("h1", { class: "headline" });
    this.facts = h("p", { class: "facts soft" });
    this.top = h("section", { class: "top", "aria-label": "The run", hidden: true }, h("div", { class: "row spread" }, h("div", {}, this.headline, this.facts), this.folders.select));
    this.page.root.replaceChildren(this.top, this.folders.error, this.folders.empty, this.board, this.trained.element);
  }

  layers() { return this.data && !this.data.methods ? [this.trained.curves.charts[0].canvas] : this.state.view === "map" ? [this.ground, this.over] : [this.relief]; }

  #looked() {
    const { folders, state } = this;
    const none = state.name === null && folders.first === null;
    folders.empty.hidden = !none;
    this.top.hidden = none;
    if (none) return void (this.board.hidden = this.trained.element.hidden = true);
    state.name ??= folders.rows.find(({ kind }) => kind === "landscape")?.name ?? folders.first;
    folders.choose(state.name);
    this.load();
  }

  choose(name) {
    this.player.pause();
    this.state = { ...addresses.fresh(), name, view: this.state.view, speed: this.state.speed };
    this.data = null;
    this.load();
  }

  load() {
    const { name } = this.state;
    const kind = this.folders.kind(name) === "train" ? "runs/train" : "landscape/open";
    this.transport.ask(kind, { name, seen: this.data?.name === name ? this.data.stamp : null }, (answer) => {
      if (this.state.name !== name) return;
      const { header } = answer;
      this.folders.fail(header.error);
      if (header.error) {
        this.headline.textContent = name;
        this.facts.textContent = "";
        this.board.hidden = this.trained.element.hidden = true;
        this.data = this.paths = null;
      } else if (!header.same) (kind === "runs/train" ? this.#train(answer) : this.#opened(answer));
      this.remember();
    });
  }

  #train(answer) {
    this.data = { ...answer.header };
    this.paths = null;
    this.board.hidden = true;
    this.trained.element.hidden = false;
    this.headline.textContent = `A network on ${answer.header.dataset || "data"}`;
    this.facts.textContent = this.trained.show(answer);
  }

  #opened(answer) {
    const { header, arrays } = answer;
    this.data = { ...header, ...arrays };
    this.paths = header.methods.length ? new Paths(answer) : null;
    const { state } = this;
    state.hide = state.hide.filter((name) => name in header.looks);
    if (state.plane >= header.planes.length) state.plane = 0;
    this.board.hidden = false;
    this.trained.element.hidden = true;
    const n = Math.max(header.runs.length, header.methods.length);
    this.headline.textContent = n > 1 ? `The loss that ${n} optimizers saw` : "The loss that the optimizer saw";
    this.facts.textContent = [header.dataset, header.hidden === "none" ? "no hidden layer" : `hidden ${header.hidden}`, header.batch ? `batches of ${header.batch}` : "full batches", `${header.runs[0]?.epochs ?? header.steps} epochs`].filter(Boolean).join(" · ");
    this.planes.hidden = header.planes.length < 2;
    this.planes.replaceChildren(...header.planes.map(({ title }, k) => h("option", { value: k }, `around ${title}`)));
    this.title.textContent = this.paths ? "The loss around the paths" : "The loss around a solution";
    this.board.classList.toggle("few", !this.paths);
    this.player.element.hidden = !this.paths;
    this.caption.textContent = this.paths ? `u and v: distance along the paths' two principal axes, which hold ${(header.explained ?? []).map(percent).join(" and ")} of their variance.`
      : "Around the solution, in the middle, along two random directions: at 1 every neuron has moved by its own norm.";
    this.#legend();
    this.#listed();
    for (const part of [this.gap, this.lines, this.sharp]) part.show(this.data);
    this.old = true;
    this.draw();
  }

  #surface() {
    const { data, state } = this;
    const plane = data.planes[state.plane];
    return { x: plane.x, y: plane.y, heights: data[`heights${state.plane}`], low: data.low, high: data.high, names: { x: "u", y: "v" },
      minima: this.paths ? { data: [], shape: [0, 2] } : { data: [0, 0], shape: [1, 2] } };
  }

  #legend() {
    const { low, high, cut } = this.data;
    const stops = palette().ground.map((c) => `rgb(${c})`).join(",");
    this.bar.style.background = `linear-gradient(90deg, ${stops})`;
    const marks = powers(low, high).map(([p, text]) => h("em", { style: `left: ${(100 * (p - low)) / (high - low)}%` }, text));
    this.bar.replaceChildren(...marks);
    this.bar.title = cut ? "What is higher has the colour of the upper end" : "";
  }

  #listed() {
    const { data, state } = this;
    this.readings = {};
    const names = Object.keys(data.looks);
    this.list.replaceChildren(...names.map((name) => {
      const eye = h("input", { type: "checkbox", "aria-label": `Show ${name}`, checked: !state.hide.includes(name), onchange: () => {
        state.hide = eye.checked ? state.hide.filter((other) => other !== name) : [...state.hide, name];
        this.draw();
        this.remember();
      } });
      const picture = h("canvas", { class: "swatch", "aria-hidden": "true" });
      swatch(picture, data.looks[name], ink(data.looks[name].color), palette().card);
      const read = (this.readings[name] = h("span", { class: "loss" }));
      const rate = data.rates[name];
      return h("li", { "data-method": name }, h("label", { class: "head" }, eye, picture, h("span", { class: "name" }, name), h("span", { class: "soft" }, rate === undefined ? "" : `α ${short(rate)}`), read));
    }));
    const metric = `train ${data.metric}`;
    this.ends.textContent = data.runs.map((run) => (run.ended === "diverged" ? `${run.optimizer} diverged and is not drawn; a smaller learning rate may help.`
      : null)).filter(Boolean).join(" ") || `At the end: ${data.runs.map((run) => `${run.optimizer} ${data.metric === "r2" ? "R²" : data.metric} ${short(run[metric])}`).join(", ")} on the training rows. The rates are as given, not tuned: this ranks no optimizer.`;
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      if (!this.data || this.signal.aborted) return;
      if (this.data.methods) this.#paint();
      else this.trained.curves.draw();
    });
  }

  #paint() {
    const { state, t, paths } = this;
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    if (!width) return;
    const map = state.view === "map";
    this.ground.hidden = this.over.hidden = !map;
    this.relief.hidden = map;
    for (const button of this.views.children) button.setAttribute("aria-pressed", String(button.dataset.view === state.view));
    this.planes.value = state.plane;
    const surface = this.#surface();
    const methods = Object.fromEntries(Object.keys(this.looks).map((name) => [name, { shown: !state.hide.includes(name) }]));
    const none = { methods: [], steps: 0 };
    if (map) {
      const view = new View(surface, width, height);
      if (this.old) drawGround(this.ground, view, surface, null, []);
      this.old = false;
      const first = paths ? ["x", "y"].map((c) => paths.at(paths.methods[0], c, 0)) : null;
      const drawn = first ? drawPaths(this.over, view, paths, { methods, show: QUIET, optax: false, start: first }, t, this.looks) : this.#blank();
      if (first) this.#epochs(view);
      this.over.dataset.drawn = JSON.stringify(drawn);
      this.over.setAttribute("aria-label", paths ? `Contours of the training loss with the paths of ${this.shown.join(", ")} up to epoch ${Math.floor(t)}` : "Contours of the training loss around a solution");
    } else {
      new Relief(surface, width, height, state.turn).draw(this.relief, paths ?? none, { methods }, t, this.looks);
      this.relief.dataset.drawn = "1";
    }
    for (const part of [this.gap, this.lines, this.sharp]) part.draw();
    this.#read();
    if (paths) this.player.update();
  }

  // A dot for every epoch that has passed.
  #epochs(view) {
    const context = this.over.getContext("2d");
    const { paths, t } = this;
    const every = Math.max(Math.ceil(paths.steps / 60), 1);
    for (const name of paths.methods.filter((one) => this.shown.includes(one)))
      for (let k = every; k < t; k += every) marker(context, "o", view.px(paths.at(name, "x", k)), view.py(paths.at(name, "y", k)), 2.6, ink(this.looks[name].color), palette().card);
  }

  #blank() {
    this.over.getContext("2d").clearRect(0, 0, this.over.width, this.over.height);
    return {};
  }

  #read() {
    const k = Math.floor(this.t);
    for (const [name, read] of Object.entries(this.readings)) {
      const loss = this.paths?.methods.includes(name) ? this.paths.at(name, "loss", k) : this.data.runs.find((run) => run.optimizer === name)?.["train loss"];
      read.textContent = loss === undefined ? "" : Number.isNaN(loss) ? "has ended" : `loss ${short(loss)}`;
    }
  }

  csv() {
    if (!this.data.methods) return this.trained.curves.csv();
    if (this.paths) return this.paths.csv();
    const { heights } = this.#surface();
    const { x, y } = this.data.planes[this.state.plane];
    const [ny, nx] = heights.shape;
    const at = ([low, high], k, n) => low + ((high - low) * k) / (n - 1);
    return ["first,second,log10_loss", ...[...heights.data].map((v, k) => `${at(x, k % nx, nx)},${at(y, Math.floor(k / nx), ny)},${v}`)].join("\n") + "\n";
  }

  remember() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.address(addresses.write(this.state)), 200);
  }

  repaint() {
    this.old = true;
    if (this.data?.methods) {
      this.#legend();
      this.#listed();
      this.lines.show(this.data);
    } else this.trained.curves.legended();
    this.draw();
  }
}

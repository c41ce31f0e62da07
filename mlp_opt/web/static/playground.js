// The Playground tab: small networks in training, several optimizers side by side. What it holds, asks for, and when it draws.

import { Charts, Curves } from "./playcharts.js";
import { Controls } from "./playcontrols.js";
import { Editor } from "./playedit.js";
import { LESSONS } from "./playlessons.js";
import { BigMap } from "./playmap.js";
import { FEATURES, Net, largest } from "./playnet.js";
import { Own } from "./playown.js";
import { Rules, labels, lost } from "./playrules.js";
import * as addresses from "./playstate.js";
import { Trainer } from "./playtrain.js";
import { tools } from "./playshare.js";

export const title = "Playground";
export const open = (page) => new Playground(page);

const freshName = () => [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(16).padStart(8, "0")).join("");

class Playground {
  begun = null; // the answer that began this training
  last = null; // the newest answer of it
  painted = 0;

  constructor(page) {
    this.page = page;
    this.transport = page.transport;
    this.transport.ask("playground/about", {}, (answer) => this.#build(answer));
  }

  get names() { return labels(this.state.rules, this.about.methods); }
  get epoch() { return this.last?.header.epoch ?? 0; }

  #build({ header, arrays }) {
    const about = (this.about = header);
    const { signal } = this.page;
    this.state = addresses.read(location.hash.slice(1), about);
    this.samples = arrays.samples;
    this.trainer = new Trainer({ ask: (epochs, done) => this.#train(epochs, done), epoch: () => this.epoch, speed: () => this.state.speed, most: about.limits.epochs, end: about.limits.run, signal,
      told: () => { this.controls.playing(this.trainer.playing); this.draw(); this.remember(); } });
    this.net = new Net({ about, looked: () => this.#looked(), edited: (...where) => this.#edit(...where), toggled: (name) => this.#feature(name), resized: (l, n) => this.change({ hidden: this.state.hidden.map((m, k) => (k === l ? n : m)) }) });
    this.map = new BigMap();
    this.charts = new Charts();
    this.rules = new Rules({ about, changed: () => this.tune({}), listed: (rules) => this.change({ rules, shown: Math.min(this.state.shown, rules.length - 1) }), shown: (k) => this.#show(k) });
    this.own = new Own({ about, used: (own) => this.change({ data: "own", own }) });
    this.editor = new Editor({ signal, set: (layer, to, input, value) => this.#ask("playground/edit", { layer, to, input, value }, () => {}) });
    this.controls = new Controls(this);
    this.page.root.replaceChildren(...this.controls.layout());
    this.page.tools.append(...tools(this));
    this.controls.pictures(this.samples);
    const resized = new ResizeObserver(() => { this.net.shape(this.state); this.draw(); });
    for (const part of [this.net.element, this.map.stage]) resized.observe(part);
    signal.addEventListener("abort", () => { resized.disconnect(); this.trainer.pause(); clearTimeout(this.later); clearTimeout(this.slow); clearTimeout(this.soon); });
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    window.addEventListener("hashchange", () => {
      if (signal.aborted || !location.hash.startsWith("#playground")) return;
      this.trainer.pause();
      this.state = addresses.read(location.hash.slice(1), this.about);
      this.begin(this.state.epoch);
    }, { signal });
    this.begin(this.state.epoch);
    this.page.address(addresses.write(this.state));
  }

  // A new training with the state as it is, trained at once up to an epoch.
  begin(target = 0) {
    const { state } = this;
    const run = (this.run = freshName());
    this.last = this.begun = null;
    this.trainer.reset(target);
    this.rules.build(state);
    this.net.shape(state);
    this.net.draw(null, null); // empty until the server has it
    this.map.stage.classList.add("busy");
    this.controls.update();
    clearTimeout(this.slow);
    this.slow = setTimeout(() => { this.controls.wait.hidden = this.run !== run || this.last !== null; }, 500);
    const body = { run, shown: state.shown, ...addresses.network(state), ...addresses.numbers(state) };
    this.transport.ask("playground/begin", body, (answer) => {
      if (this.run !== run) return;
      this.controls.wait.hidden = true;
      const { error } = answer.header;
      this.own.fail(state.data === "own" ? error : null);
      if (state.data === "own") this.own.field.value ||= state.own;
      this.controls.say(state.data === "own" ? null : error);
      if (error) return this.trainer.pause();
      this.begun = answer;
      this.map.stage.classList.remove("busy");
      this.curves = new Curves(state.rules.length);
      this.#got(answer);
    });
    this.remember();
  }

  // A change that makes another training.
  change(change) {
    if (!("data" in change && change.data === "own")) this.own.element.hidden = this.own.element.hidden || "data" in change;
    Object.assign(this.state, change);
    this.controls.update();
    this.editor.element.hidden = true;
    this.net.hover = null;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.begin(0), 60); // a slider that is moved asks for one now and then
  }

  // A number that may change while it trains.
  tune(change) {
    Object.assign(this.state, change);
    this.remember();
  }

  reset() {
    this.trainer.pause();
    this.begin(0);
  }

  layers(by) {
    const { hidden } = this.state;
    this.change({ hidden: by < 0 ? hidden.slice(0, -1) : [...hidden, hidden.at(-1) ?? 4] });
  }

  lesson(id) {
    const found = LESSONS.find((lesson) => lesson.id === id);
    this.trainer.pause();
    this.editor.element.hidden = this.own.element.hidden = true;
    this.state = { ...addresses.fresh(), ...structuredClone(found?.state ?? {}), lesson: found ? id : null };
    this.begin(0);
  }

  #feature(name) {
    const { features } = this.state;
    const next = this.about.features.filter((other) => (other === name ? !features.includes(name) : features.includes(other)));
    if (next.length) this.change({ features: next });
    else this.controls.say("A network needs at least one feature.");
  }

  #ask(kind, body, done) {
    const { run } = this;
    const whole = { run, shown: this.state.shown, unit: this.#unit(), ...addresses.numbers(this.state), ...body };
    clearTimeout(this.slow);
    this.slow = setTimeout(() => { this.controls.wait.hidden = false; }, 700); // a number that was switched on: another program
    this.transport.ask(kind, whole, (answer) => {
      if (this.run !== run) return;
      clearTimeout(this.slow);
      this.controls.wait.hidden = true;
      const { header } = answer;
      if (header.lost) return this.begin(Math.max(this.epoch, this.trainer.target)); // the server has forgotten it: the same again
      if (header.error) {
        this.trainer.pause();
        this.controls.say(header.error);
      } else this.#got(answer);
      done();
    });
  }

  #train(epochs, done) {
    if (!this.begun) return void setTimeout(done, 50);
    this.#ask("playground/train", { from: this.epoch, epochs }, done);
  }

  #got(answer) {
    this.last = answer;
    this.curves.add(answer);
    this.draw();
    if (answer === this.begun) this.trainer.pump();
  }

  // The unit whose large map is wanted: the one pointed at, else the output.
  #unit() {
    const { hover, sizes } = this.net;
    const hidden = sizes.slice(1, -1);
    const all = hidden.reduce((a, b) => a + b, 0);
    if (!hover || hover.unit === undefined || hover.layer === 0 || hover.layer > hidden.length) return all;
    return hidden.slice(0, hover.layer - 1).reduce((a, b) => a + b, 0) + hover.unit;
  }

  #looked() {
    this.draw();
    if (this.last && this.#unit() !== this.last.header.unit) this.trainer.look();
  }

  #show(k) {
    this.state.shown = k;
    this.trainer.look();
    this.remember();
  }

  #edit(layer, to, input) {
    if (this.last) this.editor.open(this.net, this.last.arrays.params.data, layer, to, input);
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      if (this.last && !this.page.signal.aborted) this.#paint();
    });
  }

  #paint() {
    const started = performance.now();
    const { last, begun, state, controls } = this;
    const { header, arrays } = last;
    const regression = begun.header.task === "regression";
    this.net.output = regression ? { scale: 1, shift: 0 } : { scale: 0.5, shift: 0.5 };
    this.net.draw(begun, last);
    this.#large(regression);
    const now = performance.now();
    if (!this.trainer.playing || now - (this.charted ?? 0) > 66) { // charts are as readable at 15 frames a second
      this.charted = now;
      this.charts.drawLosses(this.curves, this.rules.looks, state.log);
      this.charts.drawNorms(arrays.norms, this.rules.looks, header.diverged);
      this.rules.update(arrays.now, header.diverged, header.shown, begun.header.loss);
    }
    this.editor.update(arrays.params.data);
    controls.count.value = header.epoch.toLocaleString("en");
    controls.lossTitle.textContent = regression ? "Mean squared error" : "Cross-entropy (BCE)";
    const [train, score, test, testScore] = arrays.now.data.subarray(4 * header.shown, 4 * header.shown + 4);
    const said = (v) => (Number.isFinite(v) ? (regression ? v.toFixed(2).replace("-", "−") : `${(100 * v).toFixed(1)} %`) : "–");
    controls.scores.textContent = header.diverged[header.shown] === null ? `${regression ? "R²" : "right"}: ${said(score)} training, ${said(testScore)} test` : "lost";
    controls.say(lost(this.names, header.diverged) ?? (header.epoch >= this.about.limits.run ? `${header.epoch} epochs: a training ends here.` : null));
    this.net.stage.dataset.drawn = JSON.stringify({ epoch: header.epoch, run: this.run, now: [train, score, test, testScore].map((v) => (Number.isFinite(v) ? v : null)) });
    performance.measure("train", { start: started, end: performance.now() });
    if (++this.painted % 1000 === 0) performance.clearMeasures("train");
    this.remember();
  }

  #large(regression) {
    const { begun, last, state, net } = this;
    const { hover } = net;
    const feature = hover?.layer === 0 && hover.unit !== undefined ? hover.unit : null;
    const total = net.sizes.slice(1, -1).reduce((a, b) => a + b, 0);
    const [low, high] = begun.header.ranges[2];
    const middle = (low + high) / 2;
    const digits = (v) => String(Number(v.toPrecision(3))).replace("-", "−");
    let values = { ...last.arrays.large, from: 0 };
    let [side, view] = [100, regression ? { scale: 1, shift: 0, ends: [digits(low), digits(middle), digits(high)], discrete: state.discrete }
      : { scale: 0.5, shift: 0.5, ends: [begun.header.classes[0], "½", begun.header.classes[1]], discrete: state.discrete }];
    let name = "Output";
    if (feature !== null) {
      const features = begun.arrays.features;
      side = features.shape[1];
      values = { data: features.data, from: feature * side * side };
      view = { scale: 5, shift: 0, ends: ["−5", "0", "5"] };
      name = `Feature ${FEATURES[this.about.features[feature]]}`;
    } else if (last.header.unit !== total) {
      const scale = largest(values.data, 0, side * side);
      view = { scale, shift: 0, ends: [digits(-scale), "0", digits(scale)] };
      let at = last.header.unit;
      let layer = 1;
      while (at >= net.sizes[layer]) at -= net.sizes[layer++];
      name = `Unit ${at + 1} of layer ${layer}`;
    }
    this.controls.outTitle.textContent = name;
    this.map.draw(begun, values, side, view, { test: state.test, regression });
  }

  // The address follows, but not at every frame; it tells the epoch only of a training that rests.
  remember() {
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      const epoch = this.trainer.playing ? 0 : Math.min(this.last ? this.epoch : this.state.epoch, 5000);
      if (this.last) this.state.epoch = epoch;
      this.page.address(addresses.write({ ...this.state, epoch }));
    }, 300);
  }

  repaint() {
    if (!this.controls) return;
    this.rules.repaint();
    this.controls.pictures(this.samples);
    this.draw();
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.closest("input, select, textarea, summary") && !(event.key === " " && event.target.type === "range")) return;
    const acts = { ArrowRight: () => this.trainer.step(), Home: () => this.reset() };
    if (event.key === " " && !event.target.closest("button, a")) acts[" "] = () => this.trainer.press();
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }
}

// The Playground's cards: data, network, output, and the settings below them.

import { h, icon, short } from "./dom.js";
import { slider } from "./methods.js";
import { thumbnail } from "./playmap.js";
import { EXPLORE, LESSONS } from "./playlessons.js";
import { FASTEST } from "./playtrain.js";

const BATCHES = [1, 2, 5, 10, 20, 30, 50, 100, 0];
const SPEEDS = [1, 5, 15, 30, 60, 120, FASTEST];
const NAMES = { circle: "Circle", xor: "Xor", gaussians: "Clouds", spiral: "Spiral", moons: "Moons", plane: "Plane", bumps: "Bumps", own: "Own" };
const nice = (name) => name.replaceAll("_", " ");
const percent = (v) => `${Math.round(100 * v)} %`;

export class Controls {
  constructor(tab) {
    this.tab = tab;
    const { about } = tab;
    const button = (name, label, act) => h("button", { type: "button", class: "round", "aria-label": label, title: label, onclick: act }, icon(name));
    this.toggle = h("button", { type: "button", class: "round play", "aria-label": "Play", title: "Play (space)", onclick: () => tab.trainer.press() }, icon("play"));
    this.count = h("output", { class: "epoch", "aria-label": "Epoch" });
    this.speeds = this.#select("Epochs a second", SPEEDS.map((v) => [v, v === FASTEST ? "as fast as it goes" : v === 1 ? "1 epoch / s" : `${v} epochs / s`]), (v) => { tab.state.speed = Number(v); tab.remember(); });
    this.player = h("div", { class: "player", role: "group", "aria-label": "Training" }, this.toggle, button("forward", "One epoch (right arrow)", () => tab.trainer.step()),
      button("reset", "Back to the first weights (home)", () => tab.reset()), h("span", { class: "count" }, "epoch ", this.count), h("span", { class: "fill" }), this.speeds);
    this.message = h("p", { class: "lost", role: "alert", hidden: true });
    this.wait = h("p", { class: "soft waiting", role: "status", hidden: true }, "Getting this network ready: its program is being compiled …");
    this.chips = [{ id: null, title: "Explore" }, ...LESSONS].map(({ id, title }) => h("button", { type: "button", class: "chip", "data-lesson": id ?? "", onclick: () => tab.lesson(id) }, title));
    this.text = h("p", { class: "lesson", "aria-live": "polite" });
    const pick = (key, label, names) => (this[key] = this.#select(label, names.map((name) => [name, nice(name)]), (value) => tab.change({ [key]: value })));
    const settings = [["Activation", pick("activation", "Activation", about.activations)], ["First weights", pick("init", "Initial weights", about.initializers)]];
    this.residual = h("input", { type: "checkbox", onchange: () => tab.change({ residual: this.residual.checked }) });
    this.batch = this.#select("Batch size", BATCHES.map((n) => [n, n || "all"]), (v) => tab.change({ batch: Number(v) }));
    this.schedule = this.#select("Schedule of the rates", about.schedules.map((name) => [name, nice(name)]), (v) => tab.change({ schedule: v }));
    this.horizon = h("input", { type: "number", min: 1, max: about.limits.run, "aria-label": "Epochs that the schedule spans", onchange: () => {
      const n = Math.round(Number(this.horizon.value));
      tab.change({ horizon: Math.min(Math.max(n || 1, 1), about.limits.run) });
    } });
    this.span = this.#line("over, epochs", this.horizon);
    const zero = (v) => (v === 0 ? "off" : short(v, 2));
    const number = (key, label, rest) => (this[key] = slider({ label, value: tab.state[key], ...rest, change: (v) => tab.tune({ [key]: v }) }));
    const penalty = { low: 0, high: 1, scale: "0 or log", say: zero, step: 0.05 };
    this.numbers = [number("l1", "L1", penalty), number("l2", "L2", penalty), number("dropout", "Dropout", { low: 0, high: 0.8, scale: "linear", step: 0.05, say: (v) => (v === 0 ? "off" : percent(v)) })];
    const again = (key, label, rest) => (this[key] = slider({ label, value: tab.state[key], scale: "linear", say: percent, step: 0.05, ...rest, change: (v) => tab.change({ [key]: v }) }));
    this.mix = [again("share", "Train share", { low: 0.1, high: 0.9 }), again("noise", "Noise", { low: 0, high: 0.5 })];
    this.layers = h("span", { class: "stepper" }, h("button", { type: "button", "aria-label": "One layer fewer", onclick: () => tab.layers(-1) }, "−"), this.layerCount = h("span"), h("button", { type: "button", "aria-label": "One layer more", onclick: () => tab.layers(1) }, "+"));
    const seeds = h("button", { type: "button", class: "pill", title: "Other initial weights, batches and dropout", onclick: () => tab.change({ seed: (tab.state.seed + 1) % 2 ** 32 }) }, "New weights");
    this.netSettings = h("div", { class: "netsettings" }, settings.map(([text, field]) => this.#line(text, field)), this.#line("Batch", this.batch),
      h("label", { class: "check", title: "z[l] = σ(a[l]) + z[l−1] where two layers are of the same width" }, this.residual, "Residual"));
    this.seeds = seeds;
    this.ruleSettings = h("div", { class: "settings" }, this.#line("Schedule", this.schedule), this.span, h("div", { class: "sliders" }, this.numbers.map(({ row }) => row)));
    const box = (key, label, title, act) => {
      this[`${key}Box`] = h("input", { type: "checkbox", "data-show": key, onchange: () => { tab.state[key] = this[`${key}Box`].checked; act?.(); tab.draw(); tab.remember(); } });
      return h("label", { class: "check", title }, this[`${key}Box`], label);
    };
    this.boxes = h("div", { class: "boxes" }, box("test", "Test data", "Points that are never trained on: squares"), box("discrete", "Discrete", "The decision, not how sure it is"));
    this.logBox_ = box("log", "log", "Loss on a logarithmic axis");
    this.sets = h("div", { class: "sets", role: "group", "aria-label": "Data" });
    this.loss = h("span", { class: "soft" });
  }

  #select(label, options, act) {
    const made = h("select", { "aria-label": label, onchange: () => act(made.value) }, options.map(([value, text]) => h("option", { value }, text)));
    return made;
  }

  #line(text, field) { return h("label", { class: "setting" }, h("span", {}, text), field); }

  layout() {
    const { tab } = this;
    const own = tab.own.element;
    const again = h("button", { type: "button", class: "pill", title: "Other points, and another choice of those to train on", onclick: () => tab.change({ data_seed: (tab.state.data_seed + 1) % 2 ** 32 }) }, "New points");
    const data = h("section", { class: "card data", "aria-label": "Data" }, h("h2", {}, "Data"), this.sets, own, h("div", { class: "sliders" }, this.mix.map(({ row }) => row)), again);
    const network = h("section", { class: "card network", "aria-label": "Network" }, this.player, this.message, this.wait, h("div", { class: "row spread" }, h("h2", {}, "Network"), h("span", { class: "fill" }), this.seeds, this.layers), tab.net.element, this.netSettings, tab.editor.element);
    const output = h("section", { class: "card output", "aria-label": "Output" }, h("div", { class: "row spread" }, this.outTitle = h("h2", {}, "Output"), this.scores = h("span", { class: "soft" })), tab.map.element, this.boxes);
    const rules = h("section", { class: "card", "aria-label": "Optimizers" }, h("div", { class: "row spread" }, h("h2", {}, "Optimizers"), h("span", { class: "soft" }, "loss: training · test")), tab.rules.element, this.ruleSettings);
    const losses = h("section", { class: "card", "aria-label": "Loss" }, h("div", { class: "row spread" }, this.lossTitle = h("h2", {}, "Loss"), this.logBox_), tab.charts.losses, h("p", { class: "soft" }, "Solid: training data. Dashed: test data."));
    const norms = h("section", { class: "card norms", "aria-label": "Gradient by layer" }, h("h2", {}, "Gradient by layer"), tab.charts.norms, tab.charts.normNote);
    return [h("section", { class: "lessons", "aria-label": "Lessons" }, h("div", { class: "chips" }, this.chips), this.text),
      h("div", { class: "ground" }, h("div", { class: "stack left" }, data, rules), h("div", { class: "stack middle" }, network, norms), h("div", { class: "stack right" }, output, losses))];
  }

  // The buttons of the data sets, with pictures of them.
  pictures(samples) {
    const { about, state } = this.tab;
    const count = samples.shape[1];
    const made = Object.entries(about.data).map(([name, task], k) => {
      const canvas = h("canvas", { "aria-hidden": "true" });
      thumbnail(canvas, samples.data, count, k * count, task === "regression");
      return h("button", { type: "button", class: "set", title: task, "data-set": name, "aria-pressed": String(state.data === name), onclick: () => this.tab.change({ data: name }) }, canvas, h("span", {}, NAMES[name] ?? name));
    });
    const own = h("button", { type: "button", class: "set", "data-set": "own", "aria-pressed": String(state.data === "own"), onclick: () => this.tab.own.open(), title: "Paste rows, or choose a file" },
      h("span", { class: "plus", "aria-hidden": "true" }, "+"), h("span", {}, NAMES.own));
    this.sets.replaceChildren(...made, own);
  }

  update() {
    const { state } = this.tab;
    for (const set of this.sets.children) set.setAttribute("aria-pressed", String(set.dataset.set === state.data));
    for (const key of ["activation", "init", "batch", "schedule"]) this[key].value = state[key];
    if (this.batch.value === "") this.batch.append(h("option", { value: state.batch, selected: true }, state.batch));
    if (this.speeds.value !== String(state.speed)) this.speeds.value = SPEEDS.includes(state.speed) ? state.speed : 60;
    this.residual.checked = state.residual;
    this.horizon.value = state.horizon;
    this.span.hidden = state.schedule === "constant";
    for (const key of ["l1", "l2", "dropout", "share", "noise"]) this[key].set(state[key]);
    this.mix[1].row.hidden = state.data === "own";
    for (const key of ["test", "discrete", "log"]) this[`${key}Box`].checked = state[key];
    const n = state.hidden.length;
    this.layerCount.textContent = `${n} hidden layer${n === 1 ? "" : "s"}`;
    this.layers.firstChild.disabled = n === 0;
    this.layers.lastChild.disabled = n >= this.tab.about.limits.layers;
    for (const chip of this.chips) chip.setAttribute("aria-pressed", String(chip.dataset.lesson === (state.lesson ?? "")));
    this.text.textContent = LESSONS.find(({ id }) => id === state.lesson)?.text ?? EXPLORE;
  }

  playing(yes) {
    this.toggle.replaceChildren(icon(yes ? "pause" : "play"));
    this.toggle.setAttribute("aria-label", yes ? "Pause" : "Play");
    this.toggle.title = `${yes ? "Pause" : "Play"} (space)`;
  }

  say(text) {
    this.message.hidden = !text;
    if (this.message.textContent !== (text ?? "")) this.message.textContent = text ?? "";
  }
}

// The optimizers that train side by side: whose network is shown, their rates and other numbers, how they stand.

import { dark, h, ink, short } from "./dom.js";
import { swatch } from "./marks.js";
import { LETTERS, RATE, slider } from "./methods.js";

const SPARE = ["#0072B2", "#009E73", "#CC79A7", "#E69F00", "#D55E00", "#000000"];
const MARKERS = ["s", "v", "P", "^", "D", "o"];

// A look for each optimizer, all different: that of every picture, a spare one for a second of its kind.
export function looksOf(rules, methods) {
  const used = new Set();
  return rules.map(({ name }) => {
    const own = methods[name];
    const key = ({ color, marker }) => `${color}${marker}`;
    let look = { color: own.color, marker: own.marker, line: "-" };
    const taken = (color) => [...used].some((k) => k.startsWith(color));
    if (taken(look.color)) {
      const spare = SPARE.findIndex((color) => !taken(color));
      if (spare >= 0) look = { color: SPARE[spare], marker: MARKERS[spare], line: "-" };
    }
    used.add(key(look));
    return look;
  });
}

// "sgd", or with its rate where there are several of a kind.
export const labels = (rules, methods) => rules.map(({ name, rate }) => (rules.filter((rule) => rule.name === name).length > 1 ? `${name} ${short(rate ?? methods[name].rate)}` : name));

// What is to be said of those that diverged, by name; null if none did. diverged: the step of each, or null.
export function lost(names, diverged) {
  const gone = names.filter((_, k) => diverged[k] !== null);
  if (!gone.length) return null;
  const one = gone.length === 1;
  return `${gone.join(", ")} ${one ? "is" : "are"} lost: from step ${Math.min(...diverged.filter((step) => step !== null))} on the loss is not a number. The steps were so long that every one led `
    + `further up, until the loss was too large to be written down. ${one ? "Its network stays as it was" : "Their networks stay as they were"} just then. Lower the rate α and press reset.`;
}

export class Rules {
  // changed: a number; listed: the list; shown: whose network.
  constructor({ about, changed, listed, shown }) {
    Object.assign(this, { about, changed, listed, shown });
    this.list = h("ul", { class: "methods", "aria-label": "Optimizers" });
    this.more = h("select", { "aria-label": "Add an optimizer", onchange: () => {
      if (this.more.value) this.listed([...this.state.rules, { name: this.more.value, rate: null, options: {} }]);
    } }, h("option", { value: "" }, "Add an optimizer …"), Object.keys(about.methods).map((name) => h("option", { value: name }, name)));
    this.element = h("div", {}, this.list, this.more);
  }

  build(state) {
    this.state = state;
    this.looks = looksOf(state.rules, this.about.methods);
    this.rows = state.rules.map((rule, k) => this.#row(rule, k));
    this.list.replaceChildren(...this.rows.map(({ item }) => item));
    this.list.classList.toggle("many", this.rows.length > 1);
    this.more.value = "";
    this.more.hidden = state.rules.length >= this.about.limits.methods;
  }

  #row(rule, k) {
    const about = this.about.methods[rule.name];
    const look = this.looks[k];
    const picture = h("canvas", { class: "swatch", "aria-hidden": "true" });
    const paint = () => swatch(picture, look, ink(look.color), dark() ? "#101216" : "#ffffff");
    paint();
    const only = this.state.rules.length === 1;
    const kind = h("select", { class: "kind", "aria-label": `Optimizer ${k + 1}`, onchange: () => {
      const rules = [...this.state.rules];
      rules[k] = { name: kind.value, rate: null, options: {} };
      this.listed(rules);
    } }, Object.keys(this.about.methods).map((name) => h("option", { value: name, selected: name === rule.name }, name)));
    const pick = h("button", { class: "name", type: "button", hidden: only, title: "Show its network", "aria-label": `Show the network of optimizer ${k + 1}`, "aria-pressed": "false", onclick: () => this.shown(k) }, picture);
    const where = h("output", { class: "loss" });
    const away = h("button", { class: "away", type: "button", hidden: only, title: `Remove ${rule.name}`, "aria-label": `Remove ${rule.name}`, onclick: () => this.listed(this.state.rules.filter((_, n) => n !== k)) }, "×");
    const rate = slider({ label: `${rule.name}, rate α`, value: rule.rate ?? about.rate, ...RATE, scale: "log", change: (value) => { rule.rate = value; this.changed(); } });
    const knobs = about.knobs.map((knob) => slider({
      label: `${rule.name}, ${LETTERS[knob.name] ?? knob.name}`, value: rule.options[knob.name] ?? knob.default, ...knob, change: (value) => { rule.options[knob.name] = value; this.changed(); },
    }));
    const item = h("li", { "data-rule": k, onclick: (event) => { if (!only && !event.target.closest("button, select, input")) this.shown(k); } }, h("div", { class: "head" }, pick, kind, where, away), h("div", { class: "knobs" }, rate.row, knobs.map(({ row }) => row)));
    return { item, where, paint, pick };
  }

  // How each stands: training and test loss, or where it was lost.
  update(now, diverged, shown, loss) {
    this.rows.forEach(({ item, where, pick }, k) => {
      const [train, score, test, testScore] = now.data.subarray(4 * k, 4 * k + 4);
      item.classList.toggle("focus", this.rows.length > 1 && k === shown);
      pick.setAttribute("aria-pressed", String(k === shown));
      item.classList.toggle("lost", diverged[k] !== null);
      const share = (v) => (loss === "bce" ? `${short(100 * v)} %` : `R² ${short(v, 2)}`);
      where.value = diverged[k] !== null ? `lost at step ${diverged[k]}` : `${short(train)} · ${short(test)}`;
      where.title = diverged[k] !== null ? "Its loss is not a number any more" : `training loss ${short(train)} (${share(score)}), test loss ${short(test)} (${share(testScore)})`;
    });
  }

  repaint() { for (const row of this.rows ?? []) row.paint(); }
}

// The list of methods: show or hide, learning rate and other numbers on sliders, where each is now.

import { dark, h, ink, short } from "./dom.js";
import { swatch } from "./marks.js";

export const RATE = { low: 1e-5, high: 100 };
export const LETTERS = { momentum: "μ", decay: "β", rho: "ρ", b1: "β₁", b2: "β₂", eps: "ε", nu: "ν", initial_accumulator_value: "v₀" };
const TO = {
  log: Math.log10,
  "below 1": (v) => -Math.log10(Math.max(1 - v, 1e-12)),
  linear: (v) => v,
  "0 or log": (v) => (v > 0 ? Math.max(Math.log10(v), -6) : -6),
};
const FROM = {
  log: (p) => 10 ** p,
  "below 1": (p) => 1 - 10 ** -p,
  linear: (p) => p,
  "0 or log": (p) => (p < -5.95 ? 0 : 10 ** p),
};

// A labelled slider on a scale of its own; the label is what comes after its comma. whole: no fractions; step in the
// scale's own units; say: the value as text.
export function slider({ label, value, low, high, scale, locked, change, whole = false, step = null, say = short }) {
  const [a, b] = [TO[scale](low), TO[scale](high)];
  const shown = h("output", { class: "value" }, say(value));
  const input = h("input", {
    type: "range", min: a, max: b, step: step ?? (b - a) / 400, value: TO[scale](value), "aria-label": label, "aria-valuetext": say(value), disabled: locked,
    oninput: () => {
      const moved = FROM[scale](Number(input.value));
      const next = whole ? Math.round(moved) : Number(moved.toPrecision(3));
      set(next, false);
      change(next);
    },
  });
  const set = (next, move = true) => {
    if (move) input.value = TO[scale](next);
    shown.value = say(next);
    input.setAttribute("aria-valuetext", say(next));
  };
  return { row: h("label", { class: "slider" }, h("span", {}, label.split(", ").pop()), input, shown), set };
}

export class Methods {
  constructor({ about, locked, changed, shown, removed, added, focused }) {
    Object.assign(this, { about, locked, changed, shown, removed, added, focused });
    this.list = h("ul", { class: "methods", "aria-label": "Optimizers" });
    this.more = h("select", { "aria-label": "Add an optimizer", disabled: locked, onchange: () => {
      if (this.more.value) this.added(this.more.value);
    } });
    this.element = h("div", {}, this.list, locked ? null : this.more);
    this.rows = new Map();
  }

  build(state, rates) {
    this.rows.clear();
    this.list.replaceChildren(...Object.keys(state.methods).map((name) => this.#row(name, state, rates)));
    const left = Object.keys(this.about.methods).filter((name) => !(name in state.methods));
    this.more.replaceChildren(h("option", { value: "" }, "Add an optimizer …"), ...left.map((name) => h("option", { value: name }, name)));
    this.more.hidden = left.length === 0;
  }

  #row(name, state, rates) {
    const method = state.methods[name];
    const look = this.about.methods[name];
    const picture = h("canvas", { class: "swatch", "aria-hidden": "true" });
    const paint = () => swatch(picture, look, ink(look.color), dark() ? "#101216" : "#ffffff");
    paint();
    const eye = h("input", { type: "checkbox", checked: method.shown !== false, "aria-label": `Show ${name}`, onchange: () => {
      method.shown = eye.checked;
      item.classList.toggle("hidden", !eye.checked);
      this.shown();
    } });
    const where = h("output", { class: "loss", title: "loss at this step" });
    const rate = slider({
      label: `${name}, rate α`, value: method.rate ?? rates[name], ...RATE, scale: "log", locked: this.locked,
      change: (value) => { method.rate = value; this.changed(); },
    });
    const knobs = look.knobs.map((knob) => slider({
      label: `${name}, ${LETTERS[knob.name] ?? knob.name}`, value: method.options[knob.name] ?? knob.default, ...knob, locked: this.locked,
      change: (value) => { method.options[knob.name] = value; this.changed(); },
    }));
    const away = h("button", { class: "away", type: "button", title: `Remove ${name}`, "aria-label": `Remove ${name}`, hidden: this.locked, onclick: () => this.removed(name) }, "×");
    const pick = h("button", { class: "name", type: "button", title: "Step by step, maps: this one", onclick: () => this.focused(name) }, picture, name);
    const item = h("li", { "data-method": name, class: method.shown === false ? "hidden" : "" },
      h("div", { class: "head" }, eye, pick, where, away), h("div", { class: "knobs" }, rate.row, knobs.map((knob) => knob.row)));
    this.rows.set(name, { item, where, paint, rate, knobs: Object.fromEntries(look.knobs.map((knob, k) => [knob.name, knobs[k]])) });
    return item;
  }

  // A number that changed elsewhere: a click on the heat map.
  set(name, rate, option, value) {
    this.rows.get(name)?.rate.set(rate);
    this.rows.get(name)?.knobs[option]?.set(value);
  }

  update(race, t, focus) {
    const step = Math.min(Math.floor(t), race.steps);
    for (const [name, row] of this.rows) {
      row.item.classList.toggle("focus", name === focus);
      if (!race.methods.includes(name)) continue;
      const loss = race.at(name, "loss", step);
      row.where.value = Number.isFinite(loss) ? short(loss) : "left the numbers";
      row.item.classList.toggle("lost", !Number.isFinite(loss));
      const gap = race.differences?.[name];
      row.where.title = gap === undefined ? "loss at this step" : `largest difference to optax: ${gap}`;
    }
  }

  repaint() {
    for (const row of this.rows.values()) row.paint();
  }
}

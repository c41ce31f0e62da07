// A unit's numbers, to be read and set: its bias and the weight of every line that comes in.

import { h } from "./dom.js";
import { FEATURES } from "./playnet.js";

export class Editor {
  // set(layer, to, input or null, value)
  constructor({ set, signal }) {
    this.set = set;
    this.title = h("h2");
    this.fields = h("div", { class: "weights" });
    this.element = h("section", { class: "card editor", role: "dialog", "aria-label": "Weights of a unit", hidden: true },
      h("div", { class: "row spread" }, this.title, h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => this.close() }, "×")), this.fields,
      h("p", { class: "soft" }, "Type a number and press enter. Training goes on from it."));
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !this.element.hidden) this.close(); }, { signal });
  }

  open(net, params, layer, to, input) {
    this.from = document.activeElement;
    Object.assign(this, { net, layer, to });
    const last = layer === net.sizes.length - 2;
    this.title.textContent = last ? "The output" : `Unit ${to + 1} of layer ${layer + 1}`;
    const inputs = Array.from({ length: net.sizes[layer] }, (_, k) => k);
    const named = (k) => (layer === 0 ? FEATURES[net.chosen[k]] : `unit ${k + 1} of layer ${layer}`);
    this.inputs = [null, ...inputs].map((k) => {
      const field = h("input", { type: "number", step: "any", "aria-label": k === null ? "bias" : `weight from ${named(k)}`, onchange: () => {
        if (field.value !== "" && Number.isFinite(field.valueAsNumber)) this.set(layer, to, k, field.valueAsNumber);
      } });
      return { k, field, row: h("label", { class: "setting" }, h("span", {}, k === null ? "bias" : `from ${named(k)}`), field) };
    });
    this.fields.replaceChildren(...this.inputs.map(({ row }) => row));
    this.element.classList.toggle("west", 2 * (layer + 1) >= net.sizes.length); // beside what it is about
    this.element.hidden = false;
    this.update(params);
    const { field } = this.inputs.find(({ k }) => k === input) ?? this.inputs[0];
    field.focus({ preventScroll: true });
    field.select();
    this.element.scrollIntoView({ block: "nearest" });
  }

  // The numbers as they are now, but for the one that is being typed.
  update(params) {
    if (this.element.hidden) return;
    for (const { k, field } of this.inputs) {
      const value = this.net.weight(params, this.layer, this.to, k);
      if (document.activeElement !== field) field.value = !Number.isFinite(value) ? "" : Math.abs(value) < 1e5 ? Number(value.toPrecision(4)) : value.toExponential(2);
      field.placeholder = Number.isFinite(value) ? "" : "not a number";
    }
  }

  close() {
    this.element.hidden = true;
    this.from?.focus?.({ preventScroll: true });
  }
}

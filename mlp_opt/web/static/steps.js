// Step by step: one method's update as captioned states, the notes' equation and this step's numbers in it.

import { h, short } from "./dom.js";

const vector = (array, step) => `(${short(array.data[2 * step])}, ${short(array.data[2 * step + 1])})`;

export function fill(text, values, step) {
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const array = values[name];
    return array.shape.length === 1 ? short(array.data[step]) : vector(array, step);
  });
}

// Letters with a combining hat, which few fonts place well, as elements.
const hats = (text) => text.split(/(\w\u0302)/).map((part) => (part.length === 2 && part[1] === "\u0302" ? h("span", { class: "hat" }, part[0]) : part));

export class Steps {
  constructor({ chosen, moved }) {
    this.chosen = chosen;
    this.title = h("h2", {}, "Step by step");
    this.place = h("p", { class: "soft" });
    this.list = h("ol", { class: "states" });
    const button = (text, by) => h("button", { type: "button", class: "quiet", onclick: () => moved(by) }, text);
    this.nav = h("div", { class: "row" }, button("← State", -1), button("State →", 1));
    this.element = h("section", { class: "card steps", "aria-label": "Step by step" }, h("div", { class: "row spread" }, this.title, this.nav), this.place, this.list);
  }

  message(text) {
    this.place.textContent = text;
    this.list.replaceChildren();
    this.items = null;
    this.nav.hidden = true;
  }

  show(answer) {
    this.answer = answer;
    this.nav.hidden = false;
    this.title.textContent = `Step by step: ${answer.header.method}`;
    this.items = answer.header.states.map((state, k) => {
      const numbers = h("span", { class: "numbers" });
      const result = h("span", { class: "numbers result" });
      const item = h("li", {}, h("button", { type: "button", onclick: () => this.chosen(k) },
        h("span", { class: "caption" }, state.caption), h("span", { class: "equation", "aria-label": state.equation }, hats(state.equation)), numbers, result));
      return { item, numbers, result, state };
    });
    this.list.replaceChildren(...this.items.map(({ item }) => item));
  }

  update(t, steps, inside) {
    if (!this.items) return;
    const step = Math.min(Math.floor(t), steps);
    this.place.textContent = `The update after step ${step}. A pair is (x, y).`;
    const { arrays } = this.answer;
    this.items.forEach(({ item, numbers, result, state }, k) => {
      item.classList.toggle("current", k === inside);
      item.firstChild.setAttribute("aria-current", k === inside ? "step" : "false");
      numbers.textContent = fill(state.filled, arrays, step);
      const made = `= ${vector(arrays[state.result], step)}`;
      result.textContent = numbers.textContent.endsWith(made) ? "" : made;
    });
  }
}

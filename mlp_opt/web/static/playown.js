// Data of one's own: pasted, or from a file; the server reads it, as data only, and says which line does not fit.

import { h } from "./dom.js";

const EXAMPLE = "x,y,label\n1.0,2.0,a\n2.0,1.5,b\n…";

export class Own {
  // used(text)
  constructor({ about, used }) {
    const { rows, text } = about.limits;
    this.field = h("textarea", { rows: 6, spellcheck: "false", placeholder: EXAMPLE, "aria-label": "Rows: two numbers and a label or target", "aria-describedby": "own-error own-help" });
    this.error = h("p", { class: "error", id: "own-error", role: "alert", hidden: true });
    const file = h("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv,text/plain", class: "file", "aria-label": "Choose a file", onchange: async () => {
      const chosen = file.files[0];
      if (!chosen) return;
      if (chosen.size > text) this.fail(`${chosen.name} has ${chosen.size} bytes, at most ${text} are accepted`);
      else this.field.value = await chosen.text();
      file.value = "";
    } });
    const use = () => {
      if (this.field.value.length > text) return this.fail(`The data has ${this.field.value.length} characters, at most ${text} are accepted`);
      if (!this.field.value.trim()) return this.fail("Paste a few rows first: two numbers and a label or target each");
      used(this.field.value);
    };
    this.element = h("div", { class: "own", hidden: true }, this.field, this.error,
      h("p", { class: "soft", id: "own-help" }, `Two numbers and a label a line; up to ${rows} lines. Two kinds of labels are classes, numbers are fitted.`),
      h("div", { class: "row" }, h("button", { type: "button", class: "pill strong", onclick: use }, "Use this data"), file));
  }

  open(text = null) {
    if (text !== null && !this.field.value) this.field.value = text;
    this.element.hidden = false;
    this.field.focus({ preventScroll: true });
  }

  fail(message) {
    this.error.hidden = !message;
    this.error.textContent = message ?? "";
    if (message) this.element.hidden = false;
  }
}

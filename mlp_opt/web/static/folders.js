// Choosing a run's folder: the list of them, kept up to date while the tab is open, and what to do where there is none.

import { h } from "./dom.js";
import { copy } from "./share.js";

const EVERY = 3000; // milliseconds between two looks

// A command with a button that copies it.
export function command(text) {
  const button = h("button", { type: "button", class: "quiet", onclick: async () => {
    await copy(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } }, "Copy");
  return h("div", { class: "command" }, h("code", {}, text), button);
}

export class Folders {
  // kinds: { kind: heading in the list }; words: { title, text } of the empty state; chosen(name), looked() at every look.
  constructor({ page, kinds, words, label, chosen, looked }) {
    Object.assign(this, { page, kinds, words, looked });
    this.rows = null;
    this.select = h("select", { class: "run", "aria-label": label, onchange: () => chosen(this.select.value) });
    this.empty = h("section", { class: "card empty", hidden: true });
    this.error = h("p", { class: "error", role: "alert", hidden: true });
  }

  // Looks now and every few seconds, as long as the tab is open and seen.
  start() {
    const look = () => {
      if (document.hidden && this.rows) return;
      this.page.transport.ask("runs/list", {}, ({ header }) => {
        if (header.error) return this.fail(header.error);
        this.#listed(header);
        this.looked();
      });
    };
    look();
    const clock = setInterval(look, EVERY);
    this.page.signal.addEventListener("abort", () => clearInterval(clock));
    document.addEventListener("visibilitychange", look, { signal: this.page.signal });
  }

  #listed({ folders, where, commands }) {
    this.rows = folders.filter(({ kind }) => kind in this.kinds);
    const all = JSON.stringify([this.rows, where]);
    if (all === this.before) return;
    this.before = all;
    const kept = this.select.value;
    const groups = Object.entries(this.kinds).map(([kind, text]) => [text, this.rows.filter((row) => row.kind === kind)]).filter(([, rows]) => rows.length);
    const option = ({ name, finished }) => h("option", { value: name }, finished ? name : `${name}  (not finished)`);
    this.select.replaceChildren(...(groups.length > 1 ? groups.map(([text, rows]) => h("optgroup", { label: text }, rows.map(option))) : this.rows.map(option)));
    if (kept) this.choose(kept);
    const lines = Object.keys(this.kinds).map((kind) => command(`${commands[kind]}`));
    this.empty.replaceChildren(h("h2", {}, this.words.title), h("p", {}, this.words.text), ...lines,
      h("p", { class: "soft" }, "This page looks in ", h("code", {}, where), " and shows the run as soon as it is there. Another folder: ", h("code", {}, "mlp-opt serve --runs DIR"), "."));
  }

  kind(name) { return this.rows?.find((row) => row.name === name)?.kind ?? null; }
  get first() { return this.rows?.[0]?.name ?? null; }

  choose(name) {
    if (!this.kind(name)) this.select.prepend(h("option", { value: name, disabled: true }, `${name}  (not there)`));
    this.select.value = name;
  }

  fail(message) {
    this.error.hidden = !message;
    this.error.textContent = message ?? "";
  }
}

// "5 s", "3 min", "2 h"
export function ago(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

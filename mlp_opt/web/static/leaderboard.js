// The best trials as a table: a press on a heading sorts, a press on a row opens the trial.

import { h, short } from "./dom.js";
import { quoted } from "./lanes.js";

const LEFT_OUT = ["rank", "status", "lanes"];

export class Leaderboard {
  // tab has state, lanes, selected; chosen(lane), sorted(by).
  constructor(tab) {
    this.tab = tab;
    this.head = h("tr");
    this.rows = h("tbody");
    this.note = h("p", { class: "soft" });
    this.table = h("table", { class: "board-table", role: "grid", "aria-label": "Best trials" }, h("thead", {}, this.head), this.rows);
    this.scroll = h("div", { class: "scroll" }, this.table);
    this.element = h("section", { class: "card board-card", "aria-label": "Leaderboard" }, h("h2", {}, "Best trials"), this.scroll, this.note);
    this.rows.addEventListener("click", (event) => this.#choose(event.target.closest("tr")));
    this.rows.addEventListener("keydown", (event) => this.#key(event));
  }

  show() {
    const { lanes } = this.tab;
    const { columns, rows } = lanes.board;
    const errors = Object.fromEntries(columns.map(({ name }, k) => [name, k]).filter(([name]) => name.endsWith("_se")));
    this.columns = columns.map((column, k) => ({ ...column, k, error: errors[`${column.name}_se`] })).filter(({ name }) => !LEFT_OUT.includes(name) && !name.endsWith("_se"));
    if (rows.every((row) => row[columns.findIndex(({ name }) => name === "epochs")] === rows[0][columns.findIndex(({ name }) => name === "epochs")])) this.columns = this.columns.filter(({ name }) => name !== "epochs");
    this.trial = columns.findIndex(({ name }) => name === "trial");
    this.element.hidden = !rows.length;
    const lost = lanes.counts.diverged ?? 0;
    const more = lanes.trials > rows.length ? `${rows.length.toLocaleString("en")} of ${lanes.trials.toLocaleString("en")} trials` : `${rows.length.toLocaleString("en")} trials`;
    const ranked = lanes.what.startsWith("val") ? "ranked on rows that were not trained on" : "ranked on what they were trained on: there was no validation part";
    this.note.textContent = `${more}, ${ranked}.${lost ? ` ${lost.toLocaleString("en")} diverged and have no rank.` : ""}${Object.keys(errors).length ? " ±: standard error." : ""}`;
    this.draw();
  }

  #order() {
    const { state, lanes } = this.tab;
    const by = state.sort && this.columns.find(({ name }) => name === state.sort.replace("-", ""));
    if (!by) return lanes.board.rows;
    const down = state.sort.startsWith("-") ? -1 : 1;
    const value = (row) => row[by.k];
    return lanes.board.rows.toSorted((a, b) => {
      if (value(a) === null || value(b) === null) return (value(a) === null) - (value(b) === null); // what is not set comes last
      return down * (typeof value(a) === "number" ? value(a) - value(b) : String(value(a)).localeCompare(String(value(b)), "en", { numeric: true }));
    });
  }

  #wordy(name) { return Boolean(this.tab.lanes.field(name)?.values); }

  draw() {
    const { state } = this.tab;
    const focus = this.rows.contains(document.activeElement) ? document.activeElement.dataset.trial : null;
    this.head.replaceChildren(...this.columns.map(({ name, label }) => {
      const sorted = state.sort?.replace("-", "") === name ? (state.sort.startsWith("-") ? "descending" : "ascending") : "none";
      const next = sorted === "descending" ? name : sorted === "ascending" ? null : name === "trial" || name.includes("loss") ? name : `-${name}`;
      return h("th", { scope: "col", "aria-sort": sorted, class: this.#wordy(name) ? "wordy" : "" }, h("button", { type: "button", title: `Sort by ${label}`, onclick: () => this.tab.sorted(next) }, label, h("span", { "aria-hidden": "true" }, { descending: " ↓", ascending: " ↑", none: "" }[sorted])));
    }));
    this.rows.replaceChildren(...this.#order().map((row) => h("tr", { "data-trial": row[this.trial], tabindex: -1 }, this.columns.map(({ name, k, error }) => {
      const text = cell(row[k], name);
      return name === "trial" ? h("th", { scope: "row" }, text) : h("td", { class: this.#wordy(name) ? "wordy" : "" }, text, error === undefined || row[error] === null ? null : h("small", {}, ` ±${short(row[error], 1)}`));
    }))));
    this.mark();
    if (focus !== null) this.rows.querySelector(`[data-trial="${focus}"]`)?.focus({ preventScroll: true });
  }

  mark() {
    const { selected } = this.tab;
    let some = null;
    for (const row of this.rows.children) {
      const chosen = Number(row.dataset.trial) === selected?.[0];
      row.setAttribute("aria-selected", String(chosen));
      row.tabIndex = chosen ? 0 : -1;
      if (chosen) some = row;
    }
    if (!some && this.rows.firstChild) this.rows.firstChild.tabIndex = 0;
    if (!some) return;
    const [top, bottom] = [some.offsetTop - 34, some.offsetTop + some.offsetHeight];
    if (top < this.scroll.scrollTop || bottom > this.scroll.scrollTop + this.scroll.clientHeight) this.scroll.scrollTop = Math.max(top - 60, 0);
  }

  #choose(row) {
    if (row) this.tab.chosen([Number(row.dataset.trial), 0, 0]);
  }

  #key(event) {
    const row = event.target.closest("tr");
    const next = { ArrowUp: row?.previousElementSibling, ArrowDown: row?.nextElementSibling, Enter: row, " ": row }[event.key];
    if (next === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    next?.focus({ preventScroll: true });
    this.#choose(next);
  }

  csv() {
    const { columns } = this.tab.lanes.board;
    const plain = (value) => (value === null ? "" : typeof value === "string" ? quoted(value) : String(value));
    return [columns.map(({ name }) => name).join(","), ...this.#order().map((row) => row.map(plain).join(","))].join("\n") + "\n";
  }
}

function cell(value, name) {
  if (value === null) return "–";
  if (typeof value !== "number") return String(value) || "none";
  if (Number.isInteger(value) && Math.abs(value) < 1e6 && !/_(accuracy|r2|loss)$/.test(name)) return String(value); // a trial's number, a batch size
  return /^(val|train)_(accuracy|r2)$/.test(name) ? value.toFixed(4).replace("-", "−") : short(value, name.includes("loss") ? 4 : 3);
}

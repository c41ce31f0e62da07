// One network of a sweep: its hyperparameters, scores and curves. Curves that the folder does not keep are computed again.

import { command } from "./folders.js";
import { Curves, NAMES } from "./curves.js";
import { h, short } from "./dom.js";

const PARTS = { train: "training", val: "validation", test: "test" };

export class Trial {
  // tab has state, lanes, selected, transport; chosen(lane).
  constructor(tab) {
    this.tab = tab;
    this.curves = new Curves();
    this.title = h("h2", {}, "Trial");
    this.status = h("span", { class: "soft" });
    this.which = h("select", { "aria-label": "Which of the trial's networks", onchange: () => tab.chosen(this.which.value.split(".").map(Number)) });
    this.values = h("dl", { class: "values" });
    this.scores = h("table", { class: "scores" });
    this.note = h("p", { class: "soft", role: "status" });
    this.again = h("div");
    this.element = h("section", { class: "card trial-card", "aria-label": "Selected trial" }, h("div", { class: "row spread" }, this.title, this.which, this.status),
      this.values, this.curves.element, this.note, this.scores, this.again);
  }

  // Asks for the selected network.
  load() {
    const { tab } = this;
    const lane = tab.selected;
    if (!lane) return void (this.element.hidden = true);
    this.element.hidden = false;
    const name = tab.state.name;
    const mine = (answer) => tab.state.name === name && String(tab.selected) === String(lane) && !this.#failed(answer);
    tab.transport.ask("sweep/trial", { name, lane }, (answer) => {
      if (!mine(answer)) return;
      const { header, arrays } = answer;
      this.#told(header);
      if (header.kept) return this.#drawn(arrays, header, "These curves are kept with the sweep.");
      this.curves.element.hidden = !this.curves.data || this.shown !== String(lane);
      if (header.status === "running") return void (this.note.textContent = "It is still training; its curves come when it is done.");
      if (header.too_long) return void (this.note.textContent = `The sweep keeps the curves of its best networks only. Training this one again takes about ${Math.round(header.takes)} s, too long for this page:`);
      if (this.shown === String(lane) && this.from === header.name) return;
      this.note.textContent = "The sweep keeps the curves of its best networks only. Training this one again …";
      this.element.setAttribute("aria-busy", "true");
      tab.transport.ask("sweep/replay", { name, lane }, (again) => {
        this.element.removeAttribute("aria-busy");
        if (!mine(again)) return;
        const halved = header.status === "halved" ? ` Halving dropped it after ${header.epochs} epochs; here it went on to the end.` : "";
        this.#drawn(again.arrays, { ...header, ...again.header }, `Trained again just now, to the same bits: the sweep keeps the curves of its best networks only.${halved}`);
      });
    });
  }

  #failed({ header }) {
    if (header.error) {
      this.note.textContent = header.error;
      this.curves.element.hidden = true;
    }
    return Boolean(header.error);
  }

  #told(header) {
    const { lanes, selected } = this.tab;
    this.title.textContent = `Trial ${header.lane[0]}`;
    const mates = lanes.of(header.lane[0]);
    this.which.hidden = mates.length < 2;
    this.which.replaceChildren(...mates.map((k) => {
      const [trial, fold, repeat] = lanes.lane(k);
      const text = [lanes.folds > 1 ? `fold ${fold}` : null, lanes.repeats > 1 ? `repeat ${repeat}` : null].filter(Boolean).join(", ");
      return h("option", { value: `${trial}.${fold}.${repeat}` }, text);
    }));
    this.which.value = selected.join(".");
    this.status.textContent = said(header);
    this.element.classList.toggle("lost", header.status === "diverged");
    this.values.replaceChildren(...header.values.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))), h("div", {}, h("dt", {}, "seed"), h("dd", {}, String(header.seed))));
    const { metric } = lanes;
    const parts = Object.entries(PARTS).filter(([part]) => [`${part}_loss`, `${part}_${metric}`].some((name) => header.scores[name] !== null && header.scores[name] !== undefined));
    this.scores.hidden = !parts.length;
    this.scores.replaceChildren(h("thead", {}, h("tr", {}, ["", "loss", NAMES[metric].toLowerCase().replace("r²", "R²")].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, parts.map(([part, text]) => h("tr", {}, h("th", { scope: "row" }, text), [`${part}_loss`, `${part}_${metric}`].map((name) => h("td", {}, short(header.scores[name], 4)))))));
    this.again.replaceChildren(command(header.again));
  }

  #drawn(arrays, header, note) {
    this.shown = String(header.lane);
    this.from = header.name;
    this.curves.element.hidden = false;
    this.note.textContent = note;
    this.curves.show(arrays, header.metric, header.status === "diverged" || !arrays.val_loss ? 0 : header.best_epoch);
  }
}

// How a network ended, in words.
function said({ status, epochs, diverged_at: step }) {
  const n = `${epochs} epoch${epochs === 1 ? "" : "s"}`;
  if (status === "diverged") return `diverged at step ${step}: its loss was no longer a finite number. A smaller learning rate may help`;
  if (status === "patience") return `stopped after ${n} without a new best`;
  return { halved: `dropped by halving after ${n}`, running: `training, ${n} so far` }[status] ?? `finished, ${n}`;
}

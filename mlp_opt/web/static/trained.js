// What `mlp-opt train` left: the curves of one network and its scores.

import { Curves, NAMES } from "./curves.js";
import { command } from "./folders.js";
import { h, short } from "./dom.js";

const PARTS = ["train", "validation", "test"];

export class Trained {
  constructor() {
    this.curves = new Curves();
    this.scores = h("table", { class: "scores" });
    this.end = h("p", { class: "soft" });
    this.next = h("div");
    this.element = h("div", { class: "trained", hidden: true }, h("section", { class: "card", "aria-label": "Curves" }, h("h2", {}, "How it learned"), this.curves.element, this.end),
      h("section", { class: "card", "aria-label": "Scores" }, h("h2", {}, "How good it is"), this.scores, this.next));
  }

  // Returns the facts in a line.
  show({ header, arrays }) {
    const { metric, scores } = header;
    this.curves.show(arrays, metric, arrays.val_loss ? header.best_epoch : 0);
    const parts = PARTS.filter((part) => `${part}_loss` in scores);
    this.scores.hidden = !parts.length;
    this.scores.replaceChildren(h("thead", {}, h("tr", {}, ["", "loss", NAMES[metric].replace("Accuracy", "accuracy")].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, parts.map((part) => h("tr", {}, h("th", { scope: "row" }, part), [`${part}_loss`, `${part}_${metric}`].map((name) => h("td", {}, short(scores[name], 4)))))));
    this.end.textContent = !header.finished ? "Not finished: this page follows." : header.stopped === "diverged" ? `It diverged at step ${header.diverged_at}: its loss was no longer a finite number. A smaller learning rate may help.`
      : header.stopped === "patience" ? "It stopped after some epochs without a new best." : "";
    this.end.hidden = !this.end.textContent;
    this.next.replaceChildren(h("p", { class: "soft" }, "See the loss that it saw:"), command(`mlp-opt landscape --run ${header.where}`));
    return [header.hidden === "none" ? "no hidden layer" : `hidden ${header.hidden}`, `${header.optimizer}, α ${short(header.rate)}`, `${header.epochs} epochs`, header.seconds ? `${short(header.seconds)} s` : null].filter(Boolean).join(" · ");
  }
}

// The Sweep tab: a sweep's folder as headline, sensitivity, leaderboard, heat map and importance, all linked by the selected trial.

import { Cells } from "./cells.js";
import { h, short } from "./dom.js";
import { ago, command, Folders } from "./folders.js";
import { Lanes } from "./lanes.js";
import { Leaderboard } from "./leaderboard.js";
import { picture, save, sharing, table } from "./share.js";
import * as addresses from "./sweep_state.js";
import { Trends } from "./trends.js";
import { Trial } from "./trial.js";

export const title = "Sweep";
export const open = (page) => new Sweep(page);

class Sweep {
  lanes = null;

  constructor(page) {
    Object.assign(this, { page, transport: page.transport, signal: page.signal, address: page.address });
    this.state = addresses.read(location.hash.slice(1));
    this.folders = new Folders({
      page, kinds: { sweep: "Sweeps" }, label: "Sweep", chosen: (name) => this.choose(name), looked: () => this.#looked(),
      words: { title: "No sweep yet", text: "A sweep trains hundreds of networks at once and finds what works. Start one in a terminal; its networks appear here while they finish:" },
    });
    this.trends = new Trends(this);
    this.cells = new Cells(this);
    this.board = new Leaderboard(this);
    this.trial = new Trial(this);
    this.#layout();
    page.tools.append(...sharing(page, () => addresses.write(this.state), [
      ["Sensitivity (PNG)", async () => save(await picture([this.trends.canvas]), "sensitivity.png")],
      ["Heat map (PNG)", async () => save(await picture([this.cells.canvas]), "heat-map.png")],
      ["All networks (CSV)", () => this.lanes && save(table(this.lanes.csv()), "networks.csv")],
      ["Best trials (CSV)", () => this.lanes && save(table(this.board.csv()), "best-trials.csv")],
      ["This trial's curves (CSV)", () => this.trial.curves.data && save(table(this.trial.curves.csv()), `trial-${this.selected[0]}.csv`)],
    ]));
    const resized = new ResizeObserver(() => this.draw());
    resized.observe(this.sheet);
    page.signal.addEventListener("abort", () => resized.disconnect());
    window.addEventListener("hashchange", () => { // typed, or a link within the page
      if (page.signal.aborted) return;
      this.state = addresses.read(location.hash.slice(1));
      this.lanes = null;
      this.#looked();
    }, { signal: page.signal });
    this.folders.start();
  }

  #layout() {
    this.headline = h("h1", { class: "headline" });
    this.facts = h("p", { class: "facts soft" });
    this.more = h("div");
    this.shares = h("div", { class: "shares" });
    this.trust = h("p", { class: "soft" });
    this.matter = h("section", { class: "card matter-card", "aria-label": "Importance" }, h("h2", {}, "What matters"), this.shares, this.trust);
    this.sheet = h("div", { class: "sheet", hidden: true }, this.trends.element, this.board.element, this.trial.element, this.cells.element, this.matter);
    this.top = h("section", { class: "top", "aria-label": "The sweep", hidden: true }, h("div", { class: "row spread" }, h("div", {}, this.headline, this.facts), this.folders.select), this.more);
    this.page.root.replaceChildren(this.top, this.folders.error, this.folders.empty, this.sheet);
  }

  // The trial that is shown: the chosen one, else the best.
  get selected() {
    if (this.state.lane) return this.state.lane;
    const best = this.lanes?.board.rows[0];
    const place = this.lanes?.board.columns.findIndex(({ name }) => name === "trial");
    return best ? [best[place], 0, 0] : this.lanes?.n ? this.lanes.lane(0) : null;
  }

  // At every look at the list: the sweep that is open may have grown.
  #looked() {
    const { folders, state } = this;
    const none = state.name === null && folders.first === null;
    folders.empty.hidden = !none;
    this.top.hidden = none;
    if (none) return void (this.sheet.hidden = true);
    state.name ??= folders.first;
    folders.choose(state.name);
    this.load();
  }

  choose(name) {
    this.state = { ...addresses.fresh(), name };
    this.lanes = null;
    this.load();
  }

  load() {
    const { name } = this.state;
    this.transport.ask("sweep/open", { name, seen: this.lanes?.name === name ? this.lanes.stamp : null }, (answer) => {
      if (this.state.name !== name) return;
      const { header } = answer;
      this.folders.fail(header.error);
      if (header.error) {
        this.sheet.hidden = true;
        this.headline.textContent = name;
        this.facts.textContent = "";
        this.more.replaceChildren();
        this.lanes = null;
      } else if (header.same) this.#age(header);
      else if (header.begun) this.#begun(header);
      else this.#opened(answer);
      this.remember();
    });
  }

  // A sweep whose first networks are still training.
  #begun({ age, where }) {
    this.sheet.hidden = true;
    this.lanes = null;
    this.headline.textContent = "The first networks are training …";
    this.facts.textContent = age > 120 ? `Nothing new for ${ago(age)}. If it was stopped, it goes on with:` : "They appear here as soon as they are done.";
    this.more.replaceChildren(age > 120 ? command(`mlp-opt sweep --resume ${where}`) : "");
  }

  #opened(answer) {
    const lanes = (this.lanes = new Lanes(answer));
    const { state } = this;
    const known = (name) => lanes.varied.some((field) => field.name === name);
    if (!lanes.numbers.some(({ name }) => name === state.x)) state.x = lanes.x;
    if (!state.pair?.every(known)) state.pair = this.#usual(lanes);
    state.hide = state.hide.filter((name) => lanes.groups.some((group) => group.name === name));
    this.sheet.hidden = false;
    this.#told(lanes);
    this.trends.options();
    this.cells.options();
    this.board.show();
    this.trial.load();
    this.#importance(lanes);
    this.#trends();
    this.#cells();
    this.draw();
  }

  // The pair that a heat map begins with: the learning rate (or another number), and the optimizer (or another hyperparameter).
  #usual(lanes) {
    const names = lanes.varied.map((field) => field.name);
    const first = lanes.x ?? names[0];
    const other = [lanes.by, ...names].find((name) => name && name !== first && names.includes(name));
    return first && other ? [first, other] : null;
  }

  // Of a sweep under way only now and then: it takes a while.
  #importance(lanes) {
    const { name, networks = 0, finished } = this.foretold ?? {};
    if (name === lanes.name && finished === lanes.finished && lanes.networks < 1.25 * networks) return;
    if (name !== lanes.name) {
      this.shares.replaceChildren(h("p", { class: "soft" }, "A forest is growing …"));
      this.trust.textContent = "";
    }
    this.foretold = lanes;
    this.transport.ask("sweep/importance", { name: lanes.name }, (answer) => { if (this.lanes?.name === lanes.name && !answer.header.error) this.#matters(answer); });
  }

  #ask(kind, body, done) {
    const { name } = this.state;
    this.transport.ask(`sweep/${kind}`, { name, ...body }, (answer) => {
      if (this.state.name === name && this.lanes && !answer.header.error && answer.header.stamp === this.lanes.stamp) done(answer);
    });
  }

  #trends() { if (this.state.x) this.#ask("trends", { x: this.state.x }, (answer) => { if (answer.header.x === this.state.x) this.trends.show(answer); }); }

  #cells() { if (this.state.pair) this.#ask("cells", { x: this.state.pair[0], y: this.state.pair[1] }, (answer) => this.cells.show(answer)); }

  #told(lanes) {
    const n = (value, word) => `${value.toLocaleString("en")} ${word}${value === 1 ? "" : "s"}`;
    const planned = lanes.planned > lanes.networks && !lanes.finished ? ` of ${lanes.planned.toLocaleString("en")}` : "";
    this.headline.textContent = planned || !lanes.finished ? `${lanes.networks.toLocaleString("en")}${planned} network${lanes.networks === 1 && !planned ? "" : "s"} so far`
      : `${n(lanes.networks, "network")}${lanes.took ? ` in ${lanes.took}` : ""}`;
    const counts = ["diverged", "halved", "running"].filter((status) => lanes.counts[status]).map((status) => `${lanes.counts[status].toLocaleString("en")} ${{ halved: "dropped by halving" }[status] ?? status}`);
    const test = Object.entries(lanes.test).filter(([name]) => name !== "test_loss").map(([name, value]) => `best network: test ${name.slice(5).replace("r2", "R²")} ${short(value, 4)}`);
    this.facts.textContent = [lanes.dataset, lanes.trials < lanes.networks ? n(lanes.trials, "trial") : null, n(lanes.epochs, "epoch"), ...counts, ...test].filter(Boolean).join(" · ");
    this.more.replaceChildren();
    this.#age(lanes);
  }

  // Of a sweep that is not finished: when it last grew, and how it goes on if it stopped.
  #age({ finished, age }) {
    if (finished || !this.lanes) return;
    const stopped = age > 120;
    const text = stopped ? `Not finished, and nothing new for ${ago(age)}. If it was stopped, it goes on with:` : `Under way: this page follows. Last change ${ago(age)} ago.`;
    if (this.more.firstChild?.textContent !== text) this.more.replaceChildren(h("p", { class: "soft live" }, text), stopped ? command(`mlp-opt sweep --resume ${this.lanes.where}`) : "");
  }

  #matters({ header }) {
    const { lanes } = this;
    const sum = header.shares.reduce((total, [, share]) => total + share, 0);
    this.matter.hidden = header.shares.length < 2;
    const most = Math.max(...header.shares.map(([, share]) => share), 1e-9);
    this.shares.replaceChildren(...(sum ? header.shares : []).map(([name, share]) => h("div", { class: "share" }, h("span", {}, lanes.field(name)?.label ?? name),
      h("i", { "aria-hidden": "true" }, h("b", { style: `width: ${(100 * share) / most}%` })), h("span", { class: "percent" }, `${Math.round(100 * share)} %`))));
    const fit = Math.max(header.fit ?? 0, 0);
    this.trust.textContent = sum ? `How much worse a random forest foretells a trial's rank when one column is shuffled, as shares. On unseen trials it explains ${Math.round(100 * fit)} % of the ranking${fit < 0.2 ? ": too little to rely on." : "."}`
      : "Too few trials, or too much alike, to tell.";
  }

  // What the parts report.
  chosen(lane) {
    if (String(lane) === String(this.selected)) this.state.lane = lane;
    else {
      this.state.lane = lane;
      this.trial.load();
    }
    this.board.mark();
    this.draw();
    this.remember();
  }

  axis(name) {
    this.state.x = name;
    this.#trends();
    this.draw();
    this.remember();
  }

  pair(x, y) {
    this.state.pair = [x, y];
    this.cells.options();
    this.#cells();
    this.remember();
  }

  sorted(by) {
    this.state.sort = by;
    this.board.draw();
    this.remember();
  }

  toggled(name) {
    const { state } = this;
    state.hide = state.hide.includes(name) ? state.hide.filter((other) => other !== name) : [...state.hide, name];
    this.draw();
    this.remember();
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      if (!this.lanes || this.signal.aborted) return;
      this.trends.draw();
      this.cells.draw();
      this.trial.curves.draw();
    });
  }

  remember() { this.address(addresses.write(this.state)); }

  repaint() {
    this.trial.curves.legended();
    this.draw();
  }
}

// The Race tab's layout: lessons, the stage with its pointer, what to show, the surface.

import { h, MOVED } from "./dom.js";
import { LESSONS } from "./lessons.js";
import { LETTERS } from "./methods.js";
import { turnable } from "./relief.js";

const SHOWN = { gradient: "downhill", velocity: "velocity", step: "step", squares: "squares" };
const HINTS = {
  gradient: "Grey arrows: the gradient's opposite", velocity: "Hollow arrows: the velocity, or mean gradient, downhill",
  step: "Coloured arrows: the step that is taken", squares: "Squares: sides are the roots of the accumulated squared gradient",
};
const nice = (name) => name.replaceAll("_", " ");

export class Controls {
  constructor(tab, locked) {
    Object.assign(this, { tab, locked });
    this.ground = h("canvas", { class: "layer" });
    this.over = h("canvas", { class: "layer", tabindex: 0, role: "img", "aria-label": "The surface from above with the paths of the optimizers. Press or drag to move the start." });
    this.relief = h("canvas", { class: "layer", tabindex: 0, role: "img", "aria-label": "The surface in relief. Drag to turn it.", hidden: true });
    this.stage = h("div", { class: "stage" }, this.ground, this.over, this.relief);
    this.losses = h("canvas", { class: "chart", role: "img", "aria-label": "Loss against step. Press to go to a step." });
    this.heat = h("canvas", { class: "chart heat", role: "img", "aria-label": "Last loss over learning rate and momentum. Press to replay that run." });
    this.#pointer();
  }

  layers() { return this.tab.state.view === "map" ? [this.ground, this.over] : [this.relief]; }

  size() { return [this.stage.clientWidth, this.stage.clientHeight]; }

  show(view) {
    this.ground.hidden = this.over.hidden = view !== "map";
    this.relief.hidden = view === "map";
  }

  layout() {
    const { tab } = this;
    const stage = h("section", { class: "card main", "aria-label": "Race" }, this.#bar(), this.stage, tab.player.element, this.#toggles());
    const side = h("section", { class: "card side", "aria-label": "Optimizers" }, h("h2", {}, "Optimizers"), tab.methods.element, this.#settings());
    this.heatCard = h("section", { class: "card", "aria-label": "Heat map" }, this.heatTitle = h("h2", {}, "Learning rate α × another number"), this.heat, this.heatNote = h("p", { class: "soft" }));
    const charts = h("div", { class: "charts" }, h("section", { class: "card", "aria-label": "Loss" }, this.lossTitle = h("h2", {}, "Loss"), this.losses), this.heatCard, tab.fair.element, tab.panel.element);
    return [this.#lessons(), h("div", { class: "board" }, stage, side, charts)];
  }

  #lessons() {
    if (this.locked) return h("div", { hidden: true });
    this.chips = [{ id: null, title: "Explore" }, ...LESSONS].map(({ id, title }) =>
      h("button", { type: "button", class: "chip", "data-lesson": id ?? "", onclick: () => this.tab.lesson(id) }, title));
    this.text = h("p", { class: "lesson", "aria-live": "polite" });
    return h("section", { class: "lessons", "aria-label": "Lessons" }, h("div", { class: "chips" }, this.chips), this.text);
  }

  // Surface, expression, view.
  #bar() {
    const { tab, locked } = this;
    const own = "your own …";
    this.surfaces = h("select", { "aria-label": "Surface", disabled: locked, onchange: () => {
      if (this.surfaces.value === own) {
        const { formula, x, y } = tab.surface;
        const text = formula.includes(";") || formula.includes("=") ? "x**2 + 3*sin(y)" : formula.replaceAll("^", "**");
        this.#type(/^[\w\s+\-*/().]*$/.test(text) && !/\d[xy(]|[xy][xy]|pi [a-z]/.test(text) ? text : "x**2 + 3*sin(y)", x, y);
      } else tab.choose({ surface: this.surfaces.value });
    } }, tab.about.surfaces.map(({ name }) => h("option", { value: name }, nice(name))), h("option", { value: own }, own));
    this.formula = h("input", { type: "text", class: "formula", spellcheck: "false", autocapitalize: "off", autocomplete: "off", maxlength: tab.about.limits.expression, disabled: locked,
      "aria-label": "f(x, y)", "aria-describedby": "formula-error",
      onchange: () => this.#type(this.formula.value, tab.state.x, tab.state.y), onkeydown: (event) => { if (event.key === "Enter") this.formula.blur(); } });
    this.fixed = h("span", { class: "formula fixed" });
    this.error = h("p", { class: "error", id: "formula-error", role: "alert", hidden: true });
    const view = (name, text) => h("button", { type: "button", "data-view": name, onclick: () => {
      tab.state.view = name;
      tab.groundOld = true;
      this.update();
      tab.draw();
    } }, text);
    this.views = h("div", { class: "segments", role: "group", "aria-label": "View" }, view("map", "Map"), view("relief", "Relief"));
    return h("div", {}, h("div", { class: "row bar" }, this.surfaces, h("label", { class: "function" }, h("span", { class: "f" }, "f(x, y) ="), this.formula, this.fixed), this.views), this.error);
  }

  #type(text, x, y) {
    this.tab.choose({ expression: text, x, y });
  }

  #toggles() {
    const { tab } = this;
    this.boxes = Object.entries(SHOWN).map(([key, text]) => {
      const box = h("input", { type: "checkbox", "data-show": key, onchange: () => { tab.state.show[key] = box.checked; tab.draw(); } });
      return h("label", { class: "check", title: HINTS[key] }, box, text);
    });
    const behind = (key, text, hint) => {
      const box = h("input", { type: "checkbox", "data-map": key, onchange: () => { tab.state[key] = box.checked; tab.groundOld = true; tab.extras(); tab.draw(); } });
      return h("label", { class: "check", title: hint }, box, text);
    };
    const twin = h("input", { type: "checkbox", "data-show": "optax", onchange: () => {
      tab.state.optax = twin.checked;
      if (this.locked) tab.draw();
      else tab.recompute();
      this.update();
    } });
    this.optax = twin;
    const fair = behind("fair", "fair", "Each method at its own best of 36 learning rates, from random starts");
    this.maps = [fair, behind("basins", "basins", "Every point coloured by the minimum that the chosen method reaches from it"),
      behind("heat", "rate × momentum", "The chosen method's last loss for every pair of learning rate and momentum")];
    this.gap = h("span", { class: "soft gap" });
    this.note = h("span", { class: "soft gap" });
    return h("div", { class: "toggles" }, h("span", { class: "group" }, h("b", {}, "Show"), this.boxes),
      h("span", { class: "group" }, h("b", {}, "Compare"), h("label", { class: "check", title: "White dots: the paths of the same rules in optax" }, twin, "optax"), fair, this.gap),
      h("span", { class: "group" }, h("b", {}, "Maps"), this.maps.slice(1), this.note));
  }

  #settings() {
    const { tab, locked } = this;
    const field = (label, width, act) => h("input", { type: "number", step: "any", "aria-label": label, disabled: locked, style: `width:${width}`, onchange: act });
    const place = () => {
      const at = [Number(this.startX.value), Number(this.startY.value)];
      if (this.startX.value && this.startY.value) this.#start(at);
    };
    this.startX = field("Start, x", "5.2rem", place);
    this.startY = field("Start, y", "5.2rem", place);
    this.stepField = field("Steps", "5.2rem", () => {
      const n = Math.round(Number(this.stepField.value));
      tab.state.steps = Math.min(Math.max(n || 1, 1), tab.about.limits.steps);
      tab.state.t = null;
      tab.recompute();
    });
    this.schedule = h("select", { "aria-label": "Schedule of the learning rates", disabled: locked, onchange: () => { tab.state.schedule = this.schedule.value; tab.recompute(); } },
      tab.about.schedules.map((name) => h("option", { value: name }, nice(name))));
    this.condition = field("Condition number", "5.2rem", () => {
      tab.state.condition = Number(this.condition.value) > 0 ? Number(this.condition.value) : null;
      for (const method of Object.values(tab.state.methods)) method.rate = null;
      tab.load();
    });
    const line = (text, ...inputs) => h("div", { class: "setting" }, h("span", {}, text), h("span", { class: "fields" }, inputs));
    const domain = (axis) => [0, 1].map((k) => field(`Domain of ${axis}, ${k ? "highest" : "lowest"}`, "5.2rem", (event) => {
      const value = Number(event.target.value);
      if (!Number.isFinite(value)) return;
      tab.state[axis] = tab.state[axis].map((old, n) => (n === k ? value : old));
      this.#type(tab.state.expression, tab.state.x, tab.state.y);
    }));
    this.domains = { x: domain("x"), y: domain("y") };
    this.own = [line("x from, to", ...this.domains.x), line("y from, to", ...this.domains.y)];
    this.kappa = line("Condition κ", this.condition);
    return h("div", { class: "settings" }, h("h2", {}, "Race"), line("Start", this.startX, this.startY), line("Steps", this.stepField), line("Schedule", this.schedule), this.kappa, this.own);
  }

  #start(at) {
    this.tab.state.start = at;
    if (this.error.hidden) this.tab.recompute();
    else this.tab.load(); // the function may be finite there
    this.update();
  }

  // One pointer: on the map it moves the start, on the relief it turns it.
  #pointer() {
    const { tab } = this;
    const move = (event) => {
      if (!event.buttons || this.locked || !tab.view) return;
      const [x, y] = tab.view.back(event.offsetX, event.offsetY);
      const { x: [left, right], y: [low, high] } = tab.surface;
      const inside = (v, a, b) => Number(Math.min(Math.max(v, a), b).toPrecision(5));
      tab.state.start = [inside(x, left, right), inside(y, low, high)];
      tab.recompute(event.timeStamp);
      this.#numbers();
    };
    this.over.addEventListener("pointerdown", (event) => { this.over.setPointerCapture(event.pointerId); move(event); });
    this.over.addEventListener(MOVED, move);
    turnable(this.relief, () => tab.state.turn, (turn) => {
      tab.state.turn = turn;
      tab.draw();
    });
  }

  busy(yes) { this.stage.classList.toggle("busy", yes); }

  fail(message) {
    this.error.hidden = !message;
    this.error.textContent = message ?? "";
    this.formula.setAttribute("aria-invalid", String(Boolean(message)));
  }

  told(kind, error) {
    const found = this.tab[kind];
    if (kind === "basins") this.note.textContent = error ?? `${Math.round(100 * found.reached)} % of the starts reach a minimum`;
    else {
      this.heatNote.textContent = error ?? `Brighter is lower, black is lost.${this.locked ? "" : " Press a place to replay that run."}`;
      this.heat.hidden = Boolean(error);
      this.heatTitle.textContent = `${this.tab.state.focus}: learning rate α × ${LETTERS[found?.second] ?? "another number"}`;
    }
  }

  #numbers() {
    const start = this.tab.state.start ?? this.tab.race?.start;
    if (start && document.activeElement !== this.startX) this.startX.value = Number(start[0].toPrecision(5));
    if (start && document.activeElement !== this.startY) this.startY.value = Number(start[1].toPrecision(5));
  }

  update() {
    const { state, surface, race } = this.tab;
    const own = state.expression !== null;
    this.surfaces.value = own ? "your own …" : state.surface;
    this.formula.hidden = !own;
    this.fixed.hidden = own;
    if (own && document.activeElement !== this.formula) this.formula.value = state.expression;
    this.fixed.textContent = surface ? surface.formula : "";
    this.fixed.title = this.fixed.textContent;
    for (const button of this.views.children) button.setAttribute("aria-pressed", String(button.dataset.view === state.view));
    for (const label of this.boxes) label.firstChild.checked = state.show[label.firstChild.dataset.show];
    for (const label of this.maps) label.firstChild.checked = state[label.firstChild.dataset.map];
    this.optax.checked = state.optax;
    const gaps = state.optax && race?.differences ? Object.values(race.differences) : [];
    this.gap.textContent = gaps.length ? `largest difference ${gaps.includes(null) ? "infinite" : Math.max(...gaps).toExponential(1)}` : "";
    if (!state.basins) this.note.textContent = "";
    this.heatCard.hidden = !state.heat;
    this.tab.fair.element.hidden = !state.fair;
    this.#numbers();
    this.stepField.value = state.steps;
    this.schedule.value = state.schedule;
    this.condition.value = state.condition ?? 100;
    this.kappa.hidden = own || state.surface !== "quadratic";
    for (const line of this.own) line.hidden = !own;
    for (const axis of ["x", "y"]) this.domains[axis].forEach((input, k) => { input.value = state[axis][k]; });
    this.lossTitle.textContent = surface && surface.lowest !== null ? "Loss above the lowest known" : "Loss";
    for (const chip of this.chips ?? []) chip.setAttribute("aria-pressed", String(chip.dataset.lesson === (state.lesson ?? "")));
    if (this.text) {
      this.text.textContent = LESSONS.find(({ id }) => id === state.lesson)?.text
        ?? "Press or drag anywhere on the map: every optimizer starts there, and its whole path is computed again as you move. Turn the sliders; play, or scrub to any step.";
    }
  }
}

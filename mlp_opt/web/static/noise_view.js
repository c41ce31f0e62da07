// The Noise tab's layout: lessons, the stage with its pointer, the descents with their sliders, charts and tables.

import { dark, h, ink, MOVED, short } from "./dom.js";
import { swatch } from "./marks.js";
import { slider } from "./methods.js";
import { CLASSES } from "./noise_draw.js";
import { LESSONS } from "./noise_lessons.js";

export const NAMES = { gd: "Gradient descent", sgd: "SGD", minibatch: "Minibatch SGD" };
const nice = (name) => name.replaceAll("_", " ");
const SHOWN = {
  seeds: ["other seeds", "The same descent with other draws, as faint lines"],
  spread: ["spread", "Dots: where all seeds are at this step. Line: two standard deviations of theirs. Dashed: the same by theory"],
  samples: ["each sample's pull", "Every sample's downhill gradient at the chosen point, and the full one"],
};
const DRAWS = { replace: "with replacement", reshuffle: "each once an epoch" };

export class View {
  constructor(tab) {
    this.tab = tab;
    this.ground = h("canvas", { class: "layer" });
    this.over = h("canvas", { class: "layer", tabindex: 0, role: "img", "aria-label": "The loss from above with three descents. Press or drag to move the start." });
    this.stage = h("div", { class: "stage" }, this.ground, this.over);
    this.losses = h("canvas", { class: "chart", role: "img", "aria-label": "Loss above the minimum. Press to go to a step." });
    this.cloud = h("canvas", { class: "chart plain tall", role: "img", "aria-label": "The samples' gradients, the full gradient and the means of batches; the table below has their numbers." });
    this.radius = h("canvas", { class: "chart", role: "img", "aria-label": "How far the seeds' runs lie apart against the step, measured and by theory. Press to go to a step." });
    const move = (event) => { if (event.buttons) tab.drag(event.offsetX, event.offsetY, event.timeStamp); };
    this.over.addEventListener("pointerdown", (event) => { this.over.setPointerCapture(event.pointerId); move(event); });
    this.over.addEventListener(MOVED, move);
  }

  layout() {
    const card = (name, label, ...inside) => h("section", { class: `card ${name}`, "aria-label": label }, inside);
    const main = card("main", "Descents", this.#bar(), this.stage, this.tab.player.element, this.#toggles());
    const side = h("div", { class: "side stack" }, card("", "Settings", h("h2", {}, "Descents"), this.#list(), this.#settings()), this.#ball(card));
    const charts = h("div", { class: "charts" }, this.#loss(card), this.#gradients(card));
    return [this.#lessons(), h("div", { class: "board" }, main, side, charts)];
  }

  #lessons() {
    this.chips = [{ id: null, title: "Explore" }, ...LESSONS].map(({ id, title }) =>
      h("button", { type: "button", class: "chip", "data-lesson": id ?? "", onclick: () => this.tab.lesson(id) }, title));
    this.text = h("p", { class: "lesson", "aria-live": "polite" });
    return h("section", { class: "lessons", "aria-label": "Lessons" }, h("div", { class: "chips" }, this.chips), this.text);
  }

  #bar() {
    const { tab } = this;
    this.sets = h("select", { "aria-label": "Data set", onchange: () => tab.choose({ dataset: this.sets.value, feature: null }) },
      tab.about.sets.map(({ name, about }) => h("option", { value: name, title: about }, nice(name))));
    this.features = h("select", { "aria-label": "Column", onchange: () => tab.choose({ feature: this.features.value }) });
    this.what = h("span", { class: "soft what" });
    this.error = h("p", { class: "error", role: "alert", hidden: true });
    return h("div", {}, h("div", { class: "row bar" }, this.sets, this.features, this.what), this.error);
  }

  #toggles() {
    const { tab } = this;
    this.boxes = Object.entries(SHOWN).map(([key, [text, hint]]) => {
      const box = h("input", { type: "checkbox", "data-show": key, onchange: () => { tab.state.show[key] = box.checked; tab.draw(); } });
      return h("label", { class: "check", title: hint }, box, text);
    });
    return h("div", { class: "toggles" }, h("span", { class: "group" }, h("b", {}, "Show"), this.boxes));
  }

  #list() {
    const { tab } = this;
    this.rows = Object.entries(NAMES).map(([name, text]) => {
      const look = tab.about.methods[name];
      const picture = h("canvas", { class: "swatch", "aria-hidden": "true" });
      const paint = () => swatch(picture, look, ink(look.color), dark() ? "#101216" : "#ffffff");
      paint();
      const eye = h("input", { type: "checkbox", "aria-label": `Show ${text}`, onchange: () => { tab.state.methods[name].shown = eye.checked; tab.draw(); } });
      const loss = h("output", { class: "loss", title: "loss at this step" });
      const per = h("span", { class: "soft per" });
      const pick = h("button", { class: "name", type: "button", title: "The gradients where this one is, the spread of its runs", onclick: () => tab.focus(name) }, picture, text);
      const item = h("li", { "data-method": name }, h("div", { class: "head" }, eye, pick, loss), per);
      return { name, item, eye, loss, per, paint };
    });
    const { limits: { batch, rate } } = tab.about;
    this.rate = slider({ label: "learning rate α", value: tab.state.rate, low: 0.01, high: 100, scale: "log", change: (value) => tab.turned({ rate: Math.min(value, rate[1]) }) });
    this.batch = slider({ label: "batch size b", value: tab.state.batch, low: 1, high: batch, scale: "log", whole: true, change: (value) => tab.turned({ batch: Math.min(value, tab.most) }) });
    return h("div", { class: "descents" }, h("ul", { class: "methods", "aria-label": "Descents" }, this.rows.map(({ item }) => item)), h("div", { class: "wide" }, this.rate.row, this.batch.row));
  }

  #settings() {
    const { tab } = this;
    const field = (label, act) => h("input", { type: "number", step: "any", "aria-label": label, style: "width:5.2rem", onchange: act });
    const place = () => {
      const at = [this.startW, this.startB].map((input) => Math.min(Math.max(Number(input.value), -100), 100));
      if (this.startW.value && this.startB.value && at.every(Number.isFinite)) tab.turned({ start: at });
    };
    const whole = (input, low, high) => Math.min(Math.max(Math.round(Number(input.value)) || low, low), high);
    [this.startW, this.startB] = [field("Start, weight", place), field("Start, bias", place)];
    this.steps = field("Steps", () => tab.turned({ steps: whole(this.steps, 1, tab.about.limits.steps), t: null }));
    this.seed = field("Seed", () => tab.turned({ seed: whole(this.seed, 0, 2 ** 31 - 1) }));
    const again = h("button", { type: "button", class: "chip small", title: "Draw other samples", onclick: () => tab.turned({ seed: (tab.state.seed + 1) % 2 ** 31 }) }, "Redraw");
    const choice = (label, names, key) => h("select", { "aria-label": label, onchange: (event) => tab.turned({ [key]: event.target.value }) },
      Object.entries(names).map(([value, text]) => h("option", { value }, text)));
    this.schedule = choice("Schedule of the learning rate", Object.fromEntries(tab.about.schedules.map((name) => [name, nice(name)])), "schedule");
    this.draws = choice("How samples are drawn", DRAWS, "draw");
    const line = (text, ...inputs) => h("div", { class: "setting" }, h("span", {}, text), h("span", { class: "fields" }, inputs));
    return h("div", { class: "settings" }, h("h2", {}, "Runs"), line("Start w, b", this.startW, this.startB), line("Steps", this.steps), line("Schedule", this.schedule),
      line("Samples", this.draws), line("Seed", this.seed, again));
  }

  #loss(card) {
    this.axes = ["step", "samples"].map((axis) => h("button", { type: "button", "data-axis": axis, onclick: () => { this.tab.state.axis = axis; this.tab.draw(); } }, axis));
    return card("", "Loss", h("div", { class: "row spread" }, h("h2", {}, "Loss above minimum"), h("div", { class: "segments little", role: "group", "aria-label": "Against" }, this.axes)), this.losses);
  }

  #gradients(card) {
    const entry = (color, text) => h("span", {}, h("i", { class: "dot", style: `background:${color}` }), text);
    this.legend = h("p", { class: "soft legend" });
    this.paintLegend = () => {
      const { focus, batch } = this.tab.state;
      const b = focus === "sgd" ? 1 : batch;
      const { classes } = this.tab.about.sets.find(({ name }) => name === this.tab.state.dataset);
      this.legend.replaceChildren(...classes.map((name, k) => entry(ink(CLASSES[k]), /^\d$/.test(name) ? `class ${name}` : name)),
        entry(this.tab.color, `means of ${b}`), h("span", {}, h("i", { class: "dash" }), "2 standard errors"));
    };
    this.numbers = h("tbody");
    this.cloudNote = h("p", { class: "soft" });
    this.cloudTitle = h("h2", {}, "Gradients");
    return card("", "Gradients", this.cloudTitle, this.cloud, this.legend, h("table", { class: "facts" }, this.numbers), this.cloudNote);
  }

  #ball(card) {
    this.spreads = h("tbody");
    this.ballNote = h("p", { class: "soft" });
    return card("", "Noise ball", h("h2", {}, "The noise ball"), this.radius, h("table", { class: "facts" }, this.spreads), this.ballNote);
  }

  size() { return [this.stage.clientWidth, this.stage.clientHeight]; }

  fail(message) {
    this.error.hidden = !message;
    this.error.textContent = message ?? "";
  }

  // All that does not change with the step.
  update() {
    const { state, surface, about, most } = this.tab;
    this.sets.value = state.dataset;
    const known = about.sets.find(({ name }) => name === state.dataset);
    if (this.features.dataset.of !== state.dataset) this.features.replaceChildren(...known.features.map((name) => h("option", { value: name }, name)));
    this.features.dataset.of = state.dataset;
    this.features.value = state.feature;
    this.what.textContent = known.about;
    this.rate.set(state.rate);
    this.batch.set(state.batch);
    for (const { name, eye } of this.rows) eye.checked = state.methods[name].shown;
    for (const label of this.boxes) label.firstChild.checked = state.show[label.firstChild.dataset.show];
    const put = (input, value) => { if (document.activeElement !== input) input.value = value; };
    const start = state.start ?? surface?.start;
    if (start) [this.startW, this.startB].forEach((input, k) => put(input, Number(start[k].toPrecision(4))));
    put(this.steps, state.steps);
    put(this.seed, state.seed);
    this.schedule.value = state.schedule;
    this.draws.value = state.draw;
    for (const { name, per } of this.rows) {
      const count = { gd: most, sgd: 1, minibatch: state.batch }[name];
      per.textContent = `${count} ${count === 1 ? "sample" : "samples"} a step`;
    }
    for (const chip of this.chips) chip.setAttribute("aria-pressed", String(chip.dataset.lesson === (state.lesson ?? "")));
    this.text.textContent = LESSONS.find(({ id }) => id === state.lesson)?.text
      ?? "Press or drag anywhere on the map: all three descend from there, on the true loss of a model with one weight and one bias. Turn the batch size from 1 to all samples, and watch the noise go.";
    this.paintLegend();
  }

  // What changes with it.
  moved(race, t) {
    const { state } = this.tab;
    const step = Math.min(Math.floor(t), race.steps);
    for (const { name, item, loss } of this.rows) {
      const value = race.at(name, "loss", step);
      loss.value = Number.isFinite(value) ? short(value) : "left the numbers";
      item.classList.toggle("focus", name === state.focus);
      item.classList.toggle("hidden", !state.methods[name].shown);
      item.classList.toggle("lost", !Number.isFinite(value));
    }
    for (const button of this.axes) button.setAttribute("aria-pressed", String(button.dataset.axis === state.axis));
  }

  #rows(body, rows) {
    body.replaceChildren(...rows.map(([text, value]) => h("tr", {}, h("th", { scope: "row" }, text), h("td", {}, value))));
  }

  gradients(cloud) {
    const { state } = this.tab;
    this.cloudTitle.textContent = `Gradients where ${NAMES[state.focus]} is`;
    this.cloud.hidden = this.legend.hidden = !cloud;
    if (!cloud) {
      this.#rows(this.numbers, []);
      this.cloudNote.textContent = "The path has left the map: there is no gradient to show. Try a smaller learning rate.";
      return;
    }
    const { trace, square, scale, expected, measured, gap, batch, rows } = cloud.header;
    const part = (value) => (value === null ? "–" : short(value));
    this.#rows(this.numbers, [["signal |G|²", short(square)], ["noise tr Σ", short(trace)], ["noise scale tr Σ / |G|²", scale === null ? "–" : `${short(scale)} samples`],
      [`error of ${batch}, expected`, part(expected)], [`error of ${batch}, measured`, part(measured)], ["mean of all samples − G", short(gap, 2)]]);
    this.cloudNote.textContent = scale === null || scale > 100 * rows ? "Here the gradient all but vanishes, and the noise does not."
      : scale < 1 ? "Even one sample is more signal than noise here. The error is |g − G|² / |G|² of a batch's mean g." : `Here a batch of ${short(Math.round(scale))} is as much noise as signal. The error is |g − G|² / |G|² of a batch's mean g.`;
  }

  ball(bundle, t) {
    if (bundle?.error || !bundle) {
      this.#rows(this.spreads, []);
      this.ballNote.textContent = bundle?.error ?? "Running other seeds …";
      return;
    }
    const { radius, steps, seeds, batch, end, constant, reshuffle } = bundle;
    const k = Math.min(Math.floor(t), steps);
    const [found, said] = [radius.data[k], radius.data[steps + 1 + k]];
    this.#rows(this.spreads, [[`${seeds} runs of ${batch} at step ${k}`, short(found)], ["by theory", short(said)], ...(constant ? [["at rest, by theory", end === null ? "never" : short(end)]] : [])]);
    this.ballNote.textContent = end === null && constant ? "This rate is too high for the valley: α λ is over 2, and near the minimum nothing comes to rest."
      : `Root mean square distance of the runs from their mean; dashed: theory, ${reshuffle ? "for draws with replacement" : "to first order in the noise"}.`;
  }

  repaint() {
    for (const { paint } of this.rows) paint();
    this.paintLegend();
  }
}

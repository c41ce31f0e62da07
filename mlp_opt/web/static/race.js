// The Race tab: what it holds, what it asks the server for, when it draws.

import { drawHeat, drawLosses, heatAt, stepAt } from "./chart.js";
import { Controls } from "./controls.js";
import { LESSONS } from "./lessons.js";
import { Fair } from "./fair.js";
import { drawGround, drawPaths, drawState, View } from "./map.js";
import { Methods } from "./methods.js";
import { Paths } from "./paths.js";
import { Player } from "./player.js";
import { Relief } from "./relief.js";
import * as addresses from "./state.js";
import { Steps } from "./steps.js";
import { tools } from "./share.js";

export const title = "Race";
export const open = (page) => new Race(page);

class Race {
  surface = null;
  race = null;
  basins = null;
  heat = null;
  explained = null;
  groundOld = true;

  constructor(page) {
    this.page = page;
    this.state = addresses.read(location.hash.slice(1));
    this.transport = page.transport;
    this.address = page.address; // its own: the page has another one when another tab is open
    this.transport.ask("race/about", {}, (answer) => this.#build(answer.header));
  }

  get t() { return Math.min(this.state.t ?? this.state.steps, this.race?.steps ?? this.state.steps); }
  get steps() { return this.race?.steps ?? this.state.steps; }

  #build(about) {
    this.about = about;
    this.#known();
    const locked = this.transport.baked;
    this.methods = new Methods({
      about, locked, changed: () => this.recompute(), shown: () => this.draw(), focused: (name) => this.focus(name),
      removed: (name) => { if (Object.keys(this.state.methods).length > 1) { delete this.state.methods[name]; this.#listed(); } },
      added: (name) => { this.state.methods[name] = { rate: null, options: {}, shown: true }; this.#listed(); },
    });
    this.player = new Player({
      time: () => this.t, steps: () => this.steps, speed: () => this.state.speed,
      moved: (t) => { this.state.t = t >= this.steps ? null : t; this.draw(); },
      faster: (speed) => { this.state.speed = speed; this.#remember(); },
    });
    this.panel = new Steps({ chosen: (k) => this.inside(this.state.inside === k ? null : k), moved: (by) => this.#state(by) });
    this.fair = new Fair({ locked, used: () => this.#best() });
    this.controls = new Controls(this, locked);
    this.page.root.replaceChildren(...this.controls.layout());
    this.page.tools.prepend(...tools(this));
    this.#listen();
    const resized = new ResizeObserver(() => { this.groundOld = true; this.draw(); });
    resized.observe(this.controls.stage);
    this.page.signal.addEventListener("abort", () => { resized.disconnect(); this.player.pause(); });
    if (locked) this.#fromBaked();
    else this.load();
  }

  // Methods that an address names, as far as they exist; the usual ones without any.
  #known() {
    for (const name of Object.keys(this.state.methods)) if (!(name in this.about.methods)) delete this.state.methods[name];
    if (!Object.keys(this.state.methods).length && !this.transport.baked) this.#usual();
    if (!(this.state.focus in this.about.methods)) this.state.focus = "adam";
  }

  #usual() {
    for (const name of this.about.first) this.state.methods[name] = { rate: null, options: {}, shown: true };
  }

  // A saved page: the race is the one that was saved, whatever its address says.
  #fromBaked() {
    this.transport.ask("race/surface", {}, (land) => this.transport.ask("race/paths", {}, (answer) => {
      const race = new Paths(answer);
      const known = this.state.methods;
      this.state.methods = Object.fromEntries(race.methods.map((name) => [name, { options: {}, shown: true, ...known[name], rate: race.rates[name] }]));
      Object.assign(this.state, { start: race.start, steps: race.steps });
      if (!(this.state.focus in this.state.methods)) this.state.focus = race.methods[0];
      this.#landed(land);
      this.#raced(answer);
    }));
  }

  // The surface, then the rest.
  load() {
    const body = addresses.request(this.state);
    this.controls.busy(true);
    const land = { surface: body.surface, expression: body.expression, x: body.x, y: body.y, condition: body.condition };
    if (this.state.expression !== null && this.state.start) land.start = this.state.start;
    this.transport.ask("race/surface", JSON.parse(JSON.stringify(land)), (answer) => {
      this.controls.busy(false);
      this.controls.fail(answer.header.error);
      if (!answer.header.error) {
        this.#landed(answer);
        this.recompute();
      }
    });
  }

  #landed({ header, arrays }) {
    this.surface = { ...header, ...arrays };
    this.state.start ??= header.start;
    for (const [name, method] of Object.entries(this.state.methods)) method.rate ??= header.rates[name];
    this.basins = this.heat = null;
    this.groundOld = true;
    this.methods.build(this.state, header.rates);
    this.controls.update();
    this.draw();
  }

  recompute(began = null) {
    if (!this.surface) return;
    const body = addresses.request(this.state);
    this.transport.ask("race/paths", body, (answer) => {
      if (answer.header.error) return this.controls.fail(answer.header.error);
      this.controls.fail(null);
      this.#raced(answer, began);
    });
  }

  #raced(answer, began = null) {
    this.race = new Paths(answer);
    this.draw(began);
    clearTimeout(this.rest); // while a start is dragged the paths come first
    if (began === null) this.extras();
    else this.rest = setTimeout(() => this.extras(), 90);
  }

  // What depends on one method: its update step by step, its basins, its heat map.
  extras() {
    const name = this.state.focus;
    const body = { ...addresses.request(this.state), method: name };
    if (!this.about.methods[name]?.explained) this.#unexplained(name);
    else this.transport.ask("race/explain", body, (answer) => {
      if (answer.header.error) return this.panel.message(answer.header.error);
      const other = this.explained?.header.method !== answer.header.method;
      this.explained = answer;
      if (other || !this.panel.items) this.panel.show(answer);
      this.panel.answer = answer;
      if (this.state.inside !== null) this.draw();
      else if (this.race) this.panel.update(this.t, this.race.steps, null);
    });
    for (const kind of ["basins", "heat"]) {
      if (!this.state[kind]) this[kind] = null;
      else this.transport.ask(`race/${kind}`, body, (answer) => {
        this[kind] = answer.header.error ? null : { ...answer.header, ...answer.arrays };
        this.controls.told(kind, answer.header.error);
        this.groundOld ||= kind === "basins";
        this.draw();
      });
    }
    if (this.state.fair) this.transport.ask("race/fair", { ...addresses.request(this.state), start: null }, (answer) => { this.fair.show(answer); this.fair.draw(this.about.methods); });
    this.controls.update();
  }

  // Every method at the rate that the fair comparison found.
  #best() {
    for (const [name, { rate }] of Object.entries(this.fair.answer.header.results)) if (name in this.state.methods) this.state.methods[name].rate = rate;
    this.methods.build(this.state, this.surface.rates);
    this.recompute();
  }

  #unexplained(name) {
    this.explained = null;
    this.panel.title.textContent = "Step by step";
    this.panel.message(`${name} is not taken apart; choose one of the notes' methods by its name in the list.`);
  }

  focus(name) {
    if (!(name in this.state.methods)) return;
    this.state.focus = name;
    this.groundOld ||= this.state.basins;
    this.extras();
    this.draw();
  }

  inside(k) {
    this.state.inside = k;
    this.player.pause();
    if (this.t >= this.steps) this.state.t = 0;
    this.draw();
  }

  #state(by) {
    const n = this.panel.items?.length ?? 0;
    if (!n) return;
    const next = (this.state.inside ?? (by > 0 ? -1 : n)) + by;
    if (next >= 0 && next < n) return this.inside(next);
    const t = Math.floor(this.t) + by; // on to the next step's update
    if (t < 0 || t >= this.steps) return;
    this.state.t = t;
    this.inside(by > 0 ? 0 : n - 1);
  }

  #listed() {
    if (!this.surface) return;
    this.methods.build(this.state, this.surface.rates);
    for (const [name, method] of Object.entries(this.state.methods)) method.rate ??= this.surface.rates[name];
    if (!(this.state.focus in this.state.methods)) this.state.focus = Object.keys(this.state.methods)[0];
    this.recompute();
  }

  // Another surface: its own start and rates.
  choose(change) {
    Object.assign(this.state, { start: null, condition: null, t: null, lesson: null, inside: null, expression: null }, change);
    for (const method of Object.values(this.state.methods)) method.rate = null;
    this.load();
  }

  lesson(id) {
    const found = LESSONS.find((lesson) => lesson.id === id);
    const first = addresses.fresh();
    const kept = { view: this.state.view, turn: this.state.turn, speed: this.state.speed };
    const own = found ? structuredClone(found.state) : {};
    this.state = { ...first, ...kept, ...own, show: { ...first.show, ...own.show }, lesson: found ? id : null };
    if (!found) this.#usual();
    this.player.pause();
    this.load();
  }

  draw(began = null) {
    this.began ??= began;
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      if (!this.surface || !this.controls.stage.clientWidth) return;
      if (this.race) this.#paint();
      else if (this.state.view === "map") drawGround(this.controls.ground, new View(this.surface, ...this.controls.size()), this.surface, null, []);
    });
  }

  #paint() {
    const { controls, race, state, surface, t } = this;
    const looks = this.about.methods;
    const [width, height] = controls.size();
    controls.show(state.view);
    if (state.view === "map") {
      this.view = new View(surface, width, height);
      if (this.groundOld) drawGround(controls.ground, this.view, surface, this.basins, this.about.basins);
      this.groundOld = false;
      const drawn = drawPaths(controls.over, this.view, race, { ...state, start: state.start ?? race.start }, t, looks);
      controls.over.dataset.drawn = JSON.stringify(drawn);
      if (state.inside !== null && this.explained && race.methods.includes(state.focus)) {
        const chosen = this.explained.header.states[state.inside];
        if (chosen && this.explained.arrays.w.shape[0] === race.steps + 1)
          drawState(controls.over, this.view, race, state.focus, chosen, this.explained.arrays, t, looks[state.focus]);
      }
    } else {
      new Relief(surface, width, height, state.turn).draw(controls.relief, race, state, t, looks);
      controls.relief.dataset.drawn = "1";
    }
    drawLosses(controls.losses, race, state, surface, t, looks);
    if (state.fair) this.fair.draw(looks);
    if (this.heat) drawHeat(controls.heat, this.heat, this.#pair());
    this.methods.update(race, t, state.focus);
    this.panel.update(t, race.steps, state.inside);
    this.player.update();
    if (this.began !== null) performance.measure("drag", { start: this.began, end: performance.now() });
    this.began = null;
    this.#remember();
  }

  #pair() {
    const method = this.state.methods[this.state.focus];
    const knob = this.about.methods[this.state.focus].knobs.find(({ name }) => name === this.heat.second);
    return { rate: method?.rate ?? 0, value: method?.options[this.heat.second] ?? knob?.default ?? 0 };
  }

  // The address follows, but not at every frame.
  #remember() {
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      const state = { ...this.state, t: this.state.t === null ? null : Math.floor(this.state.t) };
      this.address(addresses.write(state));
    }, 250);
  }

  repaint() {
    this.groundOld = true;
    this.methods?.repaint();
    this.draw();
  }

  #listen() {
    const { losses, heat } = this.controls;
    const scrub = (event) => { if (event.buttons) this.player.go(stepAt(losses, event.offsetX, this.steps)); };
    losses.addEventListener("pointerdown", (event) => { losses.setPointerCapture(event.pointerId); scrub(event); });
    losses.addEventListener("pointermove", scrub);
    heat.addEventListener("pointerdown", (event) => {
      if (!this.heat || this.transport.baked) return;
      const [rate, value] = heatAt(heat, this.heat, event.offsetX, event.offsetY).map((v) => Number(v.toPrecision(3)));
      const method = this.state.methods[this.state.focus];
      method.rate = rate;
      method.options[this.heat.second] = value;
      this.methods.set(this.state.focus, rate, this.heat.second, value);
      this.recompute();
    });
    window.addEventListener("hashchange", () => { // typed, or a link within the page
      if (this.transport.baked || this.page.signal.aborted) return;
      this.state = addresses.read(location.hash.slice(1));
      this.#known();
      this.load();
    }, { signal: this.page.signal });
    document.addEventListener("keydown", (event) => this.player.key(event), { signal: this.page.signal });
  }
}

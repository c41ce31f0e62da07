// Play, pause, step, scrub, speed; the clock runs in steps.

import { h, icon, still } from "./dom.js";

const PER_SECOND = 20; // steps a second at speed 1
const SPEEDS = [0.1, 0.2, 0.5, 1, 2, 5, 10];

export class Player {
  playing = false;

  constructor({ time, steps, speed, moved, faster, pace = () => PER_SECOND, unit = "step" }) {
    Object.assign(this, { time, steps, speed, moved, pace, unit });
    const button = (name, label, act) => h("button", { type: "button", class: "round", "aria-label": label, title: label, onclick: act }, icon(name));
    this.toggle = h("button", { type: "button", class: "round play", "aria-label": "Play", title: "Play (space)", onclick: () => this.press() }, icon("play"));
    this.slider = h("input", { type: "range", min: 0, max: steps(), step: 1, value: 0, class: "scrub", "aria-label": unit[0].toUpperCase() + unit.slice(1), oninput: () => this.go(Number(this.slider.value)) });
    this.count = h("output", { class: "count" });
    this.speeds = h("select", { "aria-label": "Speed", title: "Speed", onchange: () => faster(Number(this.speeds.value)) },
      SPEEDS.map((value) => h("option", { value, selected: value === speed() }, `${value}×`)));
    this.element = h("div", { class: "player", role: "group", "aria-label": "Playback" },
      this.toggle, button("back", `One ${unit} back (left arrow)`, () => this.by(-1)), button("forward", `One ${unit} on (right arrow)`, () => this.by(1)), this.slider, this.count, this.speeds);
  }

  press() {
    if (this.playing) return this.pause();
    if (this.time() >= this.steps()) this.moved(0);
    this.playing = true;
    this.before = performance.now();
    this.#face("pause", "Pause");
    requestAnimationFrame((now) => this.#tick(now));
  }

  pause() {
    this.playing = false;
    this.#face("play", "Play");
  }

  #face(name, label) {
    this.toggle.replaceChildren(icon(name));
    this.toggle.setAttribute("aria-label", label);
    this.toggle.title = `${label} (space)`;
  }

  #tick(now) {
    if (!this.playing) return;
    const passed = ((now - this.before) / 1000) * this.pace() * this.speed();
    if (!still() || passed >= 1) {
      this.before = now;
      const next = Math.min(this.time() + (still() ? Math.floor(passed) : Math.max(passed, 0)), this.steps());
      this.moved(next);
      if (next >= this.steps()) return this.pause();
    }
    requestAnimationFrame((later) => this.#tick(later));
  }

  go(step) {
    this.pause();
    this.moved(Math.min(Math.max(step, 0), this.steps()));
  }

  by(n) {
    this.go((n < 0 ? Math.ceil(this.time()) : Math.floor(this.time())) + n);
  }

  // Space, arrows, Home and End, unless a field wants them; with shift ten steps at once.
  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const field = event.target.closest("input, select, textarea, summary");
    if (field && !(event.key === " " && field.type === "range")) return;
    const by = event.shiftKey ? 10 : 1;
    const acts = { ArrowLeft: () => this.by(-by), ArrowRight: () => this.by(by), Home: () => this.go(0), End: () => this.go(this.steps()) };
    if (event.key === " " && !event.target.closest("button, a")) acts[" "] = () => this.press();
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  update() {
    this.slider.max = this.steps();
    this.slider.value = Math.floor(this.time());
    this.slider.setAttribute("aria-valuetext", `${this.unit} ${Math.floor(this.time())} of ${this.steps()}`);
    this.count.value = `${Math.floor(this.time())} / ${this.steps()}`;
    this.speeds.value = this.speed();
  }
}

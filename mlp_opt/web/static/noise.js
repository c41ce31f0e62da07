// The Noise tab: what it holds, what it asks the server for, when it draws.

import { drawLosses, stepAt } from "./chart.js";
import { h, ink } from "./dom.js";
import { drawGround, View as Map } from "./map.js";
import { drawCloud, drawRadius, drawRuns } from "./noise_draw.js";
import { LESSONS } from "./noise_lessons.js";
import * as addresses from "./noise_state.js";
import { View } from "./noise_view.js";
import { Paths } from "./paths.js";
import { Player } from "./player.js";
import { picture, save, sharing, table } from "./share.js";

export const title = "Noise";
export const open = (page) => new Noise(page);

class Noise {
  surface = null;
  race = null; // the three paths
  bundle = null; // many seeds' runs
  old = false; // whether it is of another start
  cloud = null; // gradients at the chosen path's place
  groundOld = true;

  constructor(page) {
    this.page = page;
    this.transport = page.transport;
    this.state = addresses.read(location.hash.slice(1));
    page.root.replaceChildren(h("p", { class: "soft" }, "Preparing the loss …"));
    this.transport.ask("noise/about", {}, (answer) => this.#build(answer.header));
  }

  get t() { return Math.min(this.state.t ?? this.state.steps, this.steps); }
  get steps() { return this.race?.steps ?? this.state.steps; }
  get most() { return this.about.sets.find(({ name }) => name === this.state.dataset).rows; }
  get noisy() { return this.state.focus === "sgd" ? 1 : this.state.batch; } // the batch size of cloud and bundle
  get color() { return ink(this.about.methods[this.state.focus === "sgd" ? "sgd" : "minibatch"].color); }

  #build(about) {
    this.about = about;
    this.#known();
    this.player = new Player({
      time: () => this.t, steps: () => this.steps, speed: () => this.state.speed,
      moved: (t) => { this.state.t = t >= this.steps ? null : t; this.draw(); },
      faster: (speed) => { this.state.speed = speed; this.#remember(); },
    });
    this.view = new View(this);
    this.page.root.replaceChildren(...this.view.layout());
    this.page.tools.prepend(...this.#tools());
    this.#listen();
    this.load();
  }

  // What an address names that does not exist is as at first.
  #known() {
    const { state, about } = this;
    const first = addresses.fresh();
    if (!about.sets.some(({ name }) => name === state.dataset)) state.dataset = first.dataset;
    const { features } = about.sets.find(({ name }) => name === state.dataset);
    if (!features.includes(state.feature)) state.feature = features[0];
    if (!about.schedules.includes(state.schedule)) state.schedule = first.schedule;
    if (!about.draws.includes(state.draw)) state.draw = first.draw;
    state.batch = Math.min(state.batch, this.most, about.limits.batch);
  }

  load() {
    this.view.stage.classList.add("busy");
    this.transport.ask("noise/surface", addresses.land(this.state), ({ header, arrays }) => {
      this.view.stage.classList.remove("busy");
      this.view.fail(header.error);
      if (header.error) return;
      this.surface = { ...header, ...arrays };
      this.groundOld = true;
      this.recompute();
    });
  }

  recompute(began = null) {
    if (!this.surface) return;
    const body = addresses.request({ ...this.state, start: this.state.start ?? this.surface.start });
    this.view.update();
    this.transport.ask("noise/paths", body, (answer) => {
      this.view.fail(answer.header.error);
      if (answer.header.error) return;
      this.race = new Paths(answer);
      this.place = null;
      this.draw(began);
    });
    clearTimeout(this.rest); // while a start is dragged the paths come first
    if (began === null) this.#spread();
    else {
      this.old = true; // the bundle is not of this start
      this.rest = setTimeout(() => this.#spread(), 60);
    }
  }

  #spread() {
    const body = addresses.request({ ...this.state, batch: this.noisy, start: this.state.start ?? this.surface.start });
    this.transport.ask("noise/bundle", body, ({ header, arrays }) => {
      this.bundle = { ...header, ...arrays };
      this.old = false;
      this.draw();
    });
  }

  // The gradients where the chosen path is, if they are not known already.
  #gradients() {
    const { focus, seed, draw, dataset, feature } = this.state;
    const k = Math.floor(this.t);
    const at = ["x", "y"].map((column) => this.race.at(focus, column, k));
    const key = JSON.stringify([at, this.noisy, seed, draw, dataset, feature]);
    if (key === this.place) return;
    this.place = key;
    if (!at.every((v) => Math.abs(v) <= 100)) return void this.#gathered(null);
    this.transport.ask("noise/cloud", { dataset, feature, at, batch: this.noisy, seed, draw }, (answer) => this.#gathered(answer.header.error ? null : answer));
  }

  #gathered(cloud) {
    this.cloud = cloud;
    this.view.gradients(cloud);
    if (cloud) drawCloud(this.view.cloud, cloud, this.color);
    if (this.state.show.samples) this.draw();
  }

  // A number that was turned: all follow.
  turned(change, began = null) {
    Object.assign(this.state, change);
    this.recompute(began);
  }

  drag(px, py, began) {
    if (!this.map) return;
    const inside = (v, [low, high]) => Number(Math.min(Math.max(v, low), high).toPrecision(5));
    const [x, y] = this.map.back(px, py);
    this.turned({ start: [inside(x, this.surface.x), inside(y, this.surface.y)] }, began);
  }

  choose(change) {
    Object.assign(this.state, { start: null, t: null, lesson: null }, change);
    this.#known();
    this.bundle = null;
    this.load();
  }

  focus(name) {
    this.state.focus = name;
    this.view.update();
    this.#spread();
    this.draw();
  }

  lesson(id) {
    const found = LESSONS.find((lesson) => lesson.id === id);
    const { methods = {}, show = {}, ...own } = structuredClone(found?.state ?? {});
    const first = addresses.fresh();
    for (const [name, shown] of Object.entries(methods)) first.methods[name].shown = shown;
    this.state = { ...first, speed: this.state.speed, ...own, show: { ...first.show, ...show }, lesson: found ? id : null };
    this.player.pause();
    this.#known();
    this.load();
  }

  draw(began = null) {
    this.began ??= began;
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      if (this.surface && this.race && this.view.stage.clientWidth) this.#paint();
    });
  }

  #paint() {
    const { view, race, state, surface, t } = this;
    const looks = this.about.methods;
    this.map = new Map(surface, ...view.size());
    if (this.groundOld) {
      drawGround(view.ground, this.map, surface, null, []);
      if (this.cloud) drawCloud(view.cloud, this.cloud, this.color);
    }
    this.groundOld = false;
    const bundle = this.bundle && !this.old && !this.bundle.error && this.bundle.steps === race.steps ? this.bundle : null;
    const drawn = drawRuns(view.over, this.map, { race, bundle, cloud: this.cloud, state: { ...state, start: state.start ?? surface.start }, t, looks });
    view.over.dataset.drawn = JSON.stringify(drawn);
    drawLosses(view.losses, race, state, surface, t, looks, state.axis === "samples" ? "samples" : null);
    if (bundle) drawRadius(view.radius, bundle, t, this.color);
    view.ball(this.bundle, t);
    view.moved(race, t);
    this.player.update();
    this.#gradients();
    if (this.began !== null) performance.measure("drag", { start: this.began, end: performance.now() });
    this.began = null;
    this.#remember();
  }

  #address() { return addresses.write({ ...this.state, t: this.state.t === null ? null : Math.floor(this.state.t) }); }

  // The address follows, but not at every frame.
  #remember() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.page.address(this.#address()), 250);
  }

  repaint() {
    this.groundOld = true;
    this.view?.repaint();
    this.draw();
  }

  #tools() {
    return sharing(this.page, () => this.#address(), [
      ["Picture (PNG)", async () => save(await picture([this.view.ground, this.view.over]), "noise.png")],
      ["Paths (CSV)", () => save(table(this.race.csv()), "noise.csv")],
    ]);
  }

  #listen() {
    const { signal } = this.page;
    for (const canvas of [this.view.losses, this.view.radius]) {
      const scrub = (event) => {
        if (!event.buttons || (canvas === this.view.losses && this.state.axis !== "step")) return;
        this.player.go(stepAt(canvas, event.offsetX, this.steps));
      };
      canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); scrub(event); });
      canvas.addEventListener("pointermove", scrub);
    }
    const resized = new ResizeObserver(() => { this.groundOld = true; this.draw(); });
    resized.observe(this.view.stage);
    signal.addEventListener("abort", () => { resized.disconnect(); this.player.pause(); });
    window.addEventListener("hashchange", () => { // typed, or a link within the page
      if (signal.aborted) return;
      this.state = addresses.read(location.hash.slice(1));
      this.#known();
      this.load();
    }, { signal });
    document.addEventListener("keydown", (event) => this.player.key(event), { signal });
  }
}

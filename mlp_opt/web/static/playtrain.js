// Training in time: how many epochs to ask the server for, and when. One request is under way; drawing never waits for it.

import { still } from "./dom.js";

export const FASTEST = 1000; // "as fast as it goes"

export class Trainer {
  playing = false;
  #busy = null;
  #credit = 0;
  #before = 0;
  #gulp = 1;
  #again = false;

  // ask(epochs, done): one request; epoch(): where it stands; most: epochs a request; end: epochs in all; told(): the button changes.
  constructor({ ask, epoch, speed, most, end, told, signal }) {
    Object.assign(this, { ask, epoch, speed, most, end, told, signal });
    this.target = 0; // to be reached before anything else
  }

  // A new training: what was asked for the old one is of no interest.
  reset(target = 0) {
    this.#busy = null;
    this.#credit = 0;
    this.target = target;
  }

  press() { this.playing ? this.pause() : this.play(); }

  play() {
    if (this.epoch() >= this.end) return;
    this.playing = true;
    this.#before = performance.now();
    this.told();
    this.#tick();
  }

  pause() {
    this.playing = false;
    this.target = 0;
    this.told();
  }

  step() {
    const from = Math.max(this.epoch(), this.target); // pressed twice: two epochs
    this.pause();
    this.target = Math.min(from + 1, this.end);
    this.pump();
  }

  // Something else is to be shown: ask without training, unless training brings it.
  look() {
    if (this.#busy) this.#again = true;
    else this.#send(0);
  }

  // Called at each answer and each frame: ask for the epochs that are due.
  pump() {
    if (this.#busy || this.signal.aborted) return;
    const behind = this.target - this.epoch();
    if (behind > 0) return this.#send(Math.min(behind, this.most));
    this.target = 0;
    if (!this.playing) return;
    const now = performance.now();
    this.#credit = Math.min(this.#credit + ((now - this.#before) / 1000) * this.speed(), 2 * this.most);
    this.#before = now;
    const due = this.speed() >= FASTEST ? this.#gulp : Math.min(Math.floor(this.#credit), this.most);
    if (due < 1 || (still() && this.speed() < FASTEST && this.#credit < this.speed() / 2)) return;
    this.#credit -= due;
    this.#send(due);
  }

  #send(epochs) {
    const token = (this.#busy = {});
    const began = performance.now();
    this.#again = false;
    this.ask(epochs, () => {
      if (this.#busy !== token) return;
      this.#busy = null;
      const took = performance.now() - began;
      if (epochs) this.#gulp = Math.max(1, Math.min(this.most, Math.round(epochs * Math.min(14 / took, 2))));
      if (this.playing && this.epoch() >= this.end) this.pause();
      this.pump();
      if (this.#again && !this.#busy) this.look();
    });
  }

  #tick() {
    if (!this.playing || this.signal.aborted) return;
    this.pump();
    requestAnimationFrame(() => this.#tick());
  }
}

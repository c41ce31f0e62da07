// The networks of a sweep that are drawn, and how they are named.

import { h, ink, palette, short } from "./dom.js";
import { swatch } from "./marks.js";

export class Lanes {
  constructor({ header, arrays }) {
    Object.assign(this, header);
    [this.n, this.width] = arrays.lanes.shape;
    this.data = arrays.lanes.data;
    this.places = Object.fromEntries(header.columns.map((name, k) => [name, k]));
    this.lost = header.statuses.indexOf("diverged");
  }

  at(k, name) { return this.data[k * this.width + this.places[name]]; }
  field(name) { return this.fields.find((field) => field.name === name); }
  lane(k) { return ["trial", "fold", "repeat"].map((name) => this.at(k, name)); }
  diverged(k) { return this.at(k, "status") === this.lost; }
  group(k) { return this.groups[this.at(k, "group")]; }
  get numbers() { return this.fields.filter((field) => field.values === null && field.varies); }
  get varied() { return this.fields.filter((field) => field.varies); }

  find([trial, fold, repeat]) {
    for (let k = 0; k < this.n; k++) if (this.at(k, "trial") === trial && this.at(k, "fold") === fold && this.at(k, "repeat") === repeat) return k;
    return -1;
  }

  // The lanes of a trial.
  of(trial) { return Array.from({ length: this.n }, (_, k) => k).filter((k) => this.at(k, "trial") === trial); }

  said(k, name) {
    const { values } = this.field(name);
    const value = this.at(k, name);
    return Number.isNaN(value) ? "none" : values ? (values[value] ?? "…") : Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : short(value);
  }

  // A network in a few lines.
  told(k) {
    const status = this.statuses[this.at(k, "status")];
    const score = this.diverged(k) ? "diverged" : `${this.what} ${short(this.at(k, "score"), 4)}`;
    const extra = status === "halved" || status === "running" ? `, ${status} after ${this.at(k, "epochs")} epochs` : "";
    return [`Trial ${this.at(k, "trial")}: ${score}${extra}`, ...this.fields.map((field) => `${field.label} ${this.said(k, field.name)}`)];
  }

  csv() {
    const plain = (k, name) => {
      const field = this.fields.find((one) => one.name === name);
      const value = this.at(k, name);
      if (name === "group") return null;
      if (name === "status") return this.statuses[value];
      if (Number.isNaN(value)) return "";
      return field?.values ? quoted(field.values[value] ?? "") : String(Number(value.toPrecision(7)));
    };
    const names = this.columns.filter((name) => name !== "group");
    return [names.join(","), ...Array.from({ length: this.n }, (_, k) => names.map((name) => plain(k, name)).join(","))].join("\n") + "\n";
  }
}

export const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
export const same = (a, b) => Boolean(a && b) && a.every((value, k) => value === b[k]);

// The groups as buttons that show and hide them.
export function groupKeys(groups, hidden, pressed) {
  return groups.filter(({ name }) => name).map((look) => {
    const picture = h("canvas", { class: "swatch", "aria-hidden": "true" });
    swatch(picture, look, ink(look.color), palette().card);
    return h("button", { type: "button", class: "group-key", "aria-pressed": String(!hidden.includes(look.name)), title: `Show or hide ${look.name}`, onclick: () => pressed(look.name) }, picture, look.name);
  });
}

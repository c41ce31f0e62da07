// The paths of one answer, by name of method and column.

export class Paths {
  #largest = new Map();

  constructor({ header, arrays }) {
    this.methods = header.methods;
    this.steps = header.steps;
    this.rates = header.rates;
    this.start = header.start;
    this.columns = header.columns;
    this.differences = header.differences ?? null;
    this.data = arrays.paths.data;
    this.optax = arrays.optax?.data ?? null;
    this.width = this.columns.length;
    this.places = Object.fromEntries(this.columns.map((column, k) => [column, k]));
    this.firsts = Object.fromEntries(this.methods.map((name, k) => [name, k * (this.steps + 1) * this.width]));
  }

  at(name, column, step) {
    return this.data[this.firsts[name] + step * this.width + this.places[column]];
  }

  twin(name, step) {
    const k = 2 * (this.methods.indexOf(name) * (this.steps + 1) + step);
    return [this.optax[k], this.optax[k + 1]];
  }

  // The place at a time between two steps: playing slowly is smooth.
  between(name, t) {
    const k = Math.min(Math.floor(t), this.steps);
    const share = k < this.steps ? t - k : 0;
    return ["x", "y"].map((column) => {
      const here = this.at(name, column, k);
      return share > 0 ? here + share * (this.at(name, column, k + 1) - here) : here;
    });
  }

  // The largest size of a pair of columns on the path.
  largest(name, columns, size = Math.hypot) {
    const key = name + columns;
    if (!this.#largest.has(key)) {
      let most = 0;
      for (let k = 0; k <= this.steps; k++) {
        const value = size(...columns.map((column) => Math.abs(this.at(name, column, k))));
        if (value > most && Number.isFinite(value)) most = value;
      }
      this.#largest.set(key, most);
    }
    return this.#largest.get(key);
  }

  csv() {
    const lines = [["optimizer", "step", ...this.columns, ...(this.optax ? ["optax_x", "optax_y"] : [])].join(",")];
    const plain = (value) => (Number.isFinite(value) ? String(value) : "");
    for (const name of this.methods)
      for (let k = 0; k <= this.steps; k++) {
        const row = this.columns.map((column) => plain(this.at(name, column, k)));
        if (this.optax) row.push(...this.twin(name, k).map(plain));
        lines.push([name, k, ...row].join(","));
      }
    return lines.join("\n") + "\n";
  }
}

// The whole state of the Noise tab, and its short form in the address.

export const METHODS = ["gd", "sgd", "minibatch"];
export const SHOW = ["seeds", "spread", "samples"];

export const fresh = () => ({
  dataset: "breast_cancer", feature: null, start: null, rate: 2, batch: 32, steps: 100, seed: 0, schedule: "constant", draw: "replace",
  t: null, speed: 1, focus: "minibatch", methods: Object.fromEntries(METHODS.map((name) => [name, { shown: true }])),
  show: { seeds: true, spread: true, samples: false }, axis: "step", lesson: null,
});

const number = (value) => String(Number(value.toPrecision(6)));
const KEYS = { dataset: "d", feature: "x", rate: "a", batch: "b", steps: "steps", seed: "seed", schedule: "schedule", draw: "draw", t: "t", speed: "speed", focus: "focus", axis: "axis", lesson: "lesson" };

export function write(state) {
  const first = fresh();
  const said = new URLSearchParams();
  for (const [name, key] of Object.entries(KEYS)) if (state[name] !== first[name] && state[name] !== null) said.set(key, typeof state[name] === "number" ? number(state[name]) : state[name]);
  if (state.start) said.set("p", state.start.map(number).join(","));
  const hidden = METHODS.filter((name) => !state.methods[name].shown);
  if (hidden.length) said.set("hide", hidden.join(","));
  if (SHOW.some((key) => state.show[key] !== first.show[key])) said.set("show", SHOW.filter((key) => state.show[key]).join(","));
  const text = String(said);
  return text ? `noise?${text}` : "noise";
}

// The state that an address names; what it leaves out, or writes wrongly, is as at first.
export function read(hash) {
  const state = fresh();
  const said = new URLSearchParams(hash.split("?")[1] ?? "");
  const within = (name, low, high, fits = Number.isFinite) => {
    const value = Number(said.get(KEYS[name]));
    if (said.get(KEYS[name]) && fits(value) && value >= low && value <= high) state[name] = value;
  };
  within("rate", 1e-4, 1e3);
  within("batch", 1, 512, Number.isInteger);
  within("steps", 1, 512, Number.isInteger);
  within("seed", 0, 2 ** 31 - 1, Number.isInteger);
  within("t", 0, state.steps, Number.isInteger);
  within("speed", 0.1, 10);
  for (const name of ["dataset", "feature", "schedule", "draw", "lesson"]) state[name] = said.get(KEYS[name]) ?? state[name];
  if (METHODS.includes(said.get("focus"))) state.focus = said.get("focus");
  if (said.get("axis") === "samples") state.axis = "samples";
  const start = (said.get("p") ?? "").split(",").map(Number);
  if (said.get("p") && start.length === 2 && start.every((v) => Math.abs(v) <= 100)) state.start = start;
  for (const name of (said.get("hide") ?? "").split(",")) if (METHODS.includes(name)) state.methods[name].shown = false;
  if (said.has("show")) for (const key of SHOW) state.show[key] = said.get("show").split(",").includes(key);
  return state;
}

// What the server needs to know of it.
export const land = ({ dataset, feature }) => ({ dataset, feature });
export const request = (state) => ({
  ...land(state), start: state.start, rate: state.rate, batch: state.batch, steps: state.steps, seed: state.seed, schedule: state.schedule, draw: state.draw,
});

// The whole state of the Playground tab, and its short form in the address.

const NUMBERS = { // name in the address, key, lowest, highest, whole
  n: ["noise", 0, 0.5], p: ["share", 0.1, 0.9], dseed: ["data_seed", 0, 2 ** 32 - 1, true], b: ["batch", 0, 1000, true], seed: ["seed", 0, 2 ** 32 - 1, true],
  T: ["horizon", 1, 20000, true], l1: ["l1", 0, 10], l2: ["l2", 0, 10], drop: ["dropout", 0, 0.9], e: ["epoch", 0, 5000, true], k: ["shown", 0, 5, true], v: ["speed", 1, 1000],
};
const NAMES = { d: "data", a: "activation", i: "init", s: "schedule", lesson: "lesson" };
const FLAGS = { res: "residual", test: "test", disc: "discrete", log: "log" };
export const LONGEST = 6000; // characters of own data that an address holds
let last = null; // own data, also when too long for an address

export const fresh = () => ({
  data: "circle", own: null, noise: 0, share: 0.5, data_seed: 0, features: ["x", "y"], hidden: [4, 2], activation: "tanh", init: "glorot_normal", residual: false,
  batch: 10, seed: 0, schedule: "constant", horizon: 200, l1: 0, l2: 0, dropout: 0, rules: [{ name: "sgd", rate: null, options: {} }],
  shown: 0, epoch: 0, speed: 60, test: false, discrete: false, log: false, lesson: null,
});

const number = (value) => String(Number(value.toPrecision(6)));

// name~rate~option=value~...
const ruleText = ({ name, rate, options }) =>
  [name, rate === null ? "" : number(rate), ...Object.entries(options).map(([key, value]) => `${key}=${number(value)}`)].join("~");

function ruleRead(text) {
  const [name, rate, ...rest] = text.split("~");
  const options = Object.fromEntries(rest.map((part) => part.split("=")).map(([key, value]) => [key, Number(value)]));
  return { name, rate: rate ? Number(rate) : null, options };
}

export function write(state) {
  const first = fresh();
  const said = new URLSearchParams();
  for (const [short, key] of Object.entries(NAMES)) if (state[key] !== first[key]) said.set(short, state[key]);
  if (state.data === "own" && state.own !== null) {
    last = state.own;
    if (state.own.length <= LONGEST) said.set("csv", state.own);
  }
  for (const [short, [key]] of Object.entries(NUMBERS)) if (state[key] !== first[key]) said.set(short, number(state[key]));
  for (const [short, key] of Object.entries(FLAGS)) if (state[key]) said.set(short, "1");
  if (state.features.join() !== first.features.join()) said.set("f", state.features.join());
  if (state.hidden.join() !== first.hidden.join()) said.set("h", state.hidden.join());
  for (const rule of state.rules) said.append("m", ruleText(rule));
  return `playground?${said}`;
}

// The state that an address names; what it leaves out, or writes wrongly, is as at first.
export function read(hash, about) {
  const state = fresh();
  const said = new URLSearchParams(hash.split("?")[1] ?? "");
  for (const [short, key] of Object.entries(NAMES)) state[key] = said.get(short) ?? state[key];
  for (const [short, [key, low, high, whole]] of Object.entries(NUMBERS)) {
    const value = Number(said.get(short));
    if (said.get(short) && value >= low && value <= high && (!whole || Number.isInteger(value))) state[key] = value;
  }
  for (const [short, key] of Object.entries(FLAGS)) state[key] = said.get(short) === "1";
  if (state.data === "own") state.own = said.get("csv") ?? last;
  const { data, features, activations, initializers, schedules, methods, limits } = about;
  const first = fresh();
  if (!(state.data in data) && !(state.data === "own" && state.own)) state.data = first.data;
  for (const [key, known] of [["activation", activations], ["init", initializers], ["schedule", schedules]]) if (!known.includes(state[key])) state[key] = first[key];
  const chosen = features.filter((name) => (said.get("f") ?? "").split(",").includes(name));
  if (chosen.length) state.features = chosen;
  if (said.has("h")) {
    const units = said.get("h") === "" ? [] : said.get("h").split(",").map(Number);
    if (units.length <= limits.layers && units.every((n) => Number.isInteger(n) && n >= 1 && n <= limits.units)) state.hidden = units;
  }
  const rules = said.getAll("m").map(ruleRead).filter(({ name, rate, options }) => name in methods && [rate ?? 1, ...Object.values(options)].every(Number.isFinite));
  if (rules.length) state.rules = rules.slice(0, limits.methods);
  state.shown = Math.min(state.shown, state.rules.length - 1);
  return state;
}

const NETWORK = ["data", "noise", "share", "data_seed", "features", "hidden", "activation", "init", "residual", "batch", "seed", "schedule", "horizon"];

// What the server needs to begin a training, and what may change while it goes on.
export function network(state) {
  const body = Object.fromEntries(NETWORK.map((key) => [key, state[key]]));
  return state.data === "own" ? { ...body, own: state.own } : body;
}

export const numbers = ({ rules, l1, l2, dropout }) => ({ methods: rules.map(({ name, rate, options }) => ({ name, rate, options })), l1, l2, dropout });

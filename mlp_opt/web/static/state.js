// The whole state of the Race tab, and its short form in the address.

const SHOW = ["gradient", "velocity", "step", "squares"];

export const fresh = () => ({
  surface: "himmelblau", expression: null, x: [-2, 2], y: [-2, 2], condition: null, start: null, methods: {}, steps: 200, t: null,
  speed: 1, schedule: "constant", optax: false, view: "map", turn: [0.6, 0.9], basins: false, heat: false, fair: false, focus: "adam", inside: null,
  show: { gradient: false, velocity: false, step: false, squares: false }, lesson: null,
});

const number = (value) => String(Number(value.toPrecision(6)));
const pair = (values) => values.map(number).join(",");

// name~rate~option=value~...; a leading ! hides the method.
function methodText(name, { rate, options, shown }) {
  const parts = [(shown === false ? "!" : "") + name, rate === null ? "" : number(rate)];
  for (const [key, value] of Object.entries(options)) parts.push(`${key}=${number(value)}`);
  return parts.join("~");
}

function methodRead(text) {
  const [head, rate, ...rest] = text.split("~");
  const options = Object.fromEntries(rest.map((part) => part.split("=")).map(([key, value]) => [key, Number(value)]));
  return [head.replace("!", ""), { rate: rate ? Number(rate) : null, options, shown: !head.startsWith("!") }];
}

export function write(state) {
  const first = fresh();
  const said = new URLSearchParams();
  const put = (key, value, usual) => value !== usual && value !== null && said.set(key, value);
  if (state.expression !== null) {
    said.set("f", state.expression);
    said.set("x", pair(state.x));
    said.set("y", pair(state.y));
  } else said.set("s", state.surface);
  put("c", state.condition && number(state.condition), null);
  if (state.start) said.set("p", pair(state.start));
  for (const [name, method] of Object.entries(state.methods)) said.append("m", methodText(name, method));
  for (const key of ["steps", "t", "speed", "schedule", "view", "focus", "lesson", "inside"]) put(key, state[key], first[key]);
  if (state.view === "relief") said.set("turn", pair(state.turn));
  for (const key of ["optax", "basins", "heat", "fair"]) put(key, state[key] ? "1" : null, null);
  const shown = SHOW.filter((key) => state.show[key]);
  if (shown.length) said.set("show", shown.join(","));
  return `race?${said}`;
}

// The state that an address names; what it leaves out, or writes wrongly, is as at first.
export function read(hash) {
  const state = fresh();
  const said = new URLSearchParams(hash.split("?")[1] ?? "");
  const two = (key) => {
    const values = (said.get(key) ?? "").split(",").map(Number);
    return values.length === 2 && said.get(key) && values.every(Number.isFinite) ? values : null;
  };
  if (said.has("f")) [state.expression, state.x, state.y] = [said.get("f").slice(0, 500), two("x") ?? state.x, two("y") ?? state.y];
  else state.surface = said.get("s") ?? state.surface;
  if (Number(said.get("c")) > 0) state.condition = Number(said.get("c"));
  state.start = two("p");
  for (const [name, method] of said.getAll("m").map(methodRead))
    if ([method.rate ?? 0, ...Object.values(method.options)].every(Number.isFinite)) state.methods[name] = method;
  const whole = (key, low, high) => {
    const value = Number(said.get(key));
    if (said.has(key) && Number.isInteger(value) && value >= low && value <= high) state[key] = value;
  };
  whole("steps", 1, 2048);
  whole("t", 0, state.steps);
  whole("inside", 0, 12);
  if (Number(said.get("speed")) >= 0.1 && Number(said.get("speed")) <= 10) state.speed = Number(said.get("speed"));
  for (const key of ["schedule", "focus", "lesson"]) state[key] = said.get(key) ?? state[key];
  if (said.get("view") === "relief") state.view = "relief";
  state.turn = two("turn") ?? state.turn;
  for (const key of ["optax", "basins", "heat", "fair"]) state[key] = said.get(key) === "1";
  for (const key of (said.get("show") ?? "").split(",")) if (SHOW.includes(key)) state.show[key] = true;
  return state;
}

// What the server needs to know of it.
export function request(state) {
  const methods = Object.entries(state.methods).map(([name, { rate, options }]) => ({ name, rate, options }));
  const land = state.expression !== null ? { expression: state.expression, x: state.x, y: state.y } : { surface: state.surface, condition: state.condition };
  return { ...land, start: state.start, steps: state.steps, schedule: state.schedule, optax: state.optax, methods };
}

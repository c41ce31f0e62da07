// The Landscape tab's state, and its short form in the address.

export const fresh = () => ({ name: null, t: null, speed: 1, view: "map", turn: [0.6, 0.9], plane: 0, hide: [] });

export function write(state) {
  const said = new URLSearchParams();
  const first = fresh();
  if (state.name !== null) said.set("run", state.name);
  if (state.t !== null) said.set("t", Math.floor(state.t));
  for (const key of ["speed", "view", "plane"]) if (state[key] !== first[key]) said.set(key, state[key]);
  if (state.view === "relief") said.set("turn", state.turn.map((v) => Number(v.toFixed(3))).join(","));
  for (const name of state.hide) said.append("hide", name);
  return `landscape?${said}`;
}

// What an address leaves out, or writes wrongly, is as at first.
export function read(hash) {
  const state = fresh();
  const said = new URLSearchParams(hash.split("?")[1] ?? "");
  const whole = (key, most) => (/^\d{1,6}$/.test(said.get(key) ?? "") && Number(said.get(key)) <= most ? Number(said.get(key)) : null);
  state.name = said.get("run")?.slice(0, 255) || null;
  state.t = whole("t", 1e5);
  state.plane = whole("plane", 15) ?? 0;
  if (Number(said.get("speed")) >= 0.1 && Number(said.get("speed")) <= 10) state.speed = Number(said.get("speed"));
  if (said.get("view") === "relief") state.view = "relief";
  const turn = (said.get("turn") ?? "").split(",").map(Number);
  if (said.get("turn") && turn.length === 2 && turn.every(Number.isFinite)) state.turn = turn;
  state.hide = said.getAll("hide");
  return state;
}

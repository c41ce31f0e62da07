// The Sweep tab's state, and its short form in the address.

export const fresh = () => ({ name: null, lane: null, x: null, pair: null, sort: null, hide: [] });

export function write(state) {
  const said = new URLSearchParams();
  if (state.name !== null) said.set("run", state.name);
  if (state.lane) said.set("trial", state.lane[1] || state.lane[2] ? state.lane.join(".") : state.lane[0]);
  for (const key of ["x", "sort"]) if (state[key] !== null) said.set(key, state[key]);
  if (state.pair) for (const name of state.pair) said.append("map", name);
  for (const name of state.hide) said.append("hide", name);
  return `sweep?${said}`;
}

// What an address leaves out, or writes wrongly, is as at first.
export function read(hash) {
  const state = fresh();
  const said = new URLSearchParams(hash.split("?")[1] ?? "");
  for (const [key, name] of [["name", "run"], ["x", "x"], ["sort", "sort"]]) state[key] = said.get(name)?.slice(0, 255) || null;
  const lane = (said.get("trial") ?? "").split(".").map(Number);
  if (said.get("trial") && lane.length <= 3 && lane.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 31)) state.lane = [...lane, 0, 0].slice(0, 3);
  const pair = said.getAll("map");
  if (pair.length === 2 && pair[0] !== pair[1]) state.pair = pair;
  state.hide = said.getAll("hide");
  return state;
}

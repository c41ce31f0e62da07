// What leaves the Playground: a link, pictures, the curves as a table.

import { LONGEST, write } from "./playstate.js";
import { picture, save, sharing, table } from "./share.js";

// The buttons for it: `tab` has state, epoch, net, map, curves, names, page.
export function tools(tab) {
  const said = () => (tab.state.data === "own" && tab.state.own.length > LONGEST ? "Copied, without your data: it is too long" : "Copied");
  return sharing(tab.page, () => write({ ...tab.state, epoch: Math.min(tab.epoch, 5000) }), [
    ["Network (PNG)", async () => save(await picture([tab.net.canvas]), "network.png")],
    ["Output (PNG)", async () => save(await picture([tab.map.canvas, tab.map.over]), "output.png")],
    ["Curves (CSV)", () => tab.curves && save(table(tab.curves.csv(tab.names)), "curves.csv")],
  ], said);
}

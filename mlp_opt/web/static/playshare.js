// What leaves the Playground: a link, pictures, the curves as a table.

import { h } from "./dom.js";
import { LONGEST, write } from "./playstate.js";
import { copy, picture, save } from "./share.js";

// The buttons for it: `tab` has state, epoch, net, map, curves, names, page.
export function tools(tab) {
  const item = (text, act) => h("button", { type: "button", class: "quiet", onclick: act }, text);
  const link = item("Copy link", async () => {
    tab.page.address(write({ ...tab.state, epoch: Math.min(tab.epoch, 5000) }));
    await copy(location.href);
    link.textContent = tab.state.data === "own" && tab.state.own.length > LONGEST ? "Copied, without your data: it is too long" : "Copied";
    setTimeout(() => { link.textContent = "Copy link"; }, 2500);
  });
  const menu = h("details", { class: "menu" }, h("summary", { class: "quiet" }, "Export"), h("div", { class: "list" },
    item("Network (PNG)", async () => save(await picture([tab.net.canvas]), "network.png")),
    item("Output (PNG)", async () => save(await picture([tab.map.canvas, tab.map.over]), "output.png")),
    item("Curves (CSV)", () => { if (tab.curves) save(new Blob([tab.curves.csv(tab.names)], { type: "text/csv" }), "curves.csv"); })));
  menu.addEventListener("click", (event) => { if (event.target.closest(".list")) menu.open = false; });
  return [link, menu];
}

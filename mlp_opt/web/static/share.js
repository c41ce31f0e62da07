// What leaves the page: a link, a picture, a table, the page itself as one file.

import { dark, h } from "./dom.js";
import * as addresses from "./state.js";

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea"); // where the clipboard is not ours: the old way
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

// The layers over each other, on the page's ground.
export function picture(layers) {
  const made = document.createElement("canvas");
  [made.width, made.height] = [layers[0].width, layers[0].height];
  const context = made.getContext("2d");
  context.fillStyle = dark() ? "#1b1e23" : "#ffffff";
  context.fillRect(0, 0, made.width, made.height);
  for (const layer of layers) context.drawImage(layer, 0, 0);
  return new Promise((done) => made.toBlob(done, "image/png"));
}

async function made(path, race, hash, maps) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify({ race, hash, maps }) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.blob();
}

// The two buttons of any tab: copy the link to its state, `hash()`; a menu of files, [name, what makes it].
// said: what the first says once it has copied.
export function sharing(page, hash, files, said = () => "Copied") {
  const item = (text, act) => h("button", { type: "button", class: "quiet", onclick: act }, text);
  const link = item("Copy link", async () => {
    page.address(hash());
    await copy(location.href);
    link.textContent = said();
    setTimeout(() => { link.textContent = "Copy link"; }, 2000);
  });
  const menu = h("details", { class: "menu" }, h("summary", { class: "quiet" }, "Export"), h("div", { class: "list" }, files.map(([text, act]) => item(text, act))));
  menu.addEventListener("click", (event) => { if (event.target.closest(".list")) menu.open = false; });
  return [link, menu];
}

// The Race tab's: `tab` has state, race, controls, transport, page.
export function tools(tab) {
  return sharing(tab.page, () => addresses.write(tab.state), [
    ["Picture (PNG)", async () => save(await picture(tab.controls.layers()), "race.png")],
    ["Paths (CSV)", () => save(table(tab.race.csv()), "paths.csv")],
    ...(tab.transport.baked ? [] : [["Animation (GIF)", () => fetched(tab, "/gif", "race.gif")], ["This page (HTML, works offline)", () => fetched(tab, "/bake", "race.html")]]),
  ]);
}

export const table = (text) => new Blob([text], { type: "text/csv" });

// A file that the server makes.
async function fetched(tab, path, name) {
  const maps = ["basins", "heat", "fair"].filter((kind) => tab.state[kind]).map((kind) => [kind, tab.state.focus]);
  tab.page.tell(`Making ${name} …`);
  try {
    save(await made(path, addresses.request(tab.state), addresses.write(tab.state), maps), name);
    tab.page.tell(null);
  } catch (error) {
    tab.page.tell(`${name} could not be made: ${error.message}`);
  }
}

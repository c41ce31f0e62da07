// What leaves the page: a link, a picture, a table, the page itself as one file.

import { dark } from "./dom.js";

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

export async function baked(race, hash, maps) {
  const answer = await fetch("/bake", { method: "POST", body: JSON.stringify({ race, hash, maps }) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.blob();
}

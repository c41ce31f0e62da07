// Two colours that every kind of colour vision tells apart: orange below 0, blue above, the ground between.

import { dark } from "./dom.js";

const STOPS = { light: [[213, 94, 0], [246, 246, 244], [0, 114, 178]], dark: [[240, 122, 43], [33, 37, 43], [74, 159, 224]] };
const FULL = 0.8; // how much of it the strongest place of a map has: what is drawn on it stays clear
const tables = {};

// Packed RGBA of 256 steps from -1 to 1.
function table() {
  const name = dark() ? "dark" : "light";
  if (!tables[name]) {
    const [below, zero, above] = STOPS[name];
    const made = new Uint8ClampedArray(1024);
    for (let k = 0; k < 256; k++) {
      const v = (k - 127.5) / 127.5;
      const end = v < 0 ? below : above;
      for (let c = 0; c < 3; c++) made[4 * k + c] = zero[c] + (end[c] - zero[c]) * FULL * Math.abs(v) ** 0.85;
      made[4 * k + 3] = 255;
    }
    tables[name] = new Uint32Array(made.buffer);
  }
  return tables[name];
}

const NOTHING = 0xff8a8a8a; // where the network gives no number

// Values (rows from low y to high) as pixels (rows from the top), at an offset of an ImageData's rows; size: a side.
export function paint(pixels, at, values, from, size, scale, shift = 0, discrete = false) {
  const colors = table();
  for (let j = 0; j < size; j++) {
    let k = at + (size - 1 - j) * size;
    for (let i = 0; i < size; i++, k++) {
      const v = (values[from + j * size + i] - shift) / scale;
      if (v !== v) pixels[k] = NOTHING;
      else pixels[k] = colors[discrete ? (v < 0 ? 32 : 223) : v <= -1 ? 0 : v >= 1 ? 255 : ((v + 1) * 127.5) | 0];
    }
  }
}

// The colour of one value from -1 to 1, stronger than on the maps.
export function sign(v, alpha = 1) {
  const [below, , above] = STOPS[dark() ? "dark" : "light"];
  return v !== v ? `rgba(138,138,138,${alpha})` : `rgba(${(v < 0 ? below : above).join()},${alpha})`;
}

export function tone(v) {
  if (v !== v) return "#8a8a8a";
  const packed = table()[Math.max(0, Math.min(255, ((v + 1) * 127.5) | 0))];
  return `rgb(${packed & 255},${(packed >> 8) & 255},${(packed >> 16) & 255})`;
}

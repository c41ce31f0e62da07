// Small helpers: elements, numbers as text, and what the theme's colours are.

export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else if (typeof value === "boolean" && !key.startsWith("aria")) made.toggleAttribute(key, value);
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat(2).filter((child) => child !== null && child !== undefined));
  return made;
}

const ICONS = {
  play: "M8 5.2v13.6L19 12z",
  pause: "M7 5h3.6v14H7zM13.4 5H17v14h-3.6z",
  back: "M17 5.5v13L8.5 12zM6 5.5h2v13H6z",
  reset: "M12 5V1.8L6.6 6.2 12 10.6V7.2a4.9 4.9 0 1 1-4.9 4.9H4.9A7.1 7.1 0 1 0 12 5z",
  forward: "M7 5.5v13l8.5-6.5zM16 5.5h2v13h-2z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

// A number in few characters, with a true minus sign.
export function short(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  let text;
  if (size === 0) text = "0";
  else if (size >= 1e5 || size < 1e-3) {
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    text = `${mantissa.replace(/\.?0+$/, "")}e${Number(power)}`;
  } else text = String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

export function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Twins of the pictures' colours that are seen on a dark ground.
const TWINS = { "#000000": "#f2f3f5", "#0072B2": "#4a9fe0", "#D55E00": "#f07a2b", "#009E73": "#2bbf96" };
export const ink = (color) => (dark() ? (TWINS[color] ?? color) : color);

export function palette() {
  return dark()
    ? { ground: [[21, 24, 29], [35, 39, 47], [54, 61, 72], [82, 91, 106]], relief: [0.42, 0.58], line: "rgba(255,255,255,.13)", halo: "rgba(16,18,22,.75)",
        ink: "#e9eaec", soft: "#9aa1ad", card: "#1b1e23", edge: "#33373f" }
    : { ground: [[253, 253, 251], [233, 236, 239], [205, 211, 219], [163, 171, 184]], relief: [0.15, 0.75], line: "rgba(255,255,255,.85)", halo: "rgba(255,255,255,.9)",
        ink: "#1d2025", soft: "#666c77", card: "#ffffff", edge: "#e2e4e7" };
}

export function blend(stops, share) {
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(at), stops.length - 2);
  return stops[i].map((low, k) => low + (stops[i + 1][k] - low) * (at - i));
}

// matplotlib's cividis, every eighth: dark blue to yellow, for all kinds of colour vision.
export const CIVIDIS = [[0, 34, 78], [24, 54, 110], [65, 77, 107], [95, 100, 109], [125, 124, 120], [158, 150, 118], [192, 176, 106], [228, 205, 84], [254, 232, 56]];

// A pointer's moves, where the browser tells them, as they come: pointermove waits for the next frame, up to 17 ms.
export const MOVED = "onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove";

// A canvas for sharp lines: CSS pixels inside, device pixels below. Returns its context.
export function fit(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, t] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== t) {
    canvas.width = w;
    canvas.height = t;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// About n round numbers between low and high.
export function ticks(low, high, n = 5) {
  const raw = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((k) => k * power >= raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

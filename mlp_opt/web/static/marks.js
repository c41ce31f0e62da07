// What stands for an optimizer in a drawing: its line, its marker, arrows and squares.

const DASHES = { "-": [], "--": [7, 4], ":": [2, 3.5], "-.": [8, 3, 2, 3] };
export const dashes = (look) => DASHES[look.line] ?? [];

const polygon = (n, turn, size) => Array.from({ length: n }, (_, k) => [size * Math.sin(turn + (2 * Math.PI * k) / n), -size * Math.cos(turn + (2 * Math.PI * k) / n)]);
const star = (n, size) => Array.from({ length: 2 * n }, (_, k) => {
  const r = k % 2 ? size * 0.42 : size;
  return [r * Math.sin((Math.PI * k) / n), -r * Math.cos((Math.PI * k) / n)];
});
const plus = (s) => { const a = s * 0.36; return [[-a, -s], [a, -s], [a, -a], [s, -a], [s, a], [a, a], [a, s], [-a, s], [-a, a], [-s, a], [-s, -a], [-a, -a]]; };
const turned = (points, angle) => points.map(([x, y]) => [x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle)]);
const SHAPES = {
  s: (s) => polygon(4, Math.PI / 4, s * 1.2), D: (s) => polygon(4, 0, s * 1.2), d: (s) => polygon(4, 0, s * 1.2).map(([x, y]) => [x * 0.62, y]),
  "^": (s) => polygon(3, 0, s * 1.25), v: (s) => polygon(3, Math.PI, s * 1.25), "<": (s) => polygon(3, -Math.PI / 2, s * 1.25),
  ">": (s) => polygon(3, Math.PI / 2, s * 1.25), P: plus, X: (s) => turned(plus(s), Math.PI / 4), p: (s) => polygon(5, 0, s * 1.1),
  h: (s) => polygon(6, 0, s * 1.1), H: (s) => polygon(6, Math.PI / 6, s * 1.1), 8: (s) => polygon(8, Math.PI / 8, s * 1.1), "*": (s) => star(5, s * 1.5),
};

export function marker(context, kind, x, y, size, fill, edge) {
  context.beginPath();
  const points = SHAPES[kind]?.(size);
  if (points) {
    points.forEach(([dx, dy], k) => (k ? context.lineTo(x + dx, y + dy) : context.moveTo(x + dx, y + dy)));
    context.closePath();
  } else context.arc(x, y, size, 0, 2 * Math.PI);
  context.setLineDash([]);
  context.fillStyle = fill;
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = edge;
  context.stroke();
}

// An arrow from (x, y) by (dx, dy); hollow ones are outlined.
export function arrow(context, x, y, dx, dy, color, halo, hollow = false) {
  const length = Math.hypot(dx, dy);
  if (!(length > 2)) return;
  const [ux, uy] = [dx / length, dy / length];
  const head = Math.min(9, 0.5 * length);
  const half = hollow ? 3.2 : 1.5;
  const neck = length - head;
  const points = [[0, -half], [neck, -half], [neck, -half - 3.4], [length, 0], [neck, half + 3.4], [neck, half], [0, half]];
  context.beginPath();
  points.forEach(([a, b], k) => {
    const [px, py] = [x + a * ux - b * uy, y + a * uy + b * ux];
    if (k) context.lineTo(px, py);
    else context.moveTo(px, py);
  });
  context.closePath();
  context.setLineDash([]);
  context.lineJoin = "round";
  context.lineWidth = hollow ? 1.6 : 2;
  context.strokeStyle = hollow ? color : halo;
  context.fillStyle = hollow ? halo : color;
  if (hollow) {
    context.fill();
    context.stroke();
  } else {
    context.stroke();
    context.fill();
  }
}

// A small picture of line and marker, for lists.
export function swatch(canvas, look, color, edge) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = 34 * ratio;
  canvas.height = 16 * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.strokeStyle = color;
  context.lineWidth = 2.2;
  context.setLineDash(dashes(look));
  context.beginPath();
  context.moveTo(1, 8);
  context.lineTo(33, 8);
  context.stroke();
  marker(context, look.marker, 17, 8, 4.4, color, edge);
}

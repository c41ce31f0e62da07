// Lines of equal height on a grid, by marching squares: where each line crosses the edges of the cells.

// values (ny, nx), rows from low y to high; calls segment(x0, y0, x1, y1) in units of cells.
export function contour(values, nx, ny, level, segment) {
  for (let j = 0; j + 1 < ny; j++) {
    for (let i = 0; i + 1 < nx; i++) {
      const k = j * nx + i;
      const [a, b, c, d] = [values[k], values[k + 1], values[k + nx + 1], values[k + nx]]; // round the cell from its lower left
      if (!(Number.isFinite(a) && Number.isFinite(b) && Number.isFinite(c) && Number.isFinite(d))) continue;
      const kind = (a > level ? 1 : 0) | (b > level ? 2 : 0) | (c > level ? 4 : 0) | (d > level ? 8 : 0);
      if (kind === 0 || kind === 15) continue;
      const share = (p, q) => (level - p) / (q - p);
      const points = [];
      if ((a > level) !== (b > level)) points.push([i + share(a, b), j]);
      if ((b > level) !== (c > level)) points.push([i + 1, j + share(b, c)]);
      if ((c > level) !== (d > level)) points.push([i + 1 - share(c, d), j + 1]);
      if ((d > level) !== (a > level)) points.push([i, j + 1 - share(d, a)]);
      // A saddle has four crossings: the height in the middle tells which belong together.
      const swap = points.length === 4 && (a + b + c + d) / 4 > level !== a > level;
      const order = points.length === 4 ? (swap ? [0, 3, 1, 2] : [0, 1, 2, 3]) : [0, 1];
      for (let n = 0; n < order.length; n += 2) segment(...points[order[n]], ...points[order[n + 1]]);
    }
  }
}

// Evenly spaced heights between low and high, ends left out.
export const levels = (low, high, n) => Array.from({ length: n }, (_, k) => low + ((k + 1) * (high - low)) / (n + 1));

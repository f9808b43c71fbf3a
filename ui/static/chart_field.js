// The expected value over a square, from points in it: no drawing here.

const LEAST_WEIGHT = 0.1; // a point 2.1 widths away, alone

/**
 * Averages of values, weighted by a Gaussian of the distance (Nadaraya 1964, Watson 1964), in
 * the middles of `count` × `count` cells of the unit square; null where no point is near.
 * `points` are [x, y, value] with x and y from 0 to 1. The answer is [row][column], rows upwards.
 */
export function field(points, count) {
  const width = Math.max(0.05, 0.3 * points.length ** (-1 / 6));
  const middles = Array.from({ length: count }, (_, k) => (k + 0.5) / count);
  const nearness = (from, to) => Math.exp(-((from - to) ** 2) / (2 * width ** 2));
  const across = points.map(([x]) => middles.map((middle) => nearness(middle, x)));
  const up = points.map(([, y]) => middles.map((middle) => nearness(middle, y)));
  return middles.map((_row, row) => middles.map((_column, column) => {
    let weight = 0;
    let sum = 0;
    for (const [at, [, , value]] of points.entries()) {
      const near = across[at][column] * up[at][row];
      weight += near;
      sum += near * value;
    }
    return weight < LEAST_WEIGHT ? null : sum / weight;
  }));
}

/**
 * Rectangles [left, bottom, right, top, level] of the unit square, each the run of a row that
 * lies in one of `bands` equal bands between the field's bounds; a level is a band's middle.
 */
export function runs(cells, [low, high], bands) {
  const size = 1 / cells.length;
  const bandOf = (value) => Math.min(bands - 1, Math.max(0, Math.floor(((value - low) / (high - low || 1)) * bands)));
  const found = [];
  for (const [row, values] of cells.entries()) {
    for (let begin = 0; begin < values.length; ) {
      if (values[begin] === null) {
        begin += 1;
        continue;
      }
      const band = bandOf(values[begin]);
      let end = begin + 1;
      while (end < values.length && values[end] !== null && bandOf(values[end]) === band) end += 1;
      found.push([begin * size, row * size, end * size, (row + 1) * size, low + ((band + 0.5) / bands) * (high - low)]);
      begin = end;
    }
  }
  return found;
}

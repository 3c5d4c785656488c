// Axes: the position of a value, the ticks, and the points that a line needs.

/** A function that maps `low`..`high` to `from`..`to`, logarithmically if `isLog`; `invert` is its inverse. */
export function makeScale(low, high, from, to, isLog) {
  const f = isLog ? (value) => Math.log10(Math.max(value, Number.MIN_VALUE)) : (value) => value;
  const back = isLog ? (value) => 10 ** value : (value) => value;
  const [start, stop] = [f(low), f(high)];
  const size = stop - start || 1;
  const scale = (value) => from + ((f(value) - start) / size) * (to - from);
  scale.invert = (place) => back(start + ((place - from) / (to - from)) * size);
  return scale;
}

/** About `count` round values from `low` to `high`. */
export function linearTicks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((unit) => unit * power >= rough) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
}

/** About `count` powers of ten from `low` to `high`, with 2 and 5 times each power in a short range. */
export function logTicks(low, high, count) {
  const decades = Math.log10(high / low);
  if (decades < 0.7) return linearTicks(low, high, count);
  const every = Math.max(1, Math.ceil(decades / count));
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high) + 1; power += every) {
    for (const unit of decades < 2.5 ? [1, 2, 5] : [1]) ticks.push(unit * 10 ** power);
  }
  return ticks.filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

/** The first index of ascending `xs` whose value is at least `x`. */
export function firstAtLeast(xs, x) {
  let [low, high] = [0, xs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The indices between `from` and `to` that draw the same line: the minimum and the maximum of each of `columns` parts. */
export function decimated(ys, from, to, columns) {
  const count = to - from;
  if (count <= 2 * columns) return Array.from({ length: count }, (_, index) => from + index);
  const kept = [from];
  for (let part = 0; part < columns; part += 1) {
    const [start, stop] = [from + Math.floor((part * count) / columns), from + Math.floor(((part + 1) * count) / columns)];
    let [low, high] = [start, start];
    for (let index = start; index < stop; index += 1) {
      if (ys[index] < ys[low]) low = index;
      if (ys[index] > ys[high]) high = index;
    }
    kept.push(Math.min(low, high), Math.max(low, high));
  }
  kept.push(to - 1);
  return kept.filter((index, place) => place === 0 || index > kept[place - 1]);
}

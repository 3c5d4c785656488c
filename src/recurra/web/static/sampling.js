// Sample the next character: temperature, top-k, top-p and min-p as in inference/sampling.py, then a random draw.

/** Settings that leave the probabilities of the model unchanged. */
export const UNCHANGED = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/** The probabilities (K) after the settings are applied to log p (K); temperature 0 keeps only the most probable. */
export function shaped(logs, { temperature, topK, topP, minP }) {
  const most = logs.reduce((a, b) => Math.max(a, b));
  if (temperature < 1e-3) {
    const first = logs.indexOf(most);
    return logs.map((_, k) => (k === first ? 1 : 0));
  }
  const weights = logs.map((value) => Math.exp((value - most) / temperature));
  const least = leastWeight(weights, topK, topP, minP);
  const kept = weights.map((weight) => (weight >= least ? weight : 0));
  const total = kept.reduce((a, b) => a + b);
  return kept.map((weight) => weight / total);
}

/** The smallest weight that the filters keep; they keep or drop equal weights together. */
function leastWeight(weights, topK, topP, minP) {
  const ordered = [...weights].sort((a, b) => b - a);
  let least = topK > 0 ? ordered[Math.min(topK, ordered.length) - 1] : 0;
  if (topP < 1) {
    const kept = ordered.filter((weight) => weight >= least);
    const target = topP * kept.reduce((a, b) => a + b);
    let sum = 0;
    least = Math.max(least, kept.find((weight) => (sum += weight) >= target) ?? 0);
  }
  return Math.max(least, minP * ordered[0]);
}

/** The index k whose interval of the cumulative distribution contains `uniform`, a number in [0, 1). */
export function draw(probabilities, uniform) {
  let [sum, last] = [0, 0];
  for (let k = 0; k < probabilities.length; k += 1) {
    if (probabilities[k] > 0) {
      sum += probabilities[k];
      last = k;
      if (sum > uniform) return k;
    }
  }
  return last;
}

/** A generator of numbers in [0, 1), equal for equal seeds (G. Marsaglia, "Xorshift RNGs", 2003). */
export function uniforms(seed) {
  let x = ((seed + 0x9e3779b9) | 0) || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

// Which character comes next: temperature, top-k, top-p and min-p as in inference/sampling.py, then a draw.

export const AS_LEARNED = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/** The probabilities (K) that the settings leave of log p (K); temperature 0 leaves the likeliest alone. */
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

/** The least weight that the filters leave; equal weights share one fate. */
function leastWeight(weights, topK, topP, minP) {
  const ordered = [...weights].sort((a, b) => b - a);
  let least = topK > 0 ? ordered[Math.min(topK, ordered.length) - 1] : 0;
  if (topP < 1) {
    const left = ordered.filter((weight) => weight >= least);
    const wanted = topP * left.reduce((a, b) => a + b);
    let part = 0;
    least = Math.max(least, left.find((weight) => (part += weight) >= wanted) ?? 0);
  }
  return Math.max(least, minP * ordered[0]);
}

/** The k on which `uniform` in [0, 1) falls. */
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

/** Numbers in [0, 1) from a seed, the same ones each time (G. Marsaglia, "Xorshift RNGs", 2003). */
export function uniforms(seed) {
  let x = ((seed + 0x9e3779b9) | 0) || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

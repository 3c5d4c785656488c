// Features of a text that a unit may follow, such as the position in the line, and their correlation with the unit.

import { wordsOf } from "./unicode.js";

const isLetter = (symbol) => /\p{L}/u.test(symbol);

/** A number for each symbol: `rule` computes it from the number before and the symbol. */
function trace(symbols, start, rule) {
  let value = start;
  return symbols.map((symbol) => (value = rule(value, symbol)));
}

/** The position of each character in its word, from 1; 0 between words. */
function placesInWords(symbols) {
  const places = symbols.map(() => 0);
  for (const [start, length] of wordsOf(symbols.join(""))) {
    for (let place = 0; place < length; place += 1) places[start + place] = place + 1;
  }
  return places;
}

const PROBES = {
  "text inside quotes": (symbols) => trace(symbols, 0, (open, symbol) => ("“«".includes(symbol) ? 1 : "”»".includes(symbol) ? 0 : symbol === '"' ? 1 - open : open)),
  "text inside brackets": (symbols) => trace(symbols, 0, (depth, symbol) => ("([{".includes(symbol) ? depth + 1 : ")]}".includes(symbol) ? Math.max(0, depth - 1) : depth)),
  "position in the line": (symbols) => trace(symbols, 0, (column, symbol) => (symbol === "\n" ? 0 : column + 1)),
  "position in the word": placesInWords,
  "position in the sentence": (symbols) => trace(symbols, 0, (place, symbol) => (".!?".includes(symbol) ? 0 : place + 1)),
  newlines: (symbols) => symbols.map((symbol) => Number(symbol === "\n")),
  spaces: (symbols) => symbols.map((symbol) => Number(symbol === " ")),
  capitals: (symbols) => symbols.map((symbol) => Number(isLetter(symbol) && symbol !== symbol.toLowerCase())),
  vowels: (symbols) => symbols.map((symbol) => Number("aeiouAEIOU".includes(symbol))),
  punctuation: (symbols) => symbols.map((symbol) => Number(/\p{P}/u.test(symbol))),
  digits: (symbols) => symbols.map((symbol) => Number(/\p{N}/u.test(symbol))),
};

/** The values shifted and scaled to mean 0 and norm 1; null if they are all equal. */
function standard(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const centered = Float64Array.from(values, (value) => value - mean);
  const length = Math.sqrt(centered.reduce((sum, value) => sum + value * value, 0));
  return length > 1e-9 ? centered.map((value) => value / length) : null;
}

/** The features that vary in this text: [{name, values}]. */
export function probesOf(symbols) {
  const all = Object.entries(PROBES).map(([name, probe]) => ({ name, values: standard(probe(symbols)) }));
  return all.filter((probe) => probe.values !== null);
}

/** The feature with the largest absolute correlation r with the values; r is 0 if the values are constant. */
export function bestProbe(values, probes) {
  const unit = standard(values);
  let best = { name: "no feature", r: 0 };
  for (const probe of unit ? probes : []) {
    const r = unit.reduce((sum, value, at) => sum + value * probe.values[at], 0);
    if (Math.abs(r) > Math.abs(best.r)) best = { name: probe.name, r };
  }
  return best;
}

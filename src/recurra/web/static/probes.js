// What a unit may follow: numbers of each place in a text that a reader can name, and how well they match.

import { wordsOf } from "./unicode.js";

const isLetter = (symbol) => /\p{L}/u.test(symbol);

/** A number for each place, from a rule with a memory of its own. */
function trace(symbols, start, rule) {
  let memory = start;
  return symbols.map((symbol) => (memory = rule(memory, symbol)));
}

/** The number of each character in its word, from 1; 0 between words. */
function placesInWords(symbols) {
  const places = symbols.map(() => 0);
  for (const [start, length] of wordsOf(symbols.join(""))) {
    for (let place = 0; place < length; place += 1) places[start + place] = place + 1;
  }
  return places;
}

const PROBES = {
  "inside quotes": (symbols) => trace(symbols, 0, (open, symbol) => ("“«".includes(symbol) ? 1 : "”»".includes(symbol) ? 0 : symbol === '"' ? 1 - open : open)),
  "inside brackets": (symbols) => trace(symbols, 0, (depth, symbol) => ("([{".includes(symbol) ? depth + 1 : ")]}".includes(symbol) ? Math.max(0, depth - 1) : depth)),
  "the place in the line": (symbols) => trace(symbols, 0, (column, symbol) => (symbol === "\n" ? 0 : column + 1)),
  "the place in the word": placesInWords,
  "the place in the sentence": (symbols) => trace(symbols, 0, (place, symbol) => (".!?".includes(symbol) ? 0 : place + 1)),
  "a new line": (symbols) => symbols.map((symbol) => Number(symbol === "\n")),
  spaces: (symbols) => symbols.map((symbol) => Number(symbol === " ")),
  capitals: (symbols) => symbols.map((symbol) => Number(isLetter(symbol) && symbol !== symbol.toLowerCase())),
  vowels: (symbols) => symbols.map((symbol) => Number("aeiouAEIOU".includes(symbol))),
  punctuation: (symbols) => symbols.map((symbol) => Number(/\p{P}/u.test(symbol))),
  digits: (symbols) => symbols.map((symbol) => Number(/\p{N}/u.test(symbol))),
};

/** The values with mean 0 and length 1; null where they are all the same. */
function standard(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const moved = Float64Array.from(values, (value) => value - mean);
  const length = Math.sqrt(moved.reduce((sum, value) => sum + value * value, 0));
  return length > 1e-9 ? moved.map((value) => value / length) : null;
}

/** The probes that say something of this text: [{name, values}]. */
export function probesOf(symbols) {
  const all = Object.entries(PROBES).map(([name, probe]) => ({ name, values: standard(probe(symbols)) }));
  return all.filter((probe) => probe.values !== null);
}

/** The probe that these values follow most closely, by the absolute correlation r; r is 0 where nothing moves. */
export function bestProbe(values, probes) {
  const unit = standard(values);
  let best = { name: "nothing", r: 0 };
  for (const probe of unit ? probes : []) {
    const r = unit.reduce((sum, value, at) => sum + value * probe.values[at], 0);
    if (Math.abs(r) > Math.abs(best.r)) best = { name: probe.name, r };
  }
  return best;
}

// The memory of the network: the gradient of log p of a character with respect to each character before it.
import { Chart } from "./chart.js";
import { element, inSlices, spoken } from "./dom.js";
import { NONE } from "./passage.js";
import { AWAITED, makePanel } from "./panel.js";
import { TextView } from "./textview.js";
import { fixed, plural, power, whole } from "./words.js";

const LAGS = 50;
const PLACES = 40; // in the text, for the mean; fewer for a large network
const WORK = 4e8; // multiplications, about, for the mean
const LEVELS = 5; // shades: from 1/2 of the largest influence, 1/4, 1/8, …
const VANISHED = 1000; // times weaker than the influence of the nearest character

export function memoryPanel({ passage }, level) {
  const panel = makePanel("memory", "How far back does the memory reach?", level);
  const view = new TextView("The text, shaded by influence on the chosen character", (at) => passage.chosen.set(at));
  const sentence = element("p", { class: "readout", "aria-live": "polite" });
  const chart = new Chart({
    label: "Mean influence of a character by its distance",
    xName: "distance in characters",
    yName: "norm of the gradient",
    xShown: whole,
    yShown: (value) => power(value, 0),
    logY: true,
    height: 190,
  });
  panel.body.append(view.root, sentence, chart.root);
  let stop = () => {};
  passage.reading.watch((reading) => {
    stop();
    if (!reading) return panel.answer(AWAITED);
    view.set(reading.symbols, () => "");
    stop = meanByLag(reading, (mean) => {
      chart.set([{ name: "mean over the text", x: mean.map((_, lag) => lag + 1), y: mean, look: "first" }], [{ name: "a thousandth of the nearest: vanished", value: mean[0] / VANISHED }]);
      panel.answer(...answerOf(mean));
    });
    return undefined;
  });
  passage.chosen.watch((at) => {
    const { reading } = passage;
    if (at === NONE || !reading.value) return;
    const norms = influenceOn(reading.value, at);
    const most = Math.max(...norms, Number.MIN_VALUE);
    view.set(reading.value.symbols, (place) => (place < at ? shade(norms[at - 1 - place] / most) : ""));
    view.select(at);
    sentence.replaceChildren(sentenceOf(reading.value.symbols[at], norms));
  });
  return panel.root;
}

/** The influence of each earlier character on the character at `at`, the nearest first. */
function influenceOn({ model, states, ids }, at) {
  return at > 0 ? model.influence(states.slice(0, at + 1), ids[at], LAGS, ids) : [];
}

function shade(share) {
  const halvings = share > 0 ? Math.ceil(-Math.log2(share)) : Infinity;
  return halvings > LEVELS ? "" : `i${Math.max(1, LEVELS + 1 - Math.max(1, halvings))}`;
}

/** Compute the mean by distance over places of the text, in slices; call `onMean` with it at the end. */
function meanByLag(reading, onMean) {
  const { model, ids } = reading;
  const count = Math.max(4, Math.min(PLACES, Math.floor(WORK / (model.parameters * LAGS * 2))));
  const first = Math.min(LAGS, Math.floor(ids.length / 2));
  const places = Array.from({ length: count }, (_, index) => Math.floor(first + ((index + 0.5) / count) * (ids.length - first)));
  const sums = new Float64Array(Math.max(0, first));
  let done = 0;
  const step = () => {
    if (done === places.length || !sums.length) return false;
    influenceOn(reading, places[done]).slice(0, sums.length).forEach((norm, lag) => (sums[lag] += norm));
    done += 1;
    return true;
  };
  return inSlices(step, () => done && onMean(Array.from(sums, (sum) => sum / done)));
}

function answerOf(mean) {
  const total = mean.reduce((a, b) => a + b);
  const half = halfOf(mean, total);
  const vanished = mean.findIndex((value) => value < mean[0] / VANISHED);
  const far =
    vanished < 0
      ? `at a distance of ${mean.length} characters the influence is ${times(mean[0] / mean[mean.length - 1])} than at the nearest character`
      : `beyond ${plural(vanished, "character")} it is less than a thousandth of the influence of the nearest character`;
  return [element("b", {}, `Half of the influence comes from the last ${half === 1 ? "character" : `${half} characters`}`), `; ${far}.`];
}

const times = (ratio) => (ratio >= 1 ? `${fixed(ratio, 1)} times smaller` : `${fixed(1 / ratio, 1)} times larger`);

/** The number of nearest characters that together have half of the total influence. */
function halfOf(norms, total) {
  let sum = 0;
  return 1 + norms.findIndex((value) => (sum += value) >= total / 2);
}

function sentenceOf(symbol, norms) {
  const total = norms.reduce((a, b) => a + b, 0);
  if (!total) return "No character comes before the first one.";
  const half = halfOf(norms, total);
  return `Prediction of ${spoken(symbol)}: half of the influence comes from the last ${half === 1 ? "character" : `${half} characters`}. A stronger shade is a larger influence.`;
}

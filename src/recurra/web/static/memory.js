// How far back does it look? The gradient of a character's log p with respect to each character before it.
import { Chart } from "./chart.js";
import { element, inSlices, spoken } from "./dom.js";
import { NONE } from "./passage.js";
import { AWAITED, makePanel } from "./panel.js";
import { TextView } from "./textview.js";
import { power, whole } from "./words.js";

const LAGS = 50;
const PLACES = 40; // of which the mean is taken; fewer of a large network
const WORK = 4e8; // multiplications for the mean, about
const LEVELS = 5; // shades: a half of the most, a quarter, an eighth …
const VANISHED = 1000; // times weaker than at the nearest character

export function memoryPanel({ passage }, level) {
  const panel = makePanel("memory", "How far back does it look?", level);
  const view = new TextView("The text, shaded by influence on the chosen character", (at) => passage.chosen.set(at));
  const told = element("p", { class: "readout", "aria-live": "polite" });
  const chart = new Chart({
    label: "Mean influence of a character by how far back it stands",
    xName: "characters back",
    yName: "size of the gradient",
    xShown: whole,
    yShown: (value) => power(value, 0),
    logY: true,
    height: 190,
  });
  panel.body.append(view.root, told, chart.root);
  let stop = () => {};
  passage.found.watch((found) => {
    stop();
    if (!found) return panel.answer(AWAITED);
    view.set(found.symbols, () => "");
    stop = meanByLag(found, (mean) => {
      chart.set([{ name: "mean over the text", x: mean.map((_, lag) => lag + 1), y: mean, look: "first" }], [{ name: `a thousandth of the nearest: vanished`, value: mean[0] / VANISHED }]);
      panel.answer(...answerOf(mean));
    });
    return undefined;
  });
  passage.chosen.watch((at) => {
    const { found } = passage;
    if (at === NONE || !found.value) return;
    const norms = influenceOn(found.value, at);
    const most = Math.max(...norms, Number.MIN_VALUE);
    view.set(found.value.symbols, (place) => (place < at ? shade(norms[at - 1 - place] / most) : ""));
    view.select(at);
    told.replaceChildren(toldOf(found.value.symbols[at], norms));
  });
  return panel.root;
}

/** The influence on the character at `at` of each before it, the nearest first. */
function influenceOn({ model, states, ids }, at) {
  return at > 0 ? model.influence(states.slice(0, at + 1), ids[at], LAGS, ids) : [];
}

function shade(share) {
  const halvings = share > 0 ? Math.ceil(-Math.log2(share)) : Infinity;
  return halvings > LEVELS ? "" : `i${Math.max(1, LEVELS + 1 - Math.max(1, halvings))}`;
}

/** The mean by lag over places of the text, a place at a time; `done` is told of it on the way. */
function meanByLag(found, done) {
  const { model, ids } = found;
  const wanted = Math.max(4, Math.min(PLACES, Math.floor(WORK / (model.parameters * LAGS * 2))));
  const first = Math.min(LAGS, Math.floor(ids.length / 2));
  const places = Array.from({ length: wanted }, (_, index) => Math.floor(first + ((index + 0.5) / wanted) * (ids.length - first)));
  const sums = new Float64Array(Math.max(0, first));
  let count = 0;
  const step = () => {
    if (count === places.length || !sums.length) return false;
    influenceOn(found, places[count]).slice(0, sums.length).forEach((norm, lag) => (sums[lag] += norm));
    count += 1;
    return true;
  };
  return inSlices(step, () => count && done(Array.from(sums, (sum) => sum / count)));
}

function answerOf(mean) {
  const total = mean.reduce((a, b) => a + b);
  const half = halfOf(mean, total);
  const gone = mean.findIndex((value) => value < mean[0] / VANISHED);
  const far = gone < 0 ? `after ${mean.length} characters ${times(mean[0] / mean[mean.length - 1])} less counts` : `after ${gone + 1} characters less than a thousandth counts`;
  return [element("b", {}, `Half of what counts lies in the last ${half === 1 ? "character" : `${half} characters`}`), `; ${far}.`];
}

const times = (ratio) => (ratio >= 1 ? `${whole(ratio)} times` : `${whole(1 / ratio)} times more, not`);

/** How many of the nearest have half of all. */
function halfOf(norms, total) {
  let sum = 0;
  return 1 + norms.findIndex((value) => (sum += value) >= total / 2);
}

function toldOf(symbol, norms) {
  const total = norms.reduce((a, b) => a + b, 0);
  if (!total) return "Nothing stands before the first character.";
  const half = halfOf(norms, total);
  return `For ${spoken(symbol)} half of what counted lies in the last ${half === 1 ? "character" : `${half} characters`}: the stronger a shade, the more it counted.`;
}

// Is the run healthy, and what does it cost? Speed, time, memory, gradients, and units that no longer move.
import { Chart } from "./chart.js";
import { element } from "./dom.js";
import { makePanel } from "./panel.js";
import { duration, percent, plural, power, short, whole } from "./words.js";

const SATURATED = 0.97; // |tanh| beyond which hardly any gradient passes
const STILL = 1e-4; // how little a unit moves that is called still

/** `health` is a signal of {update, updates, seconds, rate, perUpdate, memory, checkpoint, state, learningRate}. */
export function healthPanel({ metrics, health, passage }, level) {
  const panel = makePanel("health", "Is the run healthy, and what does it cost?", level);
  const facts = element("dl", { class: "facts" });
  const units = element("p", { class: "note" });
  const chart = new Chart({
    label: "Norm of the gradient over the updates",
    xName: "updates",
    yName: "norm of the gradient",
    xShown: short,
    yShown: (value) => (value >= 0.01 && value < 1e5 ? short(Number(value.toPrecision(3))) : power(value, 0)),
    logY: true,
    canLogX: true,
    height: 190,
  });
  panel.body.append(facts, units, chart.root);
  health.watch((state) => {
    if (!state) return panel.answer("Waiting for the first record of the training.");
    facts.replaceChildren(...factsOf(state).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
    return panel.answer(...answerOf(state));
  });
  metrics.watch(({ update, norm }) => {
    const kept = update.map((x, at) => [x, norm[at]]).filter(([, y]) => y > 0);
    chart.set([{ name: "gradient norm", x: kept.map(([x]) => x), y: kept.map(([, y]) => y), look: "first" }]);
  });
  passage.found.watch((found) => found && units.replaceChildren(unitsTold(found)));
  return panel.root;
}

function answerOf({ state, update, updates, rate }) {
  const left = state === "Training" && updates > update && rate ? `, ${duration((updates - update) / rate)} left` : "";
  return [element("b", {}, `${state}`), `: update ${whole(update)}${updates ? ` of ${whole(updates)}` : ""}${left}.`];
}

function factsOf({ seconds, rate, perUpdate, memory, checkpoint, learningRate }) {
  const found = [
    ["updates a second", rate ? whole(rate) : null],
    ["characters a second", rate && perUpdate ? whole(rate * perUpdate) : null],
    ["trained for", Number.isFinite(seconds) ? duration(seconds) : null],
    ["learning rate", Number.isFinite(learningRate) ? String(Number(learningRate.toPrecision(3))) : null],
    ["memory", memory ? `${whole(memory / 2 ** 20)} MiB` : null],
    ["newest checkpoint", checkpoint == null ? null : whole(checkpoint)],
  ];
  return found.filter(([, value]) => value !== null);
}

/** How many units are at their limits most of the time, and how many never move, while the text is read. */
function unitsTold({ model, states, symbols }) {
  if (!symbols.length || !model.cell.bounded) return "";
  let [saturated, still] = [0, 0];
  for (let layer = 0; layer < model.layers.length; layer += 1) {
    for (let j = 0; j < model.hidden; j += 1) {
      const values = states.slice(1).map((state) => state[layer].h[j]);
      saturated += values.filter((value) => Math.abs(value) > SATURATED).length / values.length;
      still += values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b)) < STILL ? 1 : 0;
    }
  }
  const all = model.hidden * model.layers.length;
  return `Of ${plural(all, "unit")} ${still} never move on the text above; ${percent(saturated / all)} of the time a unit is saturated, beyond ±${SATURATED}.`;
}

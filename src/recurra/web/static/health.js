// The health and the cost of the run: speed, time, memory, gradient norm, and units that are saturated or constant.
import { Chart } from "./chart.js";
import { element } from "./dom.js";
import { makePanel } from "./panel.js";
import { duration, percent, plural, power, short, whole } from "./words.js";

const SATURATED = 0.97; // with a larger |h| almost no gradient passes through tanh
const CONSTANT = 1e-4; // a unit whose values differ by less is constant

/** `health` is a signal of {update, updates, seconds, rate, perUpdate, memory, checkpoint, state, learningRate}. */
export function healthPanel({ metrics, health, passage }, level) {
  const panel = makePanel("health", "Is the run healthy, and what does it cost?", level);
  const facts = element("dl", { class: "facts" });
  const units = element("p", { class: "note" });
  const chart = new Chart({
    label: "Gradient norm over the updates",
    xName: "updates",
    yName: "gradient norm",
    xShown: short,
    yShown: (value) => (value >= 0.01 && value < 1e5 ? short(Number(value.toPrecision(3))) : power(value, 0)),
    logY: true,
    canLogX: true,
    height: 190,
  });
  panel.body.append(facts, units, chart.root);
  health.watch((state) => {
    if (!state) return panel.answer("Waiting for the first training record.");
    facts.replaceChildren(...factsOf(state).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
    return panel.answer(...answerOf(state));
  });
  metrics.watch(({ update, norm }) => {
    const kept = update.map((x, at) => [x, norm[at]]).filter(([, y]) => y > 0);
    chart.set([{ name: "gradient norm", x: kept.map(([x]) => x), y: kept.map(([, y]) => y), look: "first" }]);
  });
  passage.reading.watch((reading) => reading && units.replaceChildren(unitsSentence(reading)));
  return panel.root;
}

function answerOf({ state, update, updates, rate }) {
  const left = state === "Training" && updates > update && rate ? `, about ${duration((updates - update) / rate)} left` : "";
  return [element("b", {}, `${state}`), `: update ${whole(update)}${updates ? ` of ${whole(updates)}` : ""}${left}.`];
}

function factsOf({ seconds, rate, perUpdate, memory, checkpoint, learningRate }) {
  const facts = [
    ["updates per second", rate ? whole(rate) : null],
    ["characters per second", rate && perUpdate ? whole(rate * perUpdate) : null],
    ["training time", Number.isFinite(seconds) ? duration(seconds) : null],
    ["learning rate", Number.isFinite(learningRate) ? String(Number(learningRate.toPrecision(3))) : null],
    ["peak memory", memory ? `${whole(memory / 2 ** 20)} MiB` : null],
    ["newest checkpoint", checkpoint == null ? null : `update ${whole(checkpoint)}`],
  ];
  return facts.filter(([, value]) => value !== null);
}

/** The number of constant units, and the share of saturated values, while the network reads the text of the panels. */
function unitsSentence({ model, states, symbols }) {
  if (!symbols.length || !model.cell.bounded) return "";
  let [saturated, constant] = [0, 0];
  for (let layer = 0; layer < model.layers.length; layer += 1) {
    for (let j = 0; j < model.hidden; j += 1) {
      const values = states.slice(1).map((state) => state[layer].h[j]);
      saturated += values.filter((value) => Math.abs(value) > SATURATED).length / values.length;
      constant += values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b)) < CONSTANT ? 1 : 0;
    }
  }
  const all = model.hidden * model.layers.length;
  return `${plural(all, "unit")}, ${constant} of them constant on the text of the other panels. Saturated values, beyond ±${SATURATED}: ${percent(saturated / all)}.`;
}

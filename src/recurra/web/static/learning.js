// Is it learning? The loss over the updates, beside what needs no network.
import { Chart } from "./chart.js";
import { makePanel } from "./panel.js";
import { element } from "./dom.js";
import { fixed, short } from "./words.js";

/**
 * `metrics` is a signal of the records' columns in bits per character, `rules` of [{name, value}]; `detail`, where there
 * is a server, gives the records of a range from nearer; `tall` is the chart's height in pixels.
 */
export function learningPanel({ metrics, rules, detail, tall }, level) {
  const panel = makePanel("learning", "Is it learning?", level);
  let near = null; // what is shown from nearer
  const chart = new Chart({
    label: "Bits per character over the updates",
    xName: "updates",
    yName: "bits per character",
    xShown: short,
    yShown: (value) => fixed(value),
    canLogX: true,
    height: tall ?? 230,
    onzoom: async (range) => {
      near = range && detail ? await detail(range) : null;
      show();
    },
  });
  panel.body.append(chart.root);
  const show = () => {
    const columns = metrics.value;
    chart.set(seriesOf(near ? around(columns, near) : columns), rules.value);
    panel.answer(...answerOf(columns, rules.value));
  };
  metrics.watch(show);
  rules.watch(show);
  return panel.root;
}

/** All the points, those of the part that is looked at from nearer in place of the few that were there. */
function around(columns, near) {
  const joined = (x, names) => {
    const [first, last] = [near[x][0], near[x][near[x].length - 1]];
    const join = (name) => [
      ...columns[name].filter((_, index) => columns[x][index] < first),
      ...near[name],
      ...columns[name].filter((_, index) => columns[x][index] > last),
    ];
    return near[x].length ? Object.fromEntries(names.map((name) => [name, join(name)])) : {};
  };
  return { ...columns, ...joined("update", ["update", "mean", "smooth"]), ...joined("scoredAt", ["scoredAt", "scored"]) };
}

function seriesOf({ update, mean, smooth, scoredAt, scored }) {
  return [
    { name: "smooth loss", x: update, y: smooth, look: "first" },
    { name: "held-out text", x: scoredAt, y: scored, look: "second" },
    { name: "loss", x: update, y: mean, look: "faint" },
  ];
}

function answerOf({ update, smooth, scored }, rules) {
  if (!update.length) return ["Waiting for the first record of the training."];
  const last = smooth[smooth.length - 1];
  const words = [element("b", {}, `${fixed(last)} bits a character`), change(update, smooth)];
  if (scored.length) words.push(`; held out ${fixed(scored[scored.length - 1])}`);
  return [...words, beside(last, rules), "."];
}

/** How much it changed over the last tenth. */
function change(update, smooth) {
  const end = update[update.length - 1];
  const before = update.findLastIndex((at) => at <= 0.9 * end);
  if (before < 0) return "";
  const difference = smooth[smooth.length - 1] - smooth[before];
  const sign = difference > 0 ? "+" : "";
  return `, ${sign}${fixed(difference)} in the last ${short(end - update[before])} updates`;
}

/** The best that needs no network and is worse, or else the next that is better. */
function beside(last, rules) {
  const worse = rules.filter((rule) => rule.value > last).sort((a, b) => a.value - b.value)[0];
  const better = rules.filter((rule) => rule.value <= last).sort((a, b) => b.value - a.value)[0];
  if (better) return `; ${better.name} needs ${fixed(better.value)}`;
  return worse ? `; better than ${worse.name} with ${fixed(worse.value)}` : "";
}

// The loss over the updates, compared with baselines without a network.
import { Chart } from "./chart.js";
import { makePanel } from "./panel.js";
import { element } from "./dom.js";
import { fixed, short } from "./words.js";

/**
 * `metrics` is a signal of the columns of the records in bits per character, `rules` of the baselines [{name, value}].
 * `detail`, only with a server, fetches more records of a range; `tall` is the height of the chart in pixels.
 */
export function learningPanel({ metrics, rules, detail, tall }, level) {
  const panel = makePanel("learning", "Is the network learning?", level);
  let near = null; // the records of the zoomed range
  const chart = new Chart({
    label: "Loss in bits per character over the updates",
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

/** All records; inside the zoomed range, the detailed ones replace the few that were there. */
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
    { name: "held-out loss", x: scoredAt, y: scored, look: "second" },
    { name: "mean loss between records", x: update, y: mean, look: "faint" },
  ];
}

function answerOf({ update, smooth, scored }, rules) {
  if (!update.length) return ["Waiting for the first training record."];
  const last = smooth[smooth.length - 1];
  const words = ["Smooth loss ", element("b", {}, `${fixed(last)} bits per character`), change(update, smooth)];
  if (scored.length) words.push(`; held-out loss ${fixed(scored[scored.length - 1])}`);
  return [...words, comparison(last, rules), "."];
}

/** The change of the smooth loss over the last tenth of the updates. */
function change(update, smooth) {
  const end = update[update.length - 1];
  const before = update.findLastIndex((at) => at <= 0.9 * end);
  if (before < 0) return "";
  const difference = smooth[smooth.length - 1] - smooth[before];
  const sign = difference > 0 ? "+" : "";
  return ` (${sign}${fixed(difference)} over the last ${short(end - update[before])} updates)`;
}

/** The nearest baseline that is better than the loss, or else the nearest one that is worse. */
function comparison(last, rules) {
  const worse = rules.filter((rule) => rule.value > last).sort((a, b) => a.value - b.value)[0];
  const better = rules.filter((rule) => rule.value <= last).sort((a, b) => b.value - a.value)[0];
  if (better) return `; the baseline ${better.name} needs ${fixed(better.value)}`;
  return worse ? `; better than the baseline ${worse.name}, ${fixed(worse.value)}` : "";
}

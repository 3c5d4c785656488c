// The loss of each character of a text, in bits, as a shade.
import { element, newId, spoken } from "./dom.js";
import { NONE } from "./passage.js";
import { AWAITED, makePanel } from "./panel.js";
import { TextView } from "./textview.js";
import { bits, fixed, percent, whole } from "./words.js";

const LIMITS = [1, 2, 3, 5, 8]; // bits at which the next shade begins
const PREDICTIONS = 5; // listed for the chosen character

export function surprisePanel({ passage }, level) {
  const panel = makePanel("surprise", "Which characters surprise the network?", level);
  const view = new TextView("The text, shaded by surprise", (at) => passage.chosen.set(at));
  const sentence = element("p", { class: "readout", "aria-live": "polite" });
  panel.body.append(legendOf(), view.root, sentence, otherText(passage));
  passage.reading.watch((reading) => {
    if (!reading) return panel.answer(AWAITED);
    const costs = reading.costs.map(bits);
    view.set(reading.symbols, (at) => `s${LIMITS.filter((limit) => costs[at] >= limit).length}`);
    return panel.answer(...answerOf(costs, reading));
  });
  passage.chosen.watch((at) => {
    view.select(at);
    sentence.replaceChildren(...(at === NONE || !passage.reading.value ? [] : sentencesOf(passage, at)));
  });
  return panel.root;
}

function answerOf(costs, { symbols, unknown }) {
  if (!symbols.length) return ["The text has no character of the vocabulary."];
  const total = costs.reduce((a, b) => a + b);
  const words = unknown.length ? ` Not in the vocabulary, so ignored: ${unknown.slice(0, 5).map(spoken).join(", ")}.` : "";
  const bytes = new TextEncoder().encode(symbols.join("")).length;
  return [
    "Mean loss: ",
    element("b", {}, `${fixed(total / costs.length)} bits per character`),
    `. With this model the text of ${whole(bytes)} bytes compresses to about ${whole(total / 8)} bytes.${words}`,
  ];
}

function sentencesOf(passage, at) {
  const { symbols, costs, model } = passage.reading.value;
  const loss = `Loss of ${spoken(symbols[at])}: ${fixed(bits(costs[at]), 1)} bits.`;
  if (at === 0 && model.documentEnd === null) return [`${loss} The model has no context before the first character.`];
  const logs = passage.before(at);
  const order = [...logs.keys()].sort((a, b) => logs[b] - logs[a]).slice(0, PREDICTIONS);
  const predictions = order.map((k) => `${spoken(model.vocabulary.shown(k))} ${percent(Math.exp(logs[k]))}`);
  return [`${loss} Most probable here: ${predictions.join(", ")}.`];
}

/** A box for a text of the reader. */
function otherText(passage) {
  const id = newId();
  const box = element("textarea", { id, rows: 4, spellcheck: "false" });
  const read = () => box.value && passage.setText(box.value);
  return element(
    "details",
    {},
    element("summary", {}, "Use another text"),
    element("label", { for: id }, "Paste a text. The panels about units and memory use it too."),
    box,
    element("button", { type: "button", onclick: read }, "Use this text"),
  );
}

function legendOf() {
  const names = [`under ${LIMITS[0]}`, ...LIMITS.slice(0, -1).map((limit, index) => `${limit} to ${LIMITS[index + 1]}`), `${LIMITS[LIMITS.length - 1]} bits or more`];
  return element("ul", { class: "legend small" }, ...names.map((name, index) => element("li", {}, element("span", { class: `s${index}` }, "abc"), ` ${name}`)));
}

// Where is it surprised? A text, each character shaded by the bits that it cost.
import { element, newId, spoken } from "./dom.js";
import { NONE } from "./passage.js";
import { AWAITED, makePanel } from "./panel.js";
import { TextView } from "./textview.js";
import { bits, fixed, percent, whole } from "./words.js";

const LIMITS = [1, 2, 3, 5, 8]; // bits at which the next shade begins
const GUESSES = 5;

export function surprisePanel({ passage }, level) {
  const panel = makePanel("surprise", "Where is it surprised?", level);
  const view = new TextView("The text, shaded by surprise", (at) => passage.chosen.set(at));
  const told = element("p", { class: "readout", "aria-live": "polite" });
  panel.body.append(legendOf(), view.root, told, otherText(passage));
  passage.found.watch((found) => {
    if (!found) return panel.answer(AWAITED);
    const costs = found.costs.map(bits);
    view.set(found.symbols, (at) => `s${LIMITS.filter((limit) => costs[at] >= limit).length}`);
    return panel.answer(...answerOf(costs, found));
  });
  passage.chosen.watch((at) => {
    view.select(at);
    told.replaceChildren(...(at === NONE || !passage.found.value ? [] : toldOf(passage, at)));
  });
  return panel.root;
}

function answerOf(costs, { symbols, unknown }) {
  if (!symbols.length) return ["The text has no character that the model knows."];
  const total = costs.reduce((a, b) => a + b);
  const words = unknown.length ? ` ${unknown.slice(0, 5).map(spoken).join(", ")}: unknown to it, left out.` : "";
  const bytes = new TextEncoder().encode(symbols.join("")).length;
  return [
    element("b", {}, `${fixed(total / costs.length)} bits a character`),
    `: these ${whole(bytes)} bytes could be ${whole(total / 8)}.${words}`,
  ];
}

function toldOf(passage, at) {
  const { symbols, costs, model } = passage.found.value;
  const cost = `${spoken(symbols[at])} cost ${fixed(bits(costs[at]), 1)} bits`;
  if (at === 0 && model.documentEnd === null) return [`${cost}: before the first character it knows nothing.`];
  const logs = passage.before(at);
  const order = [...logs.keys()].sort((a, b) => logs[b] - logs[a]).slice(0, GUESSES);
  const guesses = order.map((k) => `${spoken(model.vocabulary.shown(k))} ${percent(Math.exp(logs[k]))}`);
  return [`${cost}. It expected ${guesses.join(", ")}.`];
}

/** Where the reader puts a text of their own. */
function otherText(passage) {
  const id = newId();
  const box = element("textarea", { id, rows: 4, spellcheck: "false" });
  const read = () => box.value && passage.setText(box.value);
  return element(
    "details",
    {},
    element("summary", {}, "Another text"),
    element("label", { for: id }, "Paste a text; the panels below read it too"),
    box,
    element("button", { type: "button", onclick: read }, "Read it"),
  );
}

function legendOf() {
  const names = [`under ${LIMITS[0]}`, ...LIMITS.slice(0, -1).map((limit, index) => `${limit} to ${LIMITS[index + 1]}`), `${LIMITS[LIMITS.length - 1]} bits or more`];
  return element("ul", { class: "legend small" }, ...names.map((name, index) => element("li", {}, element("span", { class: `s${index}` }, "abc"), ` ${name}`)));
}

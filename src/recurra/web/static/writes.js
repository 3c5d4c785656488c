// What does it write now? A strip of what it wrote on the way: words of the book, and what it has copied, are marked.
import { element, newId, visible } from "./dom.js";
import { makePanel, slider } from "./panel.js";
import { percent, plural, whole } from "./words.js";

const FRAME = 700; // milliseconds that a sample stands while the strip plays

/**
 * `samples` is a signal of [{update, temperature, text, words, copied}]: spans [start, length] of the text; `frames`, where
 * the page follows a training, of what each checkpoint writes in the page itself, from the same start and seed.
 */
export function writesPanel({ samples: recorded, frames }, level) {
  let samples = recorded;
  const panel = makePanel("writes", "What does it write now?", level);
  const text = element("blockquote", { class: "strip", lang: "", dir: "auto", translate: "no", role: "group", tabindex: 0, "aria-label": "What it wrote" });
  const play = element("button", { type: "button" }, "Play");
  const pick = slider("update", { min: 0, max: 0, step: 1, value: 0, shown: (index) => when(samples.value[index]) }, (index) => {
    follows = index === samples.value.length - 1;
    show(index);
  });
  let follows = true;
  let timer = null;

  const show = (index) => {
    const sample = samples.value[index];
    if (!sample) return panel.answer("Waiting for the first sample that the training writes, or for its first checkpoint.");
    text.replaceChildren(...marked(sample));
    return panel.answer(...answerOf(sample));
  };
  const goTo = (index) => {
    pick.input.value = index;
    pick.tell();
    show(index);
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.replaceChildren("Play");
  };
  const step = () => {
    const index = Number(pick.input.value) + 1;
    if (index >= samples.value.length) return stop();
    follows = index === samples.value.length - 1;
    return goTo(index);
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    goTo(0);
    play.replaceChildren("Stop");
    timer = setInterval(step, FRAME);
    return undefined;
  });
  const [key, known] = legend();
  const fill = () => {
    known.hidden = !samples.value.some((sample) => sample.total);
    const last = Math.max(0, samples.value.length - 1);
    pick.input.max = last;
    pick.input.disabled = play.disabled = last < 1;
    if (follows) goTo(last);
  };
  const source = (chosen) => {
    samples = chosen;
    follows = true;
    fill();
  };
  panel.body.append(element("div", { class: "row wide" }, pick.root, play), text, key);
  if (frames) panel.body.prepend(sourceChoice(() => source(recorded), () => source(frames)));
  [recorded, ...(frames ? [frames] : [])].forEach((signal) => signal.watch(() => signal === samples && fill()));
  return panel.root;
}

/** Which texts: those that the training recorded, each with a seed of its own, or the page's own. */
function sourceChoice(first, second) {
  const id = newId();
  const change = (event) => (event.target.selectedIndex === 0 ? first() : second());
  const options = ["recorded by the training", "same start and seed, by this page"].map((name) => element("option", {}, name));
  return element("p", { class: "row" }, element("label", { for: id }, "Texts"), element("select", { id, onchange: change }, ...options));
}

const when = (sample) => (sample ? whole(sample.update) : "–");

/** The text, its known words and its copied passages marked; a passage may hold words. */
function marked({ text, words, copied }) {
  const symbols = [...text];
  const kinds = symbols.map(() => "");
  const mark = (spans, name) => {
    for (const [start, length] of spans ?? []) {
      for (let at = start; at < start + length; at += 1) kinds[at] += name;
    }
  };
  mark(words, " known");
  mark(copied, " copied");
  const nodes = [];
  for (let at = 0; at < symbols.length; ) {
    let end = at + 1;
    while (end < symbols.length && kinds[end] === kinds[at]) end += 1;
    const part = visible(symbols.slice(at, end).join(""));
    nodes.push(...(kinds[at] ? [element("span", { class: kinds[at].trim() }, ...part)] : part));
    at = end;
  }
  return nodes;
}

function answerOf({ update, text, words, copied, total }) {
  const found = [`After ${plural(update, "update")}`];
  if (words && total) found.push(`: `, element("b", {}, `${percent(words.length / total)} of its words`), " stand in the text it learned");
  const longest = Math.max(0, ...(copied ?? []).map(([, length]) => length));
  if (copied) found.push(longest ? `; the longest copied passage has ${longest} of ${[...text].length} characters` : "; no long passage is copied");
  return [...found, "."];
}

/** The list of marks, and its item for words, which not every script has. */
function legend() {
  const item = (name, words) => element("li", {}, element("span", { class: name }, "abc"), ` ${words}`);
  const known = item("known", "a word of the text");
  return [element("ul", { class: "legend small" }, known, item("copied", "copied, 20 characters or more")), known];
}

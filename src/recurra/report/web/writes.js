// What does it write now? A strip of what it wrote on the way: words of the book, and what it has copied, are marked.
import { element, visible } from "./dom.js";
import { makePanel, slider } from "./panel.js";
import { percent, plural, whole } from "./words.js";

const FRAME = 700; // milliseconds that a sample stands while the strip plays

/** `samples` is a signal of [{update, temperature, text, words, copied}]: spans [start, length] of the text. */
export function writesPanel({ samples }, level) {
  const panel = makePanel("writes", "What does it write now?", level);
  const text = element("blockquote", { class: "strip", lang: "", dir: "auto", translate: "no", tabindex: 0, "aria-label": "What it wrote" });
  const play = element("button", { type: "button" }, "Play");
  const pick = slider("update", { min: 0, max: 0, step: 1, value: 0, shown: (index) => when(samples.value[index]) }, (index) => {
    follows = index === samples.value.length - 1;
    show(index);
  });
  let follows = true;
  let timer = null;

  const show = (index) => {
    const sample = samples.value[index];
    if (!sample) return panel.answer("Nothing was written yet.");
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
  panel.body.append(element("div", { class: "row wide" }, pick.root, play), text, legend());
  samples.watch((all) => {
    pick.input.max = Math.max(0, all.length - 1);
    pick.input.disabled = play.disabled = all.length < 2;
    if (follows) goTo(Math.max(0, all.length - 1));
  });
  return panel.root;
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

function legend() {
  const item = (name, words) => element("li", {}, element("span", { class: name }, "abc"), ` ${words}`);
  return element("ul", { class: "legend small" }, item("known", "a word of the text"), item("copied", "copied, 20 characters or more"));
}

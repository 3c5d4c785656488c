// The samples of a training one after another, with marks for words of the text and for copied passages.
import { element, newId, visible } from "./dom.js";
import { makePanel, slider } from "./panel.js";
import { percent, plural, whole } from "./words.js";

const FRAME_MILLISECONDS = 700; // for each sample during playback

/**
 * `samples` is a signal of [{update, temperature, text, words, copied}]; `words` and `copied` are spans [start, length] of
 * the text. `frames`, only on a live page, has the texts that the page generates with each checkpoint.
 */
export function writesPanel({ samples: recorded, frames }, level) {
  let samples = recorded;
  const panel = makePanel("writes", "What does the network write?", level);
  const text = element("blockquote", { class: "strip", lang: "", dir: "auto", translate: "no", role: "group", tabindex: 0, "aria-label": "A generated text" });
  const play = element("button", { type: "button" }, "Play");
  const pick = slider("update", { min: 0, max: 0, step: 1, value: 0, shown: (index) => when(samples.value[index]) }, (index) => {
    follows = index === samples.value.length - 1;
    show(index);
  });
  let follows = true;
  let timer = null;

  const show = (index) => {
    const sample = samples.value[index];
    if (!sample) return panel.answer("Waiting for the first sample or the first checkpoint of the training.");
    text.replaceChildren(...marked(sample));
    return panel.answer(...answerOf(sample));
  };
  const goTo = (index) => {
    pick.input.value = index;
    pick.refresh();
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
    timer = setInterval(step, FRAME_MILLISECONDS);
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

/** A choice between the samples of the training, each with a different seed, and the texts that this page generates. */
function sourceChoice(first, second) {
  const id = newId();
  const change = (event) => (event.target.selectedIndex === 0 ? first() : second());
  const options = ["samples of the training", "generated here, with the same start and seed"].map((name) => element("option", {}, name));
  return element("p", { class: "row" }, element("label", { for: id }, "Texts"), element("select", { id, onchange: change }, ...options));
}

const when = (sample) => (sample ? whole(sample.update) : "–");

/** The text with marks for its known words and its copied passages; a passage may contain words. */
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
  const sentence = [`After ${plural(update, "update")}`];
  if (words && total) sentence.push(": ", element("b", {}, `${percent(words.length / total)} of the words`), " occur in the training text");
  const longest = Math.max(0, ...(copied ?? []).map(([, length]) => length));
  if (copied) sentence.push(longest ? `; the longest copied passage has ${longest} of ${[...text].length} characters` : "; no passage of 20 or more characters is copied");
  return [...sentence, "."];
}

/** The legend of the marks, and its item for words; some scripts have no words. */
function legend() {
  const item = (name, words) => element("li", {}, element("span", { class: name }, "abc"), ` ${words}`);
  const known = item("known", "word of the training text");
  return [element("ul", { class: "legend small" }, known, item("copied", "copied passage of 20 or more characters")), known];
}

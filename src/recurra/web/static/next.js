// The probabilities of the next character after a text of the reader, and the continuation that the model generates.
import { element, inSlices, newId, once, sign, spoken, visible } from "./dom.js";
import { AWAITED, makePanel, slider } from "./panel.js";
import { Reader } from "./reader.js";
import { UNCHANGED, draw, shaped } from "./sampling.js";
import { bits, fixed, percent, whole } from "./words.js";

const BARS = 8;
const CONTINUATION_CHARACTERS = 400; // generated at once

export function nextPanel({ model, passage }, level) {
  const panel = makePanel("next", "Which character comes next?", level);
  const settings = { ...UNCHANGED };
  const id = newId();
  const box = element("textarea", { id, rows: 2, spellcheck: "false", autocapitalize: "off" });
  const written = element("blockquote", { class: "written", lang: "", dir: "auto", translate: "no", role: "group", tabindex: 0, "aria-label": "The generated text" });
  const note = element("p", { class: "note", role: "status" });
  const button = element("button", { type: "button", class: "main" }, "Continue the text");
  let [reader, stop, isEdited] = [null, null, false];

  const distribution = (state) => {
    const logs = reader.model.logProbabilities(state);
    return { logs, shares: shaped(logs, settings) };
  };
  const show = once(() => {
    if (!reader) return;
    const { ids, unknown } = reader.prompt(box.value);
    const { logs, shares } = distribution(reader.after(ids));
    note.replaceChildren(unknown.length ? `Not in the vocabulary, so ignored: ${unknown.slice(0, 5).map(spoken).join(", ")}.` : "");
    panel.answer(...answer(reader.model.vocabulary, shares));
    bars.fill(reader.model.vocabulary, logs, shares);
  });
  const accept = (symbol) => {
    isEdited = true;
    box.value += symbol;
    show();
  };
  const bars = makeBars(accept);
  const end = () => {
    stop?.();
    stop = null;
    button.replaceChildren("Continue the text");
  };
  const write = () => {
    const first = reader.prompt(box.value).ids;
    const ids = [];
    let state = reader.after(first);
    const { model: writer } = reader;
    button.replaceChildren("Stop");
    const text = element("span");
    written.replaceChildren(element("span", { class: "prompt" }, ...visible(box.value)), text);
    const fill = () => text.replaceChildren(...visible(writer.vocabulary.decode(ids)));
    const refill = once(fill);
    const step = () => {
      const id = draw(shaped(writer.logProbabilities(state), settings), Math.random());
      ids.push(id);
      state = writer.read(state, id);
      refill();
      return ids.length < CONTINUATION_CHARACTERS;
    };
    stop = inSlices(step, () => {
      fill();
      end();
    });
  };
  button.addEventListener("click", () => (stop ? end() : reader && write()));
  box.addEventListener("input", () => {
    isEdited = true;
    show();
  });
  panel.body.append(
    element("label", { for: id, class: "quiet" }, "Type the beginning of a text"),
    box,
    element("div", { class: "sliders" }, ...sliders(settings, show)),
    element("p", { class: "quiet" }, "Probability of each next character with these sliders; the orange line is the probability of the model. Click a character to add it."),
    bars.root,
    element("p", { class: "row" }, button, note),
    written,
  );
  model.watch((value) => {
    end();
    reader = value && new Reader(value);
    button.disabled = !value;
    if (value) show();
    else panel.answer(AWAITED);
  });
  passage.reading.watch(() => {
    if (isEdited) return;
    box.value = passage.beginning;
    show();
  });
  return panel.root;
}

function sliders(settings, changed) {
  const make = (name, key, options) =>
    slider(name, { ...options, value: settings[key] }, (value) => {
      settings[key] = value;
      changed();
    }).root;
  return [
    make("temperature", "temperature", { min: 0, max: 2, step: 0.05, shown: (t) => fixed(t), title: "1: the probabilities of the model; below 1: more probable characters more often; 0: always the most probable character" }),
    make("top-k", "topK", { min: 0, max: 40, step: 1, shown: (k) => (k ? whole(k) : "all"), title: "Choose among the k most probable characters" }),
    make("top-p", "topP", { min: 0.05, max: 1, step: 0.05, shown: (p) => fixed(p), title: "Choose among the most probable characters that together have this probability" }),
    make("min-p", "minP", { min: 0, max: 0.5, step: 0.01, shown: (p) => fixed(p), title: "Choose among characters with at least this fraction of the highest probability" }),
  ];
}

function answer(vocabulary, shares) {
  const best = shares.indexOf(shares.reduce((a, b) => Math.max(a, b)));
  const entropy = bits(shares.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0));
  const left = shares.filter((p) => p > 0).length;
  return [
    "Most probable: ",
    element("b", {}, spoken(vocabulary.shown(best))),
    `: ${percent(shares[best])}. With these sliders ${left} of ${vocabulary.size} characters are possible; the entropy is ${fixed(entropy, 1)} bits.`,
  ];
}

/** Buttons for the most probable characters; the same buttons remain when their content changes, to keep the focus. */
function makeBars(accept) {
  const rows = Array.from({ length: BARS }, () => makeBar(accept));
  const root = element("ol", { class: "bars", "aria-label": "The most probable next characters" }, ...rows.map((row) => row.item));
  const fill = (vocabulary, logs, shares) => {
    const order = [...logs.keys()].sort((x, y) => logs[y] - logs[x]);
    rows.forEach((row, place) => {
      row.item.hidden = place >= order.length;
      if (!row.item.hidden) row.fill(vocabulary.shown(order[place]), Math.exp(logs[order[place]]), shares[order[place]]);
    });
  };
  return { root, fill };
}

/** A button: its bar is the probability with the sliders, its line the probability of the model. */
function makeBar(accept) {
  const [sym, bar, line, share] = ["symbol", "bar", "before", "share"].map((name) => element("span", { class: name }));
  let symbol = "";
  const choose = () => accept(symbol);
  const track = element("span", { class: "track" }, bar, line);
  const button = element("button", { type: "button", class: "choice", onclick: choose }, sym, track, share);
  const fill = (character, before, after) => {
    symbol = character;
    sym.replaceChildren(sign(character));
    share.replaceChildren(percent(after));
    bar.style.width = `${100 * after}%`;
    line.style.left = `${100 * before}%`;
    button.disabled = character.length > 2; // part of the bytes of a character
    button.setAttribute("aria-label", `${spoken(character)}: ${percent(after)}, without the sliders ${percent(before)}. Add it to the text`);
  };
  return { item: element("li", {}, button), fill };
}

// What would it say next? The reader's beginning, the next character's probabilities, and the model writing on.
import { element, inSlices, newId, once, sign, spoken, visible } from "./dom.js";
import { AWAITED, makePanel, slider } from "./panel.js";
import { Reader } from "./reader.js";
import { AS_LEARNED, draw, shaped } from "./sampling.js";
import { bits, fixed, percent, whole } from "./words.js";

const SHOWN = 8; // bars
const LENGTH = 400; // characters that are written at once

export function nextPanel({ model, passage }, level) {
  const panel = makePanel("next", "What would it say next?", level);
  const settings = { ...AS_LEARNED };
  const id = newId();
  const box = element("textarea", { id, rows: 2, spellcheck: "false", autocapitalize: "off" });
  const written = element("blockquote", { class: "written", lang: "", dir: "auto", translate: "no", role: "group", tabindex: 0, "aria-label": "What it writes on" });
  const note = element("p", { class: "note", role: "status" });
  const button = element("button", { type: "button", class: "main" }, "Write on");
  let [reader, stop, isOwn] = [null, null, false];

  const distribution = (state) => {
    const logs = reader.model.logProbabilities(state);
    return { logs, shares: shaped(logs, settings) };
  };
  const show = once(() => {
    if (!reader) return;
    const { ids, unknown } = reader.prompt(box.value);
    const { logs, shares } = distribution(reader.after(ids));
    note.replaceChildren(unknown.length ? `It does not know ${unknown.slice(0, 5).map(spoken).join(", ")}: left out.` : "");
    panel.answer(...answer(reader.model.vocabulary, shares));
    bars.fill(reader.model.vocabulary, logs, shares);
  });
  const accept = (symbol) => {
    isOwn = true;
    box.value += symbol;
    show();
  };
  const bars = makeBars(accept);
  const end = () => {
    stop?.();
    stop = null;
    button.replaceChildren("Write on");
  };
  const write = () => {
    const first = reader.prompt(box.value).ids;
    const ids = [];
    let state = reader.after(first);
    const { model: writer } = reader;
    button.replaceChildren("Stop");
    const text = element("span");
    written.replaceChildren(element("span", { class: "told" }, ...visible(box.value)), text);
    const fill = () => text.replaceChildren(...visible(writer.vocabulary.decode(ids)));
    const refill = once(fill);
    const step = () => {
      const id = draw(shaped(writer.logProbabilities(state), settings), Math.random());
      ids.push(id);
      state = writer.read(state, id);
      refill();
      return ids.length < LENGTH;
    };
    stop = inSlices(step, () => {
      fill();
      end();
    });
  };
  button.addEventListener("click", () => (stop ? end() : reader && write()));
  box.addEventListener("input", () => {
    isOwn = true;
    show();
  });
  panel.body.append(
    element("label", { for: id, class: "quiet" }, "Type a beginning"),
    box,
    element("div", { class: "sliders" }, ...sliders(settings, show)),
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
  passage.found.watch(() => {
    if (isOwn) return;
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
    make("temperature", "temperature", { min: 0, max: 2, step: 0.05, shown: (t) => fixed(t), title: "1: as learned; less: safer; 0: always the likeliest" }),
    make("top-k", "topK", { min: 0, max: 40, step: 1, shown: (k) => (k ? whole(k) : "all"), title: "only the k likeliest" }),
    make("top-p", "topP", { min: 0.05, max: 1, step: 0.05, shown: (p) => fixed(p), title: "the likeliest that together have this share" }),
    make("min-p", "minP", { min: 0, max: 0.5, step: 0.01, shown: (p) => fixed(p), title: "those at least so many times as likely as the likeliest" }),
  ];
}

function answer(vocabulary, shares) {
  const best = shares.indexOf(shares.reduce((a, b) => Math.max(a, b)));
  const entropy = bits(shares.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0));
  const left = shares.filter((p) => p > 0).length;
  return [
    "Most likely ",
    element("b", {}, spoken(vocabulary.shown(best))),
    ` with ${percent(shares[best])}; ${left} of ${vocabulary.size} characters can follow, ${fixed(entropy, 1)} bits of doubt.`,
  ];
}

/** Buttons for the likeliest, which stay as they are filled anew, so that none loses the keyboard. */
function makeBars(accept) {
  const rows = Array.from({ length: SHOWN }, () => makeBar(accept));
  const root = element("ol", { class: "bars", "aria-label": "The likeliest next characters" }, ...rows.map((row) => row.item));
  const fill = (vocabulary, logs, shares) => {
    const order = [...logs.keys()].sort((x, y) => logs[y] - logs[x]);
    rows.forEach((row, place) => {
      row.item.hidden = place >= order.length;
      if (!row.item.hidden) row.fill(vocabulary.shown(order[place]), Math.exp(logs[order[place]]), shares[order[place]]);
    });
  };
  return { root, fill };
}

/** One of them: the full bar is after the sliders, the line marks the model's own share. */
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
    button.disabled = character.length > 2; // a byte that is no character by itself
    button.setAttribute("aria-label", `${spoken(character)}: ${percent(after)}, as learned ${percent(before)}. Add it to the text`);
  };
  return { item: element("li", {}, button), fill };
}

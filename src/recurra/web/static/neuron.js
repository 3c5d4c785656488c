// What has a neuron learned? The text colored by one unit, all units as a strip, and places where the state is alike.
import { element, newId, visible } from "./dom.js";
import { NONE } from "./passage.js";
import { AWAITED, makePanel } from "./panel.js";
import { bestProbe, probesOf } from "./probes.js";
import { TextView } from "./textview.js";
import { fixed, plural } from "./words.js";

const LISTED = 60; // units to choose from, the best first
const ALIKE = 4;
const APART = 12; // characters between two places that are told
const STEPS = 4; // shades of each sign

export function neuronPanel({ passage }, level) {
  const panel = makePanel("neuron", "What has a neuron learned?", level);
  const id = newId();
  const select = element("select", { id });
  const view = new TextView("The text, colored by the unit", (at) => passage.chosen.set(at));
  const strip = element("canvas", { class: "strip-all", "aria-hidden": "true", title: "All units, a row each, the best match at the top: click one" });
  const alike = element("ol", { class: "alike" });
  let units = [];

  const show = () => {
    const unit = units[select.selectedIndex];
    if (!unit) return;
    view.set(passage.found.value.symbols, (at) => look(unit.values[at] / unit.most));
    panel.answer(element("b", {}, unit.name), ` follows ${unit.probe.name} most closely, r = ${fixed(unit.probe.r)}; of ${plural(units.length, "unit")}.`);
    drawStrip(strip, units, select.selectedIndex);
  };
  select.addEventListener("change", show);
  strip.addEventListener("click", (event) => {
    const row = Math.floor((event.offsetY / strip.clientHeight) * strip.height);
    select.selectedIndex = Math.min(row, select.options.length - 1);
    show();
  });
  panel.body.append(
    element("p", { class: "row" }, element("label", { for: id }, "Unit"), select),
    view.root,
    element("ul", { class: "legend small" }, element("li", {}, element("span", { class: "p4" }, "abc"), " positive"), element("li", {}, element("span", { class: "n4" }, "abc"), " negative")),
    strip,
    element("p", { class: "quiet" }, "Where the whole state is most like that at the chosen character"),
    alike,
  );
  passage.found.watch((found) => {
    if (!found) return panel.answer(AWAITED);
    const kept = units[select.selectedIndex]?.name;
    units = unitsOf(found);
    select.replaceChildren(...units.slice(0, LISTED).map((unit) => element("option", {}, `${unit.name}: ${unit.probe.name}, r ${fixed(unit.probe.r)}`)));
    select.selectedIndex = Math.max(0, units.slice(0, LISTED).findIndex((unit) => unit.name === kept));
    return show();
  });
  passage.chosen.watch((at) => {
    view.select(at);
    alike.replaceChildren(...(at === NONE || !passage.found.value ? [] : alikeOf(passage, at)));
  });
  return panel.root;
}

/** Every unit's values along the text, as its cell shows them, with the probe that it matches; the best match first. */
function unitsOf({ model, symbols, states }) {
  const probes = probesOf(symbols);
  const found = [];
  model.layers.forEach((_, layer) => {
    for (let j = 0; j < model.hidden; j += 1) {
      const values = symbols.map((__, at) => model.cell.shown(states[at + 1][layer], j));
      const most = Math.max(1e-9, values.reduce((a, b) => Math.max(a, Math.abs(b)), model.cell.bounded ? 1 : 0));
      const name = model.layers.length > 1 ? `unit ${j + 1} of layer ${layer + 1}` : `unit ${j + 1}`;
      found.push({ name, values, most, probe: bestProbe(values, probes) });
    }
  });
  return found.sort((a, b) => Math.abs(b.probe.r) - Math.abs(a.probe.r));
}

function look(value) {
  const step = Math.min(STEPS, Math.ceil(Math.abs(value) * STEPS - 0.5));
  return step < 1 ? "" : `${value > 0 ? "p" : "n"}${step}`;
}

/** A pixel for each unit and character: orange where positive, blue where negative. */
function drawStrip(canvas, units, chosen) {
  const shown = units.slice(0, LISTED);
  canvas.width = shown[0]?.values.length || 1;
  canvas.height = Math.max(1, shown.length);
  const style = getComputedStyle(canvas);
  const color = (name) => style.getPropertyValue(name).trim().split(/\s+/).map(Number);
  const [positive, negative] = [color("--surprise"), color("--blue-shade")];
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  shown.forEach((unit, row) =>
    unit.values.forEach((value, column) => {
      const share = Math.min(1, Math.abs(value / unit.most));
      const pixel = [...(value > 0 ? positive : negative), 255 * share * (row === chosen ? 1 : 0.75)];
      picture.data.set(pixel, 4 * (row * canvas.width + column));
    }),
  );
  context.putImageData(picture, 0, 0);
}

/** The places, apart from each other and from `at`, whose top state has the greatest cosine with that at `at`. */
function alikeOf(passage, at) {
  const { symbols, states } = passage.found.value;
  const top = states[0].length - 1;
  const here = states[at + 1][top].h;
  const ranked = symbols.map((_, place) => ({ place, cosine: cosine(here, states[place + 1][top].h) })).sort((a, b) => b.cosine - a.cosine);
  const chosen = [];
  for (const one of ranked) {
    if (chosen.length === ALIKE) break;
    if ([at, ...chosen.map((other) => other.place)].every((place) => Math.abs(place - one.place) >= APART)) chosen.push(one);
  }
  return chosen.map(({ place, cosine: value }) => {
    const context = symbols.slice(Math.max(0, place - 24), place + 1).join("").replace(/\n/g, "¶");
    const pick = () => passage.chosen.set(place);
    return element("li", {}, element("button", { type: "button", class: "choice", onclick: pick }, "…", ...visible(context)), ` ${fixed(value)}`);
  });
}

function cosine(a, b) {
  const product = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0);
  return product(a, b) / (Math.sqrt(product(a, a) * product(b, b)) || 1);
}

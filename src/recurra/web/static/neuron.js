// The units of the network: the text colored by one unit, all units as an image, and places with a similar state.
import { element, newId, visible } from "./dom.js";
import { NONE } from "./passage.js";
import { AWAITED, makePanel } from "./panel.js";
import { bestProbe, probesOf } from "./probes.js";
import { TextView } from "./textview.js";
import { fixed, plural } from "./words.js";

const MAX_LISTED = 60; // units, those with the highest correlation first
const SIMILAR_PLACES = 4;
const MIN_DISTANCE = 12; // characters between two places
const SHADES = 4; // for each sign

export function neuronPanel({ passage }, level) {
  const panel = makePanel("neuron", "What does each unit follow?", level);
  const id = newId();
  const select = element("select", { id });
  const view = new TextView("The text, colored by the unit", (at) => passage.chosen.set(at));
  const strip = element("canvas", { class: "strip-all", "aria-hidden": "true", title: "One row for each unit, the highest correlation at the top. Click a row to choose its unit." });
  const alike = element("ol", { class: "alike" });
  let units = [];

  const show = () => {
    const unit = units[select.selectedIndex];
    if (!unit) return;
    view.set(passage.reading.value.symbols, (at) => look(unit.values[at] / unit.most));
    panel.answer(element("b", {}, unit.name), ` correlates most with ${unit.probe.name}: r = ${fixed(unit.probe.r)}. The network has ${plural(units.length, "unit")}.`);
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
    element("ul", { class: "legend small" }, element("li", {}, element("span", { class: "p4" }, "abc"), " positive value"), element("li", {}, element("span", { class: "n4" }, "abc"), " negative value")),
    strip,
    element("p", { class: "quiet" }, "The image has a row for each unit and a column for each character of the text. Click a row to choose its unit."),
    element("p", { class: "quiet" }, "Places where the hidden state is most similar to the state at the chosen character (cosine similarity, at most 1):"),
    alike,
  );
  passage.reading.watch((reading) => {
    if (!reading) return panel.answer(AWAITED);
    const kept = units[select.selectedIndex]?.name;
    units = unitsOf(reading);
    select.replaceChildren(...units.slice(0, MAX_LISTED).map((unit) => element("option", {}, `${unit.name}: ${unit.probe.name}, r ${fixed(unit.probe.r)}`)));
    select.selectedIndex = Math.max(0, units.slice(0, MAX_LISTED).findIndex((unit) => unit.name === kept));
    return show();
  });
  passage.chosen.watch((at) => {
    view.select(at);
    alike.replaceChildren(...(at === NONE || !passage.reading.value ? [] : similarPlaces(passage, at)));
  });
  return panel.root;
}

/** The values of every unit along the text and the feature that correlates most with them, the highest correlation first. */
function unitsOf({ model, symbols, states }) {
  const probes = probesOf(symbols);
  const units = [];
  model.layers.forEach((_, layer) => {
    for (let j = 0; j < model.hidden; j += 1) {
      const values = symbols.map((__, at) => model.cell.shown(states[at + 1][layer], j));
      const most = Math.max(1e-9, values.reduce((a, b) => Math.max(a, Math.abs(b)), model.cell.bounded ? 1 : 0));
      const name = model.layers.length > 1 ? `unit ${j + 1} of layer ${layer + 1}` : `unit ${j + 1}`;
      units.push({ name, values, most, probe: bestProbe(values, probes) });
    }
  });
  return units.sort((a, b) => Math.abs(b.probe.r) - Math.abs(a.probe.r));
}

function look(value) {
  const shade = Math.min(SHADES, Math.ceil(Math.abs(value) * SHADES - 0.5));
  return shade < 1 ? "" : `${value > 0 ? "p" : "n"}${shade}`;
}

/** Draw a pixel for each unit and character: orange if the value is positive, blue if it is negative. */
function drawStrip(canvas, units, chosen) {
  const rows = units.slice(0, MAX_LISTED);
  canvas.width = rows[0]?.values.length || 1;
  canvas.height = Math.max(1, rows.length);
  const style = getComputedStyle(canvas);
  const color = (name) => style.getPropertyValue(name).trim().split(/\s+/).map(Number);
  const [positive, negative] = [color("--surprise"), color("--blue-shade")];
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  rows.forEach((unit, row) =>
    unit.values.forEach((value, column) => {
      const share = Math.min(1, Math.abs(value / unit.most));
      const pixel = [...(value > 0 ? positive : negative), 255 * share * (row === chosen ? 1 : 0.75)];
      picture.data.set(pixel, 4 * (row * canvas.width + column));
    }),
  );
  context.putImageData(picture, 0, 0);
}

/** Buttons for the places with the highest cosine similarity to h of the top layer at `at`, at a distance from each other. */
function similarPlaces(passage, at) {
  const { symbols, states } = passage.reading.value;
  const top = states[0].length - 1;
  const here = states[at + 1][top].h;
  const ranked = symbols.map((_, place) => ({ place, cosine: cosine(here, states[place + 1][top].h) })).sort((a, b) => b.cosine - a.cosine);
  const chosen = [];
  for (const candidate of ranked) {
    if (chosen.length === SIMILAR_PLACES) break;
    if ([at, ...chosen.map((other) => other.place)].every((place) => Math.abs(place - candidate.place) >= MIN_DISTANCE)) chosen.push(candidate);
  }
  return chosen.map(({ place, cosine: value }) => {
    const context = symbols.slice(Math.max(0, place - 24), place + 1).join("").replace(/\n/g, "¶");
    const pick = () => passage.chosen.set(place);
    return element("li", {}, element("button", { type: "button", class: "choice", onclick: pick }, "…", ...visible(context)), ` similarity ${fixed(value)}`);
  });
}

function cosine(a, b) {
  const product = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0);
  return product(a, b) / (Math.sqrt(product(a, a) * product(b, b)) || 1);
}

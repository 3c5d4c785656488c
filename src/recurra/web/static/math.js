// Can I trust the math? The gradients against numerical ones, and this page's own arithmetic against Python's.
import { element } from "./dom.js";
import { AWAITED, makePanel } from "./panel.js";
import { power, whole } from "./words.js";

const CLOSE = 1e-5; // nats: how far the page may be from Python

/**
 * `check` is a signal of summary.json's gradient_check, or null; `checkNow`, where there is a server, asks for a check and
 * gives it back. The model brings its witness: a text, and what Python says of it.
 */
export function mathPanel({ check, model, checkNow }, level) {
  const panel = makePanel("math", "Can I trust the math?", level);
  const grid = element("div", {});
  const badge = element("p", { class: "badge" });
  panel.body.append(badge, grid);
  if (checkNow) panel.body.append(button(checkNow, check));
  const told = { gradients: null, page: null };
  const tell = () => panel.answer(...answerOf(told, checkNow ? "" : "; the gradients are above"));
  check?.watch((value) => {
    told.gradients = value;
    grid.replaceChildren(...(value ? tablesOf(value) : []));
    tell();
  });
  model.watch((value) => {
    told.page = value && differenceOf(value);
    badge.replaceChildren(...badgeOf(told.page));
    tell();
  });
  return panel.root;
}

/** The greatest difference in nats between the page's costs of the witness and Python's. */
function differenceOf(model) {
  const { text, nats } = model.witness;
  const { ids } = model.vocabulary.encode(text);
  const states = model.readAll(ids);
  return Math.max(0, ...nats.map((cost, at) => Math.abs(cost + model.logProbabilities(states[at + 1])[ids[at + 1]])));
}

function badgeOf(difference) {
  if (difference == null) return [];
  const good = difference <= CLOSE;
  const words = `${good ? "✓" : "✗"} This page computes ${good ? "what" : "something other than"} Python does: log p differs by at most ${power(difference)} nats.`;
  return [element("span", { class: good ? "good" : "bad" }, words)];
}

function answerOf({ gradients, page }, elsewhere) {
  if (!gradients) return [page == null ? AWAITED : `This page agrees with Python${elsewhere}.`];
  const errors = rowsOf(gradients).map(([, row]) => row.max_rel_complex).filter(Number.isFinite);
  const words = gradients.passed === true ? "Every gradient agrees with numerical ones" : "Not every gradient agrees with numerical ones";
  const { checked, elements } = gradients;
  const sample = checked < elements ? ` A random sample was compared, ${whole(checked)} of ${whole(elements)} elements.` : "";
  return [element("b", {}, words), errors.length ? `: within ${power(Math.max(...errors))} of the largest, by the complex step.` : ".", sample];
}

const rowsOf = (check) => Object.values(check.cells ?? {}).flatMap((rows) => Object.entries(rows));

function tablesOf(check) {
  return Object.entries(check.cells ?? {}).map(([cell, rows]) => {
    const head = ["", "central differences", "complex step", ""].map((name) => element("th", { scope: "col" }, name));
    const body = Object.entries(rows).map(([name, row]) => {
      const good = row.passed !== false;
      const verdict = element("span", { class: good ? "good" : "bad" }, good ? "✓ agrees" : "✗ differs");
      return element("tr", {}, element("th", { scope: "row" }, name), cellOf(row.max_rel_central), cellOf(row.max_rel_complex), element("td", {}, verdict));
    });
    const caption = element("caption", {}, `Relative error of each gradient: ${cell}`);
    return element("table", {}, caption, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  });
}

/** A small error on a scale from 1e-16 to 1, as a bar and as a number. */
function cellOf(value) {
  if (!Number.isFinite(value)) return element("td", {}, "–");
  const meter = element("span", { class: "meter" });
  meter.style.width = `${Math.min(100, Math.max(3, (100 * (16 + Math.log10(value || 1e-16))) / 16))}%`;
  return element("td", {}, element("span", { class: "meter-track" }, meter), ` ${power(value)}`);
}

function button(checkNow, check) {
  const made = element("button", { type: "button" }, "Check now");
  const note = element("span", { class: "note", role: "status" });
  made.addEventListener("click", async () => {
    made.disabled = true;
    note.replaceChildren("Checking on a copy; training goes on …");
    try {
      check.set(await checkNow());
      note.replaceChildren("Checked.");
    } catch (error) {
      note.replaceChildren(`Not checked: ${error.message}`);
    }
    made.disabled = false;
  });
  return element("p", { class: "row" }, made, note);
}

// The check of the gradients against numerical ones, and of the arithmetic of this page against that in Python.
import { element } from "./dom.js";
import { AWAITED, makePanel } from "./panel.js";
import { power, whole } from "./words.js";

const TOLERANCE = 1e-5; // nats, between the page and Python

/**
 * `check` is a signal of gradient_check in summary.json, or null; `checkNow`, only with a server, runs a check and returns
 * it. The witness of the model is a text and the losses that Python computed for it.
 */
export function mathPanel({ check, model, checkNow }, level) {
  const panel = makePanel("math", "Are the computations correct?", level);
  const grid = element("div", {});
  const badge = element("p", { class: "badge" });
  panel.body.append(badge, grid);
  if (checkNow) panel.body.append(button(checkNow, check));
  const results = { gradients: null, page: null };
  const showAnswer = () => panel.answer(...answerOf(results, checkNow ? "" : " The table of the gradients is above."));
  check?.watch((value) => {
    results.gradients = value;
    grid.replaceChildren(...(value ? tablesOf(value) : []));
    showAnswer();
  });
  model.watch((value) => {
    results.page = value && differenceOf(value);
    badge.replaceChildren(...badgeOf(results.page));
    showAnswer();
  });
  return panel.root;
}

/** The largest difference in nats between the losses of this page and of Python on the witness. */
function differenceOf(model) {
  const { text, nats } = model.witness;
  const { ids } = model.vocabulary.encode(text);
  const states = model.readAll(ids);
  return Math.max(0, ...nats.map((loss, at) => Math.abs(loss + model.logProbabilities(states[at + 1])[ids[at + 1]])));
}

function badgeOf(difference) {
  if (difference == null) return [];
  const good = difference <= TOLERANCE;
  const words = `${good ? "✓" : "✗"} This page ${good ? "agrees" : "does not agree"} with Python: log p differs by at most ${power(difference)} nats.`;
  return [element("span", { class: good ? "good" : "bad" }, words)];
}

function answerOf({ gradients, page }, note) {
  if (!gradients) return [page == null ? AWAITED : `This page computes the losses of a test text and compares them with those from Python.${note}`];
  const errors = rowsOf(gradients).map(([, row]) => row.max_rel_complex).filter(Number.isFinite);
  const words = gradients.passed === true ? "All gradients agree with numerical ones" : "Not all gradients agree with numerical ones";
  const { checked, elements } = gradients;
  const sample = checked < elements ? ` The check compared a random sample of ${whole(checked)} of ${whole(elements)} elements.` : "";
  return [element("b", {}, words), errors.length ? `: the largest relative error is ${power(Math.max(...errors))} (complex step).` : ".", sample];
}

const rowsOf = (check) => Object.values(check.cells ?? {}).flatMap((rows) => Object.entries(rows));

function tablesOf(check) {
  return Object.entries(check.cells ?? {}).map(([cell, rows]) => {
    const head = ["Parameter", "Central differences", "Complex step", "Result"].map((name) => element("th", { scope: "col" }, name));
    const body = Object.entries(rows).map(([name, row]) => {
      const good = row.passed !== false;
      const verdict = element("span", { class: good ? "good" : "bad" }, good ? "✓ agrees" : "✗ differs");
      return element("tr", {}, element("th", { scope: "row" }, name), cellOf(row.max_rel_central), cellOf(row.max_rel_complex), element("td", {}, verdict));
    });
    const caption = element("caption", {}, `Relative errors of the gradients: ${cell}`);
    return element("table", {}, caption, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  });
}

/** A small error as a bar, on a logarithmic scale from 1e-16 to 1, and as a number. */
function cellOf(value) {
  if (!Number.isFinite(value)) return element("td", {}, "–");
  const meter = element("span", { class: "meter" });
  meter.style.width = `${Math.min(100, Math.max(3, (100 * (16 + Math.log10(value || 1e-16))) / 16))}%`;
  return element("td", {}, element("span", { class: "meter-track" }, meter), ` ${power(value)}`);
}

function button(checkNow, check) {
  const made = element("button", { type: "button" }, "Check the gradients now");
  const note = element("span", { class: "note", role: "status" });
  made.addEventListener("click", async () => {
    made.disabled = true;
    note.replaceChildren("Checking a copy of the model …");
    try {
      check.set(await checkNow());
      note.replaceChildren("The check is complete.");
    } catch (error) {
      note.replaceChildren(`The check failed: ${error.message}`);
    }
    made.disabled = false;
  });
  return element("p", { class: "row" }, made, note);
}

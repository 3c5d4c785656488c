// The frame of a panel: its heading is a question, and the line below the heading is the current answer.
import { element, newId } from "./dom.js";

/** The answer of a panel that has no network yet. */
export const AWAITED = "Waiting for the first checkpoint of the training, which contains the network for this panel.";

/** A section with the heading `question`; `answer` sets the line below it, `body` is the element for the content. */
export function makePanel(name, question, level = 2) {
  const id = newId();
  const answer = element("p", { class: "answer" });
  const body = element("div", { class: "body" });
  const heading = element(`h${level}`, { id }, question);
  const root = element("section", { class: `panel panel-${name}`, "aria-labelledby": id }, heading, answer, body);
  return { root, body, answer: (...words) => answer.replaceChildren(...words) };
}

/** A slider with its name and its value; `refresh` updates the value after `input` was set. */
export function slider(name, { min, max, step, value, shown = String, title }, onchange) {
  const id = newId();
  const output = element("output", { for: id }, shown(value));
  const input = element("input", { type: "range", id, min, max, step, value, title });
  const refresh = () => {
    output.replaceChildren(shown(Number(input.value)));
    input.setAttribute("aria-valuetext", shown(Number(input.value)));
  };
  input.addEventListener("input", () => {
    refresh();
    onchange(Number(input.value));
  });
  const root = element("div", { class: "slider" }, element("label", { for: id }, name), input, output);
  return { root, input, refresh };
}

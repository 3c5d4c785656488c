// The frame of a panel: its title is a question, the line below it the answer as it stands.
import { element, newId } from "./dom.js";

/** What a panel without a network says. */
export const AWAITED = "Waiting for the first checkpoint of the training: it brings the network that answers here.";

/** A section with `question` as its heading; `answer` sets the line below, `body` takes what the panel shows. */
export function makePanel(name, question, level = 2) {
  const id = newId();
  const answer = element("p", { class: "answer" });
  const body = element("div", { class: "body" });
  const heading = element(`h${level}`, { id }, question);
  const root = element("section", { class: `panel panel-${name}`, "aria-labelledby": id }, heading, answer, body);
  return { root, body, answer: (...words) => answer.replaceChildren(...words) };
}

/** A slider with its name and its value. */
export function slider(name, { min, max, step, value, shown = String, title }, onchange) {
  const id = newId();
  const output = element("output", { for: id }, shown(value));
  const input = element("input", { type: "range", id, min, max, step, value, title });
  const tell = () => {
    output.replaceChildren(shown(Number(input.value)));
    input.setAttribute("aria-valuetext", shown(Number(input.value)));
  };
  input.addEventListener("input", () => {
    tell();
    onchange(Number(input.value));
  });
  const root = element("div", { class: "slider" }, element("label", { for: id }, name), input, output);
  return { root, input, tell };
}

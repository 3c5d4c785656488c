// The panels of a report: the page contains the data of each run, and its model if the model is small enough.
import { mountPanels } from "./panels.js";
import { fromBase64, unpack } from "./model.js";
import { Passage } from "./passage.js";
import { Signal } from "./signal.js";

function mount(root) {
  const data = JSON.parse(root.querySelector(".data").textContent);
  const weights = root.querySelector(".weights");
  const model = new Signal(weights && unpack(fromBase64(weights.textContent)));
  mountPanels(root, {
    model,
    metrics: new Signal(data.metrics),
    rules: new Signal(data.rules),
    samples: new Signal(data.samples),
    passage: new Passage(model, data.passage),
    check: null,
  });
  root.classList.add("live");
}

document.querySelectorAll("[data-run]").forEach(mount);

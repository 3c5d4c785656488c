// The panels of a report: each run's data lies in the page, its model too where it is small enough.
import { mountPanels } from "./panels.js";
import { fromBase64, unpack } from "./model.js";
import { Signal } from "./signal.js";

function mount(root) {
  const data = JSON.parse(root.querySelector(".data").textContent);
  const weights = root.querySelector(".weights");
  const model = new Signal(weights && unpack(fromBase64(weights.textContent)));
  mountPanels(root, { ...data, model });
}

document.querySelectorAll("[data-run]").forEach(mount);

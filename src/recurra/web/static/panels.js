// Mount the panels in the elements of a page that name them, such as <div data-panel="next">.
import { healthPanel } from "./health.js";
import { learningPanel } from "./learning.js";
import { mathPanel } from "./math.js";
import { memoryPanel } from "./memory.js";
import { neuronPanel } from "./neuron.js";
import { nextPanel } from "./next.js";
import { surprisePanel } from "./surprise.js";
import { writesPanel } from "./writes.js";

const PANELS = {
  health: healthPanel,
  learning: learningPanel,
  math: mathPanel,
  memory: memoryPanel,
  neuron: neuronPanel,
  next: nextPanel,
  surprise: surprisePanel,
  writes: writesPanel,
};

/** Mount a panel in every element of `root` that names one; `context` has the data and the signals of the run. */
export function mountPanels(root, context) {
  for (const place of root.querySelectorAll("[data-panel]")) {
    place.replaceChildren(PANELS[place.dataset.panel](context, Number(place.dataset.level ?? 2)));
  }
}

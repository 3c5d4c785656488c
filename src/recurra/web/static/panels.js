// The panels by name, put where the page has a place for them: <div data-panel="next">.
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

/** Fill every place in `root`; `context` is what the panels know of the run. */
export function mountPanels(root, context) {
  for (const place of root.querySelectorAll("[data-panel]")) {
    place.replaceChildren(PANELS[place.dataset.panel](context, Number(place.dataset.level ?? 2)));
  }
}

// The panels by name, put where the page has a place for them: <div data-panel="next">.
import { nextPanel } from "./next.js";

const PANELS = { next: nextPanel };

/** Fill every place in `root`; `context` is what the panels know of the run. */
export function mountPanels(root, context) {
  for (const place of root.querySelectorAll("[data-panel]")) {
    place.replaceChildren(PANELS[place.dataset.panel](context, Number(place.dataset.level ?? 2)));
  }
}

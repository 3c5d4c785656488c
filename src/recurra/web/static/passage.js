// A text that three panels look at: what each character cost, the states behind it, and the one that is chosen.
import { inSlices } from "./dom.js";
import { Signal } from "./signal.js";
import { beginningOf } from "./unicode.js";

const LONGEST = 1500; // characters
const BEGINNING = 24; // characters of a beginning
export const NONE = -1;

export class Passage {
  /** `model` is a signal; `text` the passage to begin with. */
  constructor(model, text) {
    this.model = model;
    this.text = text;
    this.found = new Signal(null);
    this.chosen = new Signal(NONE);
    this.stop = () => {};
    model.watch(() => this.#read());
  }

  /** The reader's own text: nothing offered replaces it. */
  setText(text) {
    this.isOwn = true;
    this.text = text;
    this.#read();
  }

  /** A text to look at, unless the reader has chosen one. */
  offer(text) {
    if (this.isOwn || !text || text === this.text) return;
    this.text = text;
    this.#read();
  }

  /** The first words, to go on from. */
  get beginning() {
    const line = this.text.trim().split("\n")[0];
    const cut = beginningOf(line, BEGINNING);
    return cut === line ? line : cut.slice(0, cut.lastIndexOf(" ")).trim() || cut;
  }

  /** The probabilities (K) before the character at `index`. */
  before(index) {
    const { model, states } = this.found.value;
    return model.logProbabilities(states[index]);
  }

  /** The first symbol costs ln K, each next one -log p, as in `recurra score`; a model of documents expects the first. */
  #read() {
    this.stop();
    const model = this.model.value;
    if (!model || !this.text) return;
    const encoded = model.vocabulary.encode(this.text);
    const [ids, symbols] = [encoded.ids.slice(0, LONGEST), encoded.symbols.slice(0, LONGEST)];
    const states = [model.beginning()];
    const costs = [];
    const step = () => {
      const at = costs.length;
      if (at === ids.length) return false;
      costs.push(at === 0 ? model.firstCost(ids[at]) : -model.logProbabilities(states[at])[ids[at]]);
      states.push(model.read(states[at], ids[at]));
      return true;
    };
    this.stop = inSlices(step, () => {
      if (this.chosen.value >= ids.length) this.chosen.value = NONE;
      this.found.set({ model, ids, symbols, states, costs, unknown: encoded.unknown });
      if (this.chosen.value === NONE && ids.length) this.chosen.set(Math.min(ids.length - 1, Math.floor(ids.length / 2)));
      else this.chosen.set(this.chosen.value);
    });
  }
}

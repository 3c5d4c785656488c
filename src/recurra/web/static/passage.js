// The text that three panels share: the loss and the state at each character, and the chosen character.
import { inSlices } from "./dom.js";
import { Signal } from "./signal.js";
import { beginningOf } from "./unicode.js";

const MAX_CHARACTERS = 1500;
const BEGINNING_CHARACTERS = 24;
export const NONE = -1;

export class Passage {
  /** `model` is a signal, `text` the first text. */
  constructor(model, text) {
    this.model = model;
    this.text = text;
    this.reading = new Signal(null); // {model, ids, symbols, states, costs, unknown} after the model has read the text
    this.chosen = new Signal(NONE);
    this.stop = () => {};
    model.watch(() => this.#read());
  }

  /** Set a text of the reader; `offer` does not replace it. */
  setText(text) {
    this.isChosenByReader = true;
    this.text = text;
    this.#read();
  }

  /** Set a text, unless the reader has set one. */
  offer(text) {
    if (this.isChosenByReader || !text || text === this.text) return;
    this.text = text;
    this.#read();
  }

  /** The first words of the text, as a prompt. */
  get beginning() {
    const line = this.text.trim().split("\n")[0];
    const cut = beginningOf(line, BEGINNING_CHARACTERS);
    return cut === line ? line : cut.slice(0, cut.lastIndexOf(" ")).trim() || cut;
  }

  /** log p (K) before the character at `index`. */
  before(index) {
    const { model, states } = this.reading.value;
    return model.logProbabilities(states[index]);
  }

  /** Compute the loss of each symbol as in `recurra score`: ln K for the first one, -log p for the others. */
  #read() {
    this.stop();
    const model = this.model.value;
    if (!model || !this.text) return;
    const encoded = model.vocabulary.encode(this.text);
    const [ids, symbols] = [encoded.ids.slice(0, MAX_CHARACTERS), encoded.symbols.slice(0, MAX_CHARACTERS)];
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
      this.reading.set({ model, ids, symbols, states, costs, unknown: encoded.unknown });
      if (this.chosen.value === NONE && ids.length) this.chosen.set(Math.min(ids.length - 1, Math.floor(ids.length / 2)));
      else this.chosen.set(this.chosen.value);
    });
  }
}

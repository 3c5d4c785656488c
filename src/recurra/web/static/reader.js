// The state of a model after a text that changes as the reader types; the model reads only the changed end again.

const MAX_PROMPT_CHARACTERS = 2000;

export class Reader {
  constructor(model) {
    this.model = model;
    this.ids = [];
    this.states = [model.zeroState()];
  }

  /** The state after `ids`. */
  after(ids) {
    let same = 0;
    while (same < this.ids.length && this.ids[same] === ids[same]) same += 1;
    this.ids = this.ids.slice(0, same);
    this.states = this.states.slice(0, same + 1);
    for (const id of ids.slice(same)) {
      this.states.push(this.model.read(this.states[this.states.length - 1], id));
      this.ids.push(id);
    }
    return this.states[this.states.length - 1];
  }

  /** The ids of a prompt: the hidden start symbol and at most the last `MAX_PROMPT_CHARACTERS` of the text. */
  prompt(text) {
    const { ids, unknown } = this.model.vocabulary.encode(text);
    return { ids: [this.model.vocabulary.start, ...ids.slice(-MAX_PROMPT_CHARACTERS)], unknown };
  }
}

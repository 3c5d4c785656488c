// What a model makes of a text that is being typed: only what is new is read again.

const LONGEST = 2000; // characters that are remembered

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

  /** The ids of a text to go on from: the unshown start, and at most the last `LONGEST` characters. */
  prompt(text) {
    const { ids, unknown } = this.model.vocabulary.encode(text);
    return { ids: [this.model.vocabulary.start, ...ids.slice(-LONGEST)], unknown };
  }
}

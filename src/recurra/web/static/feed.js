// Receive the events of a run from the server and combine them; connect again if the connection is lost.
import { unpack } from "./model.js";
import { decimated } from "./scale.js";

const MAX_POINTS = 6000; // with more, the feed keeps half of them
const RETRY_MILLISECONDS = [500, 1000, 2000, 5000]; // before each attempt to connect
const RECORDS = ["update", "mean", "smooth", "norm"];
const SCORES = ["scoredAt", "scored"];

/** The columns of a run without records. */
export const NO_RECORDS = Object.fromEntries([...RECORDS, ...SCORES].map((name) => [name, []]));

export class Feed {
  /**
   * `context` has the signals of the panels. `onConnection(isConnected)` is called at each change; it returns true if
   * the feed must connect again after the connection is lost.
   */
  constructor(name, context, onConnection) {
    Object.assign(this, { base: `runs/${encodeURIComponent(name)}`, context, onConnection });
    this.after = "";
    this.tries = 0;
    this.model = null;
    this.marks = new Map();
    this.open();
  }

  open() {
    this.source = new EventSource(`${this.base}/events?after=${encodeURIComponent(this.after)}`);
    this.source.addEventListener("open", () => {
      this.tries = 0;
      this.onConnection(true);
    });
    this.source.addEventListener("message", (event) => {
      this.after = event.lastEventId;
      this.take(JSON.parse(event.data));
    });
    this.source.addEventListener("error", () => this.again());
  }

  close() {
    this.source.close();
    clearTimeout(this.waiting);
  }

  /** Connect again later. The browser itself stops trying after some errors. */
  again() {
    this.source.close();
    if (!this.onConnection(false)) return;
    this.waiting = setTimeout(() => this.open(), RETRY_MILLISECONDS[Math.min(this.tries, RETRY_MILLISECONDS.length - 1)]);
    this.tries += 1;
  }

  /** Add the new records and samples of a message, and replace the other data. */
  take(message) {
    const { context } = this;
    if (message.metrics.update.length || message.anew) context.metrics.set(joined(message.anew ? NO_RECORDS : context.metrics.value, message.metrics));
    if (message.rules) context.rules.set(message.rules);
    if (message.check !== undefined) context.check.set(message.check ?? context.check.value);
    this.text = message.passage ?? this.text;
    const marked = this.mark(message.marks);
    if (message.samples.length || message.anew || marked) {
      const samples = [...(message.anew ? [] : context.samples.value), ...message.samples];
      context.samples.set(samples.map((sample) => ({ ...sample, ...this.marks.get(sample.update) })));
    }
    context.passage.offer(this.text ?? context.samples.value.at(-1)?.text);
    context.health.set(message.health);
    this.follow(message.health.model);
  }

  mark(marks) {
    for (const mark of marks ?? []) this.marks.set(mark.update, mark);
    return Boolean(marks?.length);
  }

  /** Fetch the model of the run, its best checkpoint, if it is new. */
  async follow(model) {
    if (model === null || model === this.model || this.fetching) return;
    this.fetching = true;
    try {
      const answer = await fetch(`${this.base}/model`);
      if (answer.ok) {
        this.context.model.set(unpack(await answer.arrayBuffer()));
        this.model = model;
      }
    } catch {
      // The next message tries again.
    }
    this.fetching = false;
  }

  /** Fetch more records of a part of the run. */
  async detail([first, last]) {
    const answer = await fetch(`${this.base}/points?first=${first}&last=${last}`);
    return answer.ok ? answer.json() : null;
  }

  /** Let the server check the gradients; throw an error with the reason if it does not. */
  async check() {
    const answer = await fetch(`${this.base}/check`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error?.message ?? answer.statusText);
    return content;
  }
}

/** The joined columns; too many records are thinned out. */
function joined(before, after) {
  const all = Object.fromEntries([...RECORDS, ...SCORES].map((name) => [name, [...before[name], ...after[name]]]));
  if (all.update.length <= MAX_POINTS) return all;
  const kept = decimated(all.smooth, 0, all.update.length, MAX_POINTS / 4);
  return { ...all, ...Object.fromEntries(RECORDS.map((name) => [name, kept.map((index) => all[name][index])])) };
}

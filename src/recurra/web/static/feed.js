// What the server tells of a run, as it happens: put together here, asked for again when the line is cut.
import { unpack } from "./model.js";
import { decimated } from "./scale.js";

const MOST = 6000; // points that are kept; then half of that
const RETRY_MILLISECONDS = [500, 1000, 2000, 5000]; // until the next try
const RECORDS = ["update", "mean", "smooth", "norm"];
const SCORES = ["scoredAt", "scored"];

/** The columns of a run of which nothing is known. */
export const NOTHING = Object.fromEntries([...RECORDS, ...SCORES].map((name) => [name, []]));

export class Feed {
  /** `context` has the signals of the panels; `told(isConnected)` returns whether to connect again once the line is cut. */
  constructor(name, context, told) {
    Object.assign(this, { base: `runs/${encodeURIComponent(name)}`, context, told });
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
      this.told(true);
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

  /** The browser's own new tries end for good at some errors: ours do not. */
  again() {
    this.source.close();
    if (!this.told(false)) return;
    this.waiting = setTimeout(() => this.open(), RETRY_MILLISECONDS[Math.min(this.tries, RETRY_MILLISECONDS.length - 1)]);
    this.tries += 1;
  }

  /** A message: what is new of the records and samples, and the rest as it stands. */
  take(message) {
    const { context } = this;
    if (message.metrics.update.length || message.anew) context.metrics.set(joined(message.anew ? NOTHING : context.metrics.value, message.metrics));
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

  /** Fetch the model of the run, its best checkpoint, when it is a new one. */
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
      // The next message asks again.
    }
    this.fetching = false;
  }

  /** The records of a part of the run, from nearer. */
  async detail([first, last]) {
    const answer = await fetch(`${this.base}/points?first=${first}&last=${last}`);
    return answer.ok ? answer.json() : null;
  }

  /** Have the gradients checked; the error says why not. */
  async check() {
    const answer = await fetch(`${this.base}/check`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error?.message ?? answer.statusText);
    return found;
  }
}

/** The columns one after the other, the records thinned out where they grow long. */
function joined(before, after) {
  const all = Object.fromEntries([...RECORDS, ...SCORES].map((name) => [name, [...before[name], ...after[name]]]));
  if (all.update.length <= MOST) return all;
  const kept = decimated(all.smooth, 0, all.update.length, MOST / 4);
  return { ...all, ...Object.fromEntries(RECORDS.map((name) => [name, kept.map((index) => all[name][index])])) };
}

// A value that is watched.

export class Signal {
  constructor(value) {
    this.value = value;
    this.watchers = [];
  }

  set(value) {
    this.value = value;
    this.watchers.forEach((watcher) => watcher(value));
  }

  /** Tell `watcher` the value, now and whenever it is set. */
  watch(watcher) {
    this.watchers.push(watcher);
    watcher(this.value);
  }
}

// A value that calls its watchers when it changes.

export class Signal {
  constructor(value) {
    this.value = value;
    this.watchers = [];
  }

  set(value) {
    this.value = value;
    this.watchers.forEach((watcher) => watcher(value));
  }

  /** Call `watcher` with the value now and each time that the value is set. */
  watch(watcher) {
    this.watchers.push(watcher);
    watcher(this.value);
  }
}

// Build the page from elements and text nodes: the browser never parses the text of a network as markup.

/** An element with attributes (`onclick` and other names with `on` are listeners) and children; strings become text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// The same ranges as in recurra/formatting.py, which has the reason for each.
const UNSAFE =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u206a-\u206f\u{e0001}\ufff9-\ufffb\ud800-\udfff]/u;
const INVISIBLE = /^[\p{C}\p{Zl}\p{Zp}]$/u;

/** Return true if a page might act on the character. */
export function isUnsafe(character) {
  return UNSAFE.test(character);
}

/** The escape sequence of a character. */
export function escaped(character) {
  const point = character.codePointAt(0);
  if (point < 0x100) return `\\x${point.toString(16).padStart(2, "0")}`;
  return point < 0x10000 ? `\\u${point.toString(16).padStart(4, "0")}` : `\\U${point.toString(16).padStart(8, "0")}`;
}

/** The nodes of a text: unsafe characters as escape sequences, all others unchanged. */
export function visible(text) {
  const nodes = [];
  let plain = "";
  for (const character of text) {
    if (isUnsafe(character)) {
      nodes.push(plain, element("span", { class: "control" }, escaped(character)));
      plain = "";
    } else plain += character;
  }
  return [...nodes, plain];
}

const SIGNS = { " ": "␣", "\n": "↵", "\t": "⇥" };
const NAMES = { " ": "space", "\n": "new line", "\t": "tab" };

/** A visible form of a character. */
export function sign(character) {
  return SIGNS[character] ?? (INVISIBLE.test(character) ? escaped(character) : character);
}

/** A readable name of a character. */
export function spoken(character) {
  return NAMES[character] ?? `“${sign(character)}”`;
}

/** Return a function that calls `action` once in the next frame, even if it is called several times before. */
export function once(action) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      action();
    });
  };
}

/** Call `next` until it returns false, in slices of `budget` milliseconds, so that the page remains responsive. */
export function inSlices(next, done = () => {}, budget = 12) {
  let stopped = false;
  const slice = () => {
    if (stopped) return;
    const until = performance.now() + budget;
    while (performance.now() < until) {
      if (next() === false) {
        done();
        return;
      }
    }
    requestAnimationFrame(slice);
  };
  slice();
  return () => (stopped = true);
}

let count = 0;

/** An id that is new in the page. */
export function newId() {
  count += 1;
  return `part-${count}`;
}

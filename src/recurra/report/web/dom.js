// The page is made of elements and text nodes: nothing that a network wrote is ever parsed as markup.

/** An element with attributes (`onclick` and the like are listeners), and children; strings become text. */
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

const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/u;
const KEPT = "\n\t\u200c\u200d";

/** Whether a reader would not see the character, but a page might act on it. */
export function isHidden(character) {
  return HIDDEN.test(character) && !KEPT.includes(character);
}

/** A hidden character as its escape. */
export function escaped(character) {
  const point = character.codePointAt(0);
  if (point < 0x100) return `\\x${point.toString(16).padStart(2, "0")}`;
  return point < 0x10000 ? `\\u${point.toString(16).padStart(4, "0")}` : `\\U${point.toString(16).padStart(8, "0")}`;
}

/** The text as nodes: hidden characters as signs, all else as it is. */
export function visible(text) {
  const nodes = [];
  let plain = "";
  for (const character of text) {
    if (isHidden(character)) {
      nodes.push(plain, element("span", { class: "control" }, escaped(character)));
      plain = "";
    } else plain += character;
  }
  return [...nodes, plain];
}

const SIGNS = { " ": "␣", "\n": "↵", "\t": "⇥" };
const NAMES = { " ": "space", "\n": "new line", "\t": "tab" };

/** One character so that it can be seen. */
export function sign(character) {
  return SIGNS[character] ?? (isHidden(character) ? escaped(character) : character);
}

/** One character so that it can be said. */
export function spoken(character) {
  return NAMES[character] ?? `“${sign(character)}”`;
}

/** Call `action` once in the next frame, however often the result is called before. */
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

/** Work in slices of a few milliseconds, so that the page stays alive: `next` does one piece, false ends it. */
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

/** An id that the page has not yet. */
export function newId() {
  count += 1;
  return `part-${count}`;
}

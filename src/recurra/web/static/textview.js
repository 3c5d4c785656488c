// A text with a style for each character; the reader chooses a character with the pointer or the arrow keys.
import { element, isUnsafe, escaped } from "./dom.js";

export class TextView {
  constructor(label, choose) {
    this.choose = choose;
    this.spans = [];
    this.chosen = -1;
    const attributes = { class: "page", role: "group", tabindex: 0, "aria-label": `${label}. Choose a character with the arrow keys.` };
    this.root = element("blockquote", { ...attributes, lang: "", dir: "auto", translate: "no" });
    this.root.addEventListener("click", (event) => {
      const at = this.spans.indexOf(event.target.closest("[data-at]"));
      if (at >= 0) choose(at);
    });
    this.root.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Set the characters and the style class of each. */
  set(symbols, lookOf) {
    if (symbols !== this.symbols) {
      this.symbols = symbols;
      this.spans = symbols.map(spanOf);
      this.root.replaceChildren(...this.spans);
    }
    this.looks = symbols.map((_, at) => lookOf(at));
    this.spans.forEach((span, at) => this.#dress(span, at));
  }

  /** Mark the chosen character. */
  select(at) {
    const before = this.chosen;
    this.chosen = at;
    [before, at].forEach((place) => this.spans[place] && this.#dress(this.spans[place], place));
    if (at !== before && this.spans[at]) this.#keepInView(this.spans[at]);
  }

  #dress(span, at) {
    const look = `${this.looks[at]}${at === this.chosen ? " chosen" : ""}`;
    if (span.className !== look) span.className = look;
  }

  #key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.choose(Math.min(Math.max(this.chosen + step, 0), this.spans.length - 1));
  }

  /** Scroll the text instead of the page. */
  #keepInView(span) {
    const [box, place] = [this.root.getBoundingClientRect(), span.getBoundingClientRect()];
    if (place.top < box.top) this.root.scrollTop -= box.top - place.top + 8;
    if (place.bottom > box.bottom) this.root.scrollTop += place.bottom - box.bottom + 8;
  }
}

function spanOf(symbol, at) {
  const content = isUnsafe(symbol) ? escaped(symbol) : symbol;
  return element("span", { "data-at": at }, symbol === "\n" ? "¶\n" : content);
}

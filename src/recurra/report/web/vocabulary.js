// Characters and ids: the id of a character is its place in the model's list. A model of bytes reads UTF-8.

export class Vocabulary {
  constructor(codePoints, isBytes) {
    this.isBytes = isBytes;
    this.symbols = codePoints.map((point) => String.fromCodePoint(point));
    this.ids = new Map(this.symbols.map((symbol, id) => [symbol, id]));
  }

  get size() {
    return this.symbols.length;
  }

  /** The symbol of an id; a byte that is no character by itself as its escape. */
  shown(id) {
    return this.isBytes && id > 0x7f ? `\\x${id.toString(16)}` : this.symbols[id];
  }

  /** The text in the model's own symbols: of a model of bytes one for each byte. */
  spell(text) {
    const bytes = this.isBytes ? [...new TextEncoder().encode(text)] : null;
    return bytes ? bytes.map((byte) => String.fromCharCode(byte)) : [...text];
  }

  /** The ids of what the model knows, those symbols, and the others, each once. */
  encode(text) {
    const symbols = this.spell(text);
    const known = symbols.filter((symbol) => this.ids.has(symbol));
    const unknown = [...new Set(symbols.filter((symbol) => !this.ids.has(symbol)))];
    return { ids: known.map((symbol) => this.ids.get(symbol)), symbols: known, unknown };
  }

  /** The text of ids; bytes that are no UTF-8 become U+FFFD. */
  decode(ids) {
    if (this.isBytes) return new TextDecoder().decode(new Uint8Array(ids));
    return ids.map((id) => this.symbols[id]).join("");
  }

  /** What stands, unshown, before a text that is written: a newline, else the first symbol. */
  get start() {
    return this.ids.get("\n") ?? 0;
  }
}

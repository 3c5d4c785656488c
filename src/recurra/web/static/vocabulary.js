// Characters and ids: the id of a character is its place in the model's list. A model of bytes reads UTF-8.

const CLUSTER = /[^\p{M}\u1160-\u11ff][\p{M}\u1160-\u11ff]*|[\p{M}\u1160-\u11ff]+/gu;

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
    return bytes ? bytes.map((byte) => String.fromCharCode(byte)) : [...text.replace(CLUSTER, (part) => this.#equivalent(part))];
  }

  /** The canonical equivalent with the fewest unknown symbols, as text/equivalents.py has it: `cluster` unless another is better. */
  #equivalent(cluster) {
    const unknown = (form) => [...form].filter((symbol) => !this.ids.has(symbol)).length;
    if (unknown(cluster) === 0) return cluster;
    const decomposed = cluster.normalize("NFD");
    const forms = [cluster, cluster.normalize("NFC"), decomposed, this.#composed(decomposed)];
    return forms.reduce((best, form) => (unknown(form) < unknown(best) ? form : best));
  }

  /** The text with the longest parts that are the NFD of a known symbol as that symbol. */
  #composed(decomposed) {
    this.byDecomposition ??= new Map(this.symbols.map((symbol) => [symbol.normalize("NFD"), symbol]).filter(([form, symbol]) => form !== symbol));
    const symbols = [...decomposed];
    let found = "";
    for (let at = 0; at < symbols.length; ) {
      let end = symbols.length;
      while (end > at + 1 && !this.byDecomposition.has(symbols.slice(at, end).join(""))) end -= 1;
      const part = symbols.slice(at, end).join("");
      found += this.byDecomposition.get(part) ?? part;
      at = end;
    }
    return found;
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

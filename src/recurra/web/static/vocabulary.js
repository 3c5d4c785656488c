// Characters and ids: an id is the position of a character in the vocabulary. A model of bytes reads UTF-8.

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

  /** The symbol of an id; an escape sequence for a byte above 127, which is part of a character. */
  shown(id) {
    return this.isBytes && id > 0x7f ? `\\x${id.toString(16)}` : this.symbols[id];
  }

  /** The text as symbols of the model; a model of bytes has a symbol for each byte. */
  spell(text) {
    const bytes = this.isBytes ? [...new TextEncoder().encode(text)] : null;
    return bytes ? bytes.map((byte) => String.fromCharCode(byte)) : [...text.replace(CLUSTER, (part) => this.#equivalent(part))];
  }

  /** The canonical equivalent of `cluster` with the fewest unknown symbols, as in text/equivalents.py. */
  #equivalent(cluster) {
    const unknown = (form) => [...form].filter((symbol) => !this.ids.has(symbol)).length;
    if (unknown(cluster) === 0) return cluster;
    const decomposed = cluster.normalize("NFD");
    const forms = [cluster, cluster.normalize("NFC"), decomposed, this.#composed(decomposed)];
    return forms.reduce((best, form) => (unknown(form) < unknown(best) ? form : best));
  }

  /** Compose the longest parts of a decomposed text that are the NFD of a known symbol. */
  #composed(decomposed) {
    this.byDecomposition ??= new Map(this.symbols.map((symbol) => [symbol.normalize("NFD"), symbol]).filter(([form, symbol]) => form !== symbol));
    const symbols = [...decomposed];
    let composed = "";
    for (let at = 0; at < symbols.length; ) {
      let end = symbols.length;
      while (end > at + 1 && !this.byDecomposition.has(symbols.slice(at, end).join(""))) end -= 1;
      const part = symbols.slice(at, end).join("");
      composed += this.byDecomposition.get(part) ?? part;
      at = end;
    }
    return composed;
  }

  /** The ids and symbols of the known characters of a text, and the set of its unknown characters. */
  encode(text) {
    const symbols = this.spell(text);
    const known = symbols.filter((symbol) => this.ids.has(symbol));
    const unknown = [...new Set(symbols.filter((symbol) => !this.ids.has(symbol)))];
    return { ids: known.map((symbol) => this.ids.get(symbol)), symbols: known, unknown };
  }

  /** The text of ids; bytes that are not UTF-8 become U+FFFD. */
  decode(ids) {
    if (this.isBytes) return new TextDecoder().decode(new Uint8Array(ids));
    return ids.map((id) => this.symbols[id]).join("");
  }

  /** The hidden id before a generated text: a newline, or else the first symbol. */
  get start() {
    return this.ids.get("\n") ?? 0;
  }
}

// Find words by the rules of recurra/text/words.py; a text in a script without spaces has no words.
const UNSPACED =
  "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\u2e80-\u312f\u3190-\u31ff\u3400-\u9fff" +
  "\ua000-\ua4cf\ua980-\ua9ff\uaa60-\uaadf\uf900-\ufaff\uff66-\uff9f\u{11700}-\u{1174f}\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3ffff}";
const LETTER = `(?![${UNSPACED}])[\\p{L}\\p{N}\\p{Pc}]`;
const INSIDE = `(?:(?![${UNSPACED}\u200b])[\\p{L}\\p{N}\\p{Pc}\\p{M}\\p{Cf}])*`;
const WORD = new RegExp(`${LETTER}${INSIDE}(?:['\u2019\u00b7]${LETTER}${INSIDE})*`, "gu");
const MARK = /^\p{M}/u;

/** The words of a text: [start, length] of each, in characters. */
export function wordsOf(text) {
  const spans = [];
  let [at, done] = [0, 0]; // the same position, in characters and in UTF-16 units
  for (const match of text.matchAll(WORD)) {
    at += [...text.slice(done, match.index)].length;
    const { length } = [...match[0]];
    spans.push([at, length]);
    at += length;
    done = match.index + match[0].length;
  }
  return spans;
}

/** At most the first `count` characters, without a part of a character that has combining marks. */
export function beginningOf(text, count) {
  const symbols = [...text];
  let end = Math.min(count, symbols.length);
  while (end > 0 && end < symbols.length && MARK.test(symbols[end])) end -= 1;
  return symbols.slice(0, end).join("");
}

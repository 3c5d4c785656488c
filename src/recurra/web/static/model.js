// A trained network as the browser runs it: its weights, a step forward, and how much each earlier character counted.
import { CELLS, addProduct, addTransposed } from "./cells.js";
import { Vocabulary } from "./vocabulary.js";

/** The model in an ArrayBuffer: the length of a header of JSON (uint32), the header, float32 after float32 (packed_model.py). */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const tensors = {};
  let offset = 4 + length;
  for (const [name, shape] of header.tensors) {
    const size = shape.reduce((product, side) => product * side, 1);
    tensors[name] = new Float32Array(buffer, offset, size);
    offset += 4 * size;
  }
  return new Model(header, tensors);
}

/** The bytes of base64. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0)).buffer;
}

function transposed(A, rows, columns) {
  const turned = new Float32Array(A.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) turned[column * rows + row] = A[row * columns + column];
  }
  return turned;
}

export class Model {
  constructor(header, tensors) {
    Object.assign(this, { update: header.update, name: header.name, hidden: header.hidden_size, witness: header.witness });
    this.cell = CELLS[header.cell];
    this.vocabulary = new Vocabulary(header.vocabulary, header.bytes);
    this.documentEnd = header.document_end; // null: the text is one document
    this.parameters = Object.values(tensors).reduce((sum, tensor) => sum + tensor.length, 0);
    this.layers = Array.from({ length: header.layers }, () => ({}));
    for (const [name, tensor] of Object.entries(tensors)) {
      const [place, layer, own] = name.split(".");
      if (place === "layers") this.layers[layer][own] = tensor;
    }
    // The first layer reads a column of U: in the transpose it lies in one piece.
    const first = this.layers[0];
    first.columns = transposed(first.U, first.b.length, this.vocabulary.size);
    Object.assign(this, { V: tensors.V, c: tensors.c });
  }

  /** The state before the first character: for each layer h and c, and what the step kept for the way back. */
  zeroState() {
    return this.layers.map(() => ({ h: new Float64Array(this.hidden), c: new Float64Array(this.hidden) }));
  }

  /** The state after the character `id`, from that before it; each document begins anew at the end of the one before. */
  read(before, id) {
    const state = id === this.documentEnd ? this.zeroState() : before;
    const next = [];
    this.layers.forEach((layer, index) => {
      next.push(this.cell.forward(layer, index === 0 ? id : next[index - 1].h, state[index]));
    });
    return next;
  }

  /** log p of every next character (K), in nats: o = V h + c, less log sum exp o. */
  logProbabilities(state) {
    const o = Float64Array.from(this.c);
    addProduct(o, this.V, state[state.length - 1].h);
    const most = o.reduce((a, b) => Math.max(a, b));
    const total = most + Math.log(o.reduce((sum, value) => sum + Math.exp(value - most), 0));
    return o.map((value) => value - total);
  }

  /** The states before and after each of `ids`: one more than there are ids. */
  readAll(ids, state = this.zeroState()) {
    const states = [state];
    for (const id of ids) states.push(this.read(states[states.length - 1], id));
    return states;
  }

  /** The state in which a text begins: a model of documents has read the end of one. */
  beginning() {
    const state = this.zeroState();
    return this.documentEnd === null ? state : this.read(state, this.documentEnd);
  }

  /** What the first character of a text costs, in nats: ln K, unless something stands before it. */
  firstCost(id) {
    return this.documentEnd === null ? Math.log(this.vocabulary.size) : -this.logProbabilities(this.beginning())[id];
  }

  /**
   * How much the log p of `target`, next after the last of `states` (from `readAll`), depends on each id that was
   * read: the norm of the gradient of its one-hot vector, for the last `lags` of them, the last first. What stands
   * before the document of the target counts nothing: `ids` were read.
   */
  influence(states, target, lags, ids = []) {
    const top = this.layers.length - 1;
    const g = this.logProbabilities(states[states.length - 1]).map((value) => -Math.exp(value));
    g[target] += 1;
    const zeros = () => new Float64Array(this.hidden);
    let later = this.layers.map(() => ({ dh: zeros(), dc: zeros() }));
    addTransposed(later[top].dh, this.V, g);
    const norms = [];
    for (let t = states.length - 1; t > 0 && norms.length < lags; t -= 1) {
      const begins = this.documentEnd !== null && ids[t - 1] === this.documentEnd;
      const before = begins ? this.zeroState() : states[t - 1];
      let dx = null;
      for (let index = top; index >= 0; index -= 1) {
        const { dh, dc } = later[index];
        if (index < top) dx.forEach((value, j) => (dh[j] += value));
        later[index] = this.cell.backward(this.layers[index], states[t][index], before[index], dh, dc);
        dx = later[index].dx;
      }
      norms.push(Math.sqrt(dx.reduce((sum, value) => sum + value * value, 0)));
      if (begins) break;
    }
    while (norms.length < Math.min(lags, states.length - 1)) norms.push(0);
    return norms;
  }
}

// A trained network in the browser: its weights, a forward step, and the influence of each earlier character.
import { CELLS, addProduct, addTransposed } from "./cells.js";
import { Vocabulary } from "./vocabulary.js";

/** Read a model from an ArrayBuffer in the format of packed_model.py: the header length (uint32), a JSON header, float32s. */
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

/** Decode base64 to bytes. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0)).buffer;
}

function transposed(A, rows, columns) {
  const result = new Float32Array(A.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) result[column * rows + row] = A[row * columns + column];
  }
  return result;
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
      const [group, layer, parameter] = name.split(".");
      if (group === "layers") this.layers[layer][parameter] = tensor;
    }
    // The first layer reads a column of U, which is contiguous in the transpose.
    const first = this.layers[0];
    first.columns = transposed(first.U, first.b.length, this.vocabulary.size);
    Object.assign(this, { V: tensors.V, c: tensors.c });
  }

  /** The state before the first character: h and c of each layer. */
  zeroState() {
    return this.layers.map(() => ({ h: new Float64Array(this.hidden), c: new Float64Array(this.hidden) }));
  }

  /** The state after the character `id`; the end of a document first resets the state to zero. */
  read(before, id) {
    const state = id === this.documentEnd ? this.zeroState() : before;
    const next = [];
    this.layers.forEach((layer, index) => {
      next.push(this.cell.forward(layer, index === 0 ? id : next[index - 1].h, state[index]));
    });
    return next;
  }

  /** log p of every next character (K), in nats: o - log sum exp o, with o = V h + c. */
  logProbabilities(state) {
    const o = Float64Array.from(this.c);
    addProduct(o, this.V, state[state.length - 1].h);
    const most = o.reduce((a, b) => Math.max(a, b));
    const total = most + Math.log(o.reduce((sum, value) => sum + Math.exp(value - most), 0));
    return o.map((value) => value - total);
  }

  /** The state before the first of `ids` and the state after each of them. */
  readAll(ids, state = this.zeroState()) {
    const states = [state];
    for (const id of ids) states.push(this.read(states[states.length - 1], id));
    return states;
  }

  /** The state before a text; a model of documents has first read the end of a document. */
  beginning() {
    const state = this.zeroState();
    return this.documentEnd === null ? state : this.read(state, this.documentEnd);
  }

  /** The loss of the first character of a text, in nats: ln K, except for a model of documents. */
  firstCost(id) {
    return this.documentEnd === null ? Math.log(this.vocabulary.size) : -this.logProbabilities(this.beginning())[id];
  }

  /**
   * The influence of each of the last `lags` ids on log p of `target`, the id after the last of `states` (from
   * `readAll`), the nearest first: the norm of the gradient with respect to the one-hot vector of the id. `ids` are the
   * ids that were read; those before the document of the target have influence 0.
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

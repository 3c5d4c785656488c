// The cells: one forward step, and one backward step of the gradient, with the equations of network/cells.
// A matrix is a Float32Array in row-major order; sums are in double precision.
//
//   forward(layer, x, past)             the state after x: h, c and the values that backward needs; x is the id of a
//                                       character in the first layer, otherwise h of the layer below
//   backward(layer, step, past, dh, dc) the gradients dx, dh and dc with respect to x (the one-hot vector in the first
//                                       layer) and to h and c before the step

/** y += A x, A (rows, x.length). */
export function addProduct(y, A, x) {
  const columns = x.length;
  for (let row = 0, at = 0; row < y.length; row += 1) {
    let sum = 0;
    for (let column = 0; column < columns; column += 1, at += 1) sum += A[at] * x[column];
    y[row] += sum;
  }
}

/** y += A^T x, A (x.length, y.length). */
export function addTransposed(y, A, x) {
  const columns = y.length;
  for (let row = 0, at = 0; row < x.length; row += 1) {
    const value = x[row];
    for (let column = 0; column < columns; column += 1, at += 1) y[column] += value * A[at];
  }
}

/** b + U x; the first layer reads U in column-major order. */
function inputSum(layer, x) {
  const u = Float64Array.from(layer.b);
  const rows = u.length;
  if (layer.columns) layer.columns.subarray(x * rows, (x + 1) * rows).forEach((value, row) => (u[row] += value));
  else addProduct(u, layer.U, x);
  return u;
}

/** U^T du. */
function inputGradient(layer, du) {
  const dx = new Float64Array(layer.U.length / du.length);
  if (layer.columns) addProduct(dx, layer.columns, du);
  else addTransposed(dx, layer.U, du);
  return dx;
}

/** The value of unit j that the page shows: h for most cells, tanh(c) for cells with a cell state. */
const output = (step, j) => step.h[j];
const memory = (step, j) => Math.tanh(step.c[j]);

function sigmoid(a) {
  return 1 / (1 + Math.exp(-a));
}

/** a_t = W h_{t-1} + (U x_t + b), h_t = f(a_t), with f' from h. */
function elman(f, slope, bounded) {
  return {
    bounded,
    shown: output,
    forward(layer, x, past) {
      const u = inputSum(layer, x);
      addProduct(u, layer.W, past.h);
      return { h: u.map(f), c: past.c };
    },
    backward(layer, step, past, dh, dc) {
      const du = step.h.map((h, j) => dh[j] * slope(h));
      const dhPast = new Float64Array(du.length);
      addTransposed(dhPast, layer.W, du);
      return { dx: inputGradient(layer, du), dh: dhPast, dc };
    },
  };
}

/** c_t = f c_{t-1} + i g, h_t = o tanh(c_t), from u (4 H), the rows of i, f, g, o stacked; u becomes the gates. */
function lstmStep(u, past) {
  const H = past.c.length;
  const [h, c] = [new Float64Array(H), new Float64Array(H)];
  for (let j = 0; j < H; j += 1) {
    u[j] = sigmoid(u[j]);
    u[H + j] = sigmoid(u[H + j]);
    u[2 * H + j] = Math.tanh(u[2 * H + j]);
    u[3 * H + j] = sigmoid(u[3 * H + j]);
    c[j] = u[H + j] * past.c[j] + u[j] * u[2 * H + j];
    h[j] = u[3 * H + j] * Math.tanh(c[j]);
  }
  return { h, c, u };
}

/** The gradients with respect to u and to c before `lstmStep`. */
function lstmStepBackward(step, past, dh, dc) {
  const H = dh.length;
  const [du, dcPast] = [new Float64Array(4 * H), new Float64Array(H)];
  for (let j = 0; j < H; j += 1) {
    const [i, f, g, o] = [step.u[j], step.u[H + j], step.u[2 * H + j], step.u[3 * H + j]];
    const tanh = Math.tanh(step.c[j]);
    const d = dh[j] * o * (1 - tanh * tanh) + dc[j];
    du[j] = d * g * i * (1 - i);
    du[H + j] = d * past.c[j] * f * (1 - f);
    du[2 * H + j] = d * i * (1 - g * g);
    du[3 * H + j] = dh[j] * tanh * o * (1 - o);
    dcPast[j] = d * f;
  }
  return { du, dc: dcPast };
}

const lstm = {
  bounded: true,
  shown: memory,
  forward(layer, x, past) {
    const u = inputSum(layer, x);
    addProduct(u, layer.W, past.h);
    return lstmStep(u, past);
  },
  backward(layer, step, past, dh, dc) {
    const { du, dc: dcPast } = lstmStepBackward(step, past, dh, dc);
    const dhPast = new Float64Array(dh.length);
    addTransposed(dhPast, layer.W, du);
    return { dx: inputGradient(layer, du), dh: dhPast, dc: dcPast };
  },
};

/** n = tanh(u^n + r q), q = w^n + b_n, h_t = (1 - z) n + z h_{t-1}; the rows of r, z, n are stacked. */
const gru = {
  bounded: true,
  shown: output,
  forward(layer, x, past) {
    const H = past.h.length;
    const u = inputSum(layer, x);
    const w = new Float64Array(3 * H);
    addProduct(w, layer.W, past.h);
    const [h, q] = [new Float64Array(H), new Float64Array(H)];
    for (let j = 0; j < H; j += 1) {
      u[j] = sigmoid(u[j] + w[j]);
      u[H + j] = sigmoid(u[H + j] + w[H + j]);
      q[j] = w[2 * H + j] + layer.b_n[j];
      u[2 * H + j] = Math.tanh(u[2 * H + j] + u[j] * q[j]);
      h[j] = (1 - u[H + j]) * u[2 * H + j] + u[H + j] * past.h[j];
    }
    return { h, c: past.c, u, q };
  },
  backward(layer, step, past, dh, dc) {
    const H = dh.length;
    const [du, dw, dhPast] = [new Float64Array(3 * H), new Float64Array(3 * H), new Float64Array(H)];
    for (let j = 0; j < H; j += 1) {
      const [r, z, n] = [step.u[j], step.u[H + j], step.u[2 * H + j]];
      const dn = dh[j] * (1 - z) * (1 - n * n);
      du[2 * H + j] = dn;
      du[H + j] = dh[j] * (past.h[j] - n) * z * (1 - z);
      du[j] = dn * step.q[j] * r * (1 - r);
      dw[j] = du[j];
      dw[H + j] = du[H + j];
      dw[2 * H + j] = dn * r;
      dhPast[j] = dh[j] * z;
    }
    addTransposed(dhPast, layer.W, dw);
    return { dx: inputGradient(layer, du), dh: dhPast, dc };
  },
};

/** z = sigmoid(u^z), n = u^n, h_t = (1 - z) h_{t-1} + z n; the rows of z, n are stacked. */
const mingru = {
  bounded: false,
  shown: output,
  forward(layer, x, past) {
    const H = past.h.length;
    const u = inputSum(layer, x);
    const h = new Float64Array(H);
    for (let j = 0; j < H; j += 1) {
      u[j] = sigmoid(u[j]);
      h[j] = (1 - u[j]) * past.h[j] + u[j] * u[H + j];
    }
    return { h, c: past.c, u };
  },
  backward(layer, step, past, dh, dc) {
    const H = dh.length;
    const [du, dhPast] = [new Float64Array(2 * H), new Float64Array(H)];
    for (let j = 0; j < H; j += 1) {
      const [z, n] = [step.u[j], step.u[H + j]];
      du[j] = dh[j] * (n - past.h[j]) * z * (1 - z);
      du[H + j] = dh[j] * z;
      dhPast[j] = dh[j] * (1 - z);
    }
    return { dx: inputGradient(layer, du), dh: dhPast, dc };
  },
};

/** The factors of the matrix of each round, in the order of multiplication: Q1, R2, Q3, ..., or two factors of each. */
function roundsOf(layer) {
  const rounds = [];
  for (;;) {
    const name = `${rounds.length % 2 ? "R" : "Q"}${rounds.length + 1}`;
    const factors = layer[name] ? [layer[name]] : [layer[`${name}_right`], layer[`${name}_left`]];
    if (!factors[0]) return rounds;
    rounds.push(factors);
  }
}

/** x^i = 2 sigmoid(Q^i h^{i-1}) x^{i-2} for odd i, h^i = 2 sigmoid(R^i x^{i-1}) h^{i-2} for even i, then the step of the LSTM. */
const mogrifier = {
  bounded: true,
  shown: memory,
  forward(layer, input, past) {
    let [x, h] = [input, past.h];
    if (layer.columns) {
      x = new Float64Array(layer.U.length / layer.b.length);
      x[input] = 1;
    }
    const rounds = roundsOf(layer).map((factors, number) => {
      const before = number % 2 ? h : x;
      const sources = [number % 2 ? x : h];
      for (const factor of factors) {
        const source = sources[sources.length - 1];
        const product = new Float64Array(factor.length / source.length);
        addProduct(product, factor, source);
        sources.push(product);
      }
      const scale = sources.pop().map((value) => 2 * sigmoid(value));
      const after = before.map((value, j) => value * scale[j]);
      if (number % 2) h = after;
      else x = after;
      return { factors, before, sources, scale };
    });
    const u = Float64Array.from(layer.b);
    addProduct(u, layer.U, x);
    addProduct(u, layer.W, h);
    return { ...lstmStep(u, past), rounds };
  },
  backward(layer, step, past, dh, dc) {
    const { du, dc: dcPast } = lstmStepBackward(step, past, dh, dc);
    const [dx, dhPast] = [new Float64Array(layer.U.length / du.length), new Float64Array(dh.length)];
    addTransposed(dx, layer.U, du);
    addTransposed(dhPast, layer.W, du);
    for (let number = step.rounds.length - 1; number >= 0; number -= 1) {
      const { factors, before, sources, scale } = step.rounds[number];
      const [target, source] = number % 2 ? [dhPast, dx] : [dx, dhPast];
      let dq = target.map((value, j) => value * before[j] * scale[j] * (1 - scale[j] / 2));
      for (let place = factors.length - 1; place >= 0; place -= 1) {
        const product = new Float64Array(sources[place].length);
        addTransposed(product, factors[place], dq);
        dq = product;
      }
      dq.forEach((value, j) => (source[j] += value));
      scale.forEach((value, j) => (target[j] *= value));
    }
    return { dx, dh: dhPast, dc: dcPast };
  },
};

/**
 * The cells by name; an activation other than the default follows the name. `bounded` is true if h is between -1 and 1,
 * and `shown(step, j)` is the value of unit j that the page shows.
 */
export const CELLS = {
  elman: elman(Math.tanh, (h) => 1 - h * h, true),
  elman_relu: elman((a) => (a <= 0 ? 0 : a), (h) => (h > 0 ? 1 : 0), false),
  lstm,
  gru,
  mingru,
  mogrifier,
};

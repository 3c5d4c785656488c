// A line chart. Drag, or press + and −, to zoom; press the arrow keys to read values, and 0 to show everything.
import { element, newId, once } from "./dom.js";
import { decimated, firstAtLeast, linearTicks, logTicks, makeScale } from "./scale.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { top: 20, right: 10, bottom: 20, left: 44 };
const MAX_DOTS = 60; // a line with more points has no dots
const LABEL_HEIGHT = 12; // pixels

function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export class Chart {
  /**
   * label, xName, yName   texts
   * xShown, yShown        functions from a number to a text
   * height                in pixels
   * logY                  true for a logarithmic vertical axis
   * canLogX               true if the reader can choose a logarithmic horizontal axis, which begins at `xLeast` or later
   */
  constructor(options) {
    this.options = { height: 230, xShown: String, yShown: String, logY: false, canLogX: false, xLeast: 1, ...options };
    this.series = [];
    this.rules = [];
    this.isLogX = false;
    this.zoom = null;
    this.cursor = null;
    this.width = 400;
    this.clip = newId();
    this.draw = once(() => this.#draw());
    this.#build();
  }

  /** Draw series {name, x, y, look} with ascending x, and rules {name, value} as horizontal lines. */
  set(series, rules = []) {
    this.series = series.filter((one) => one.x.length > 0);
    this.rules = rules.filter((rule) => Number.isFinite(rule.value)).sort((a, b) => b.value - a.value);
    this.draw();
  }

  #build() {
    const { label, height, canLogX } = this.options;
    const keys = "Arrow keys: read values. Plus and minus: zoom. 0: show everything.";
    this.svg = shape("svg", { role: "application", tabindex: 0, "aria-label": `${label}. ${keys}`, height, class: "plot" });
    this.readout = element("p", { class: "readout", "aria-live": "polite" });
    this.legend = element("ul", { class: "keys" });
    this.reset = element("button", { type: "button", class: "small", onclick: () => this.zoomTo(null), hidden: true }, "Show everything");
    const tools = element("div", { class: "tools" }, this.legend, this.reset);
    if (canLogX) tools.append(this.#logBox());
    this.root = element("div", { class: "chart" }, tools, this.svg, this.readout);
    this.#listen();
    new ResizeObserver(([entry]) => {
      this.width = Math.max(200, Math.floor(entry.contentRect.width));
      this.draw();
    }).observe(this.root);
  }

  #logBox() {
    const id = newId();
    const toggle = (event) => {
      this.isLogX = event.target.checked;
      this.draw();
    };
    const box = element("input", { type: "checkbox", id, onchange: toggle });
    return element("span", { class: "check" }, box, element("label", { for: id }, "logarithmic axis"));
  }

  /** Show a range of x; null for the whole range. */
  zoomTo(range) {
    const [low, high] = this.#all();
    const good = range && range[1] - range[0] > (high - low) * 1e-6;
    this.zoom = good && (range[0] > low || range[1] < high) ? [Math.max(low, range[0]), Math.min(high, range[1])] : null;
    this.reset.hidden = this.zoom === null;
    this.options.onzoom?.(this.zoom);
    this.draw();
  }

  #all() {
    const low = Math.min(...this.series.map((one) => one.x[0]));
    const high = Math.max(...this.series.map((one) => one.x[one.x.length - 1]));
    return [this.isLogX ? Math.max(low, this.options.xLeast) : low, high];
  }

  #listen() {
    let start = null;
    const place = (event) => event.clientX - this.svg.getBoundingClientRect().left;
    this.svg.addEventListener("pointerdown", (event) => {
      start = place(event);
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => {
      this.brush = start === null ? null : [start, place(event)];
      this.#point(this.x?.invert(place(event)));
    });
    const finish = (event) => {
      const range = start === null ? null : [start, place(event)].sort((a, b) => a - b);
      start = this.brush = null;
      if (range && range[1] - range[0] > 6 && this.x) this.zoomTo(range.map(this.x.invert));
      else this.draw();
    };
    this.svg.addEventListener("pointerup", finish);
    this.svg.addEventListener("pointercancel", () => (start = this.brush = null));
    this.svg.addEventListener("pointerleave", () => start === null && this.#point(null));
    this.svg.addEventListener("dblclick", () => this.zoomTo(null));
    this.svg.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    if (!this.x || event.ctrlKey || event.metaKey || event.altKey) return;
    const [left, right] = this.#sides();
    const at = this.cursor === null ? (left + right) / 2 : this.x(this.cursor);
    const step = (right - left) / 40;
    const actions = {
      ArrowLeft: () => this.#walk(at - step),
      ArrowRight: () => this.#walk(at + step),
      "+": () => this.zoomTo([at - (right - left) / 4, at + (right - left) / 4].map(this.x.invert)),
      "-": () => this.zoomTo([at - (right - left), at + (right - left)].map(this.x.invert)),
      0: () => this.zoomTo(null),
      Escape: () => this.zoomTo(null),
    };
    const action = actions[event.key === "=" ? "+" : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Move the cursor; if it leaves the visible range, scroll the range. */
  #walk(place) {
    const [left, right] = this.#sides();
    const x = this.x.invert(place);
    if (this.zoom && (place < left || place > right)) {
      const shift = x - this.x.invert(place < left ? left : right);
      const [low, high] = this.#all();
      const room = Math.min(Math.max(shift, low - this.zoom[0]), high - this.zoom[1]);
      this.zoomTo([this.zoom[0] + room, this.zoom[1] + room]);
    }
    this.#point(Math.min(Math.max(x, this.#all()[0]), this.#all()[1]));
  }

  #sides() {
    return [MARGIN.left, this.width - MARGIN.right];
  }

  /** Show the values at x below the chart. */
  #point(x) {
    this.cursor = x ?? null;
    const { xName, xShown, yShown } = this.options;
    const first = this.series[0];
    const place = first?.x[this.#nearest(first, x)];
    const values = this.series.map((one) => {
      const at = this.#nearest(one, x);
      const elsewhere = one.x[at] === place ? "" : ` (at ${xShown(one.x[at])})`;
      return `${one.name} ${yShown(one.y[at])}${elsewhere}`;
    });
    this.readout.replaceChildren(x == null || !first ? "" : `${xName} ${xShown(place)}: ${values.join(", ")}`);
    this.draw();
  }

  #nearest(one, x) {
    const at = Math.min(firstAtLeast(one.x, x), one.x.length - 1);
    return at > 0 && x - one.x[at - 1] < one.x[at] - x ? at - 1 : at;
  }

  #draw() {
    const { height } = this.options;
    this.svg.setAttribute("width", this.width);
    this.legend.replaceChildren(...this.series.map(key));
    if (!this.series.length) {
      this.svg.replaceChildren();
      return;
    }
    const range = this.zoom ?? this.#all();
    this.x = makeScale(...range, ...this.#sides(), this.isLogX);
    this.y = makeScale(...this.#heights(range), height - MARGIN.bottom, MARGIN.top, this.options.logY);
    const inner = shape("g", { "clip-path": `url(#${this.clip})` }, ...this.series.flatMap((one) => this.#line(one, range)));
    const [left, right] = this.#sides();
    const box = { x: left, y: MARGIN.top, width: right - left, height: height - MARGIN.top - MARGIN.bottom };
    const definition = shape("clipPath", { id: this.clip }, shape("rect", box));
    this.svg.replaceChildren(definition, ...this.#axes(range), inner, ...this.#rules(), ...this.#marks());
  }

  /** The range of y of the visible points, without faint lines; with the rules if the chart is not zoomed. */
  #heights(range) {
    const strong = this.series.filter((one) => one.look !== "faint");
    const values = (strong.length ? strong : this.series).flatMap((one) => {
      const [from, to] = this.#indices(one, range);
      const part = Array.from(one.y.slice(from, to)).filter(Number.isFinite);
      return part.length ? [part.reduce((a, b) => Math.min(a, b)), part.reduce((a, b) => Math.max(a, b))] : [];
    });
    if (!this.zoom) values.push(...this.rules.map((rule) => rule.value));
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (this.options.logY) return [low / 1.3, high * 1.3];
    const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
    return [low - room, high + room];
  }

  #indices(one, [low, high]) {
    const from = Math.max(0, firstAtLeast(one.x, low) - 1);
    return [from, Math.min(one.x.length, firstAtLeast(one.x, high) + 2)];
  }

  #line(one, range) {
    const kept = decimated(one.y, ...this.#indices(one, range), this.width);
    const places = kept
      .filter((index) => Number.isFinite(one.y[index]))
      .map((index) => [this.x(Math.max(one.x[index], this.isLogX ? range[0] : -Infinity)), this.y(one.y[index])].map((place) => place.toFixed(1)));
    const line = shape("polyline", { points: places.map((place) => place.join(",")).join(" "), class: `line ${one.look}` });
    const dots = one.look === "second" && places.length <= MAX_DOTS ? places : [];
    return [line, ...dots.map(([cx, cy]) => shape("circle", { cx, cy, r: 2.5, class: `dot ${one.look}` }))];
  }

  #axes(range) {
    const { height, xShown, yShown, xName, yName, logY } = this.options;
    const [left, right] = this.#sides();
    const bottom = height - MARGIN.bottom;
    const [low, high] = [this.y.invert(bottom), this.y.invert(MARGIN.top)];
    const ys = (logY ? logTicks : linearTicks)(low, high, Math.round(height / 45));
    const xs = (this.isLogX ? logTicks : linearTicks)(...range, Math.round(this.width / 90));
    return [
      ...ys.map((value) => shape("line", { x1: left, x2: right, y1: this.y(value), y2: this.y(value), class: "grid" })),
      ...ys.map((value) => shape("text", { x: left - 6, y: this.y(value) + 4, class: "tick end" }, yShown(value))),
      ...xs.map((value) => shape("text", { x: this.x(value), y: bottom + 14, class: "tick middle" }, xShown(value))),
      shape("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "axis" }),
      shape("text", { x: right, y: 10, class: "tick end" }, `${xName} →`),
      shape("text", { x: 2, y: 10, class: "tick" }, `↑ ${yName}`),
    ];
  }

  #rules() {
    const [left, right] = this.#sides();
    const [top, bottom] = [MARGIN.top, this.options.height - MARGIN.bottom];
    let free = -Infinity; // the first y with space for a label
    return this.rules.flatMap(({ name, value }) => {
      const y = this.y(value);
      if (y < top || y > bottom) return [];
      const line = shape("line", { x1: left, x2: right, y1: y, y2: y, class: "rule" });
      if (y - 3 < free) return [line];
      free = y - 3 + LABEL_HEIGHT;
      return [line, shape("text", { x: right - 2, y: y - 3, class: "tick end rule-name" }, name)];
    });
  }

  #marks() {
    const bottom = this.options.height - MARGIN.bottom;
    const marks = [];
    if (this.brush) {
      const [from, to] = [...this.brush].sort((a, b) => a - b);
      marks.push(shape("rect", { x: from, y: MARGIN.top, width: to - from, height: bottom - MARGIN.top, class: "brush" }));
    }
    if (this.cursor === null) return marks;
    const x = this.x(this.cursor);
    const dots = this.series.map((one) => {
      const at = this.#nearest(one, this.cursor);
      return shape("circle", { cx: this.x(one.x[at]), cy: this.y(one.y[at]), r: 3.5, class: `dot ${one.look}` });
    });
    return [...marks, shape("line", { x1: x, x2: x, y1: MARGIN.top, y2: bottom, class: "cursor" }), ...dots.filter((dot) => dot.getAttribute("cy") !== "NaN")];
  }
}

function key(one) {
  const line = shape("line", { x1: 0, x2: 22, y1: 5, y2: 5, class: `line ${one.look}` });
  const picture = shape("svg", { width: 22, height: 10, "aria-hidden": "true" }, line);
  return element("li", {}, picture, one.name);
}

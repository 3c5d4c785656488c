// The live page of a run: its panels, and the line to the server that fills them.
import { element, inSlices } from "./dom.js";
import { Feed, NOTHING } from "./feed.js";
import { mountPanels } from "./panels.js";
import { Passage } from "./passage.js";
import { draw, shaped, uniforms } from "./sampling.js";
import { Signal } from "./signal.js";
import { duration, percent, plural, whole } from "./words.js";

const LOST = "The line to the server is cut; trying again. What you see stays, and the panels still answer.";
const FRAME = { length: 200, seed: 1, settings: { temperature: 0.7, topK: 0, topP: 1, minP: 0 } };
const NARROW = 740; // pixels: one panel beside the other no longer
const at = (id) => document.getElementById(id);
let feed = null;
let live = null; // of the page of a training: what is shown at its end

function show(name) {
  feed?.close();
  const context = contextOf();
  context.detail = (range) => feed.detail(range);
  context.checkNow = () => feed.check();
  mountPanels(at("panels"), context);
  context.health.watch(tell);
  context.model.watch((model) => {
    at("model").replaceChildren(model ? `Model: ${model.name}` : "");
    if (model) addFrame(model, context.frames);
  });
  feed = new Feed(name, context, (connected) => {
    const farewell = connected ? null : farewellOf(context.health.value);
    at("banner").hidden = connected;
    at("banner").className = farewell ? "calm" : "";
    at("banner").replaceChildren(...(connected ? [] : (farewell ?? [LOST])));
    return farewell === null;
  });
}

/** The last words of a page whose training has ended, and its server with it; null while it should still be there. */
function farewellOf(health) {
  if (!live || !["Finished", "Stopped"].includes(health?.state)) return null;
  const next =
    health.state === "Finished"
      ? ["Finished — open the report: ", live.report, live.serve, " shows this page again."]
      : [`Stopped and saved at update ${whole(health.update)}. To go on: `, live.resume, live.serve, " shows this page again."];
  return [next[0], element("code", {}, next[1]), ". ", element("code", {}, next[2]), next[3]];
}

function contextOf() {
  const model = new Signal(null);
  return {
    model,
    metrics: new Signal(NOTHING),
    rules: new Signal([]),
    samples: new Signal([]),
    frames: new Signal([]),
    passage: new Passage(model, ""),
    check: new Signal(null),
    health: new Signal(null),
    tall: window.innerWidth > NARROW ? 480 : 260,
  };
}

/** What each checkpoint writes from the same start with the same numbers: only the network differs. */
function addFrame(model, frames) {
  const next = uniforms(FRAME.seed);
  const ids = [];
  let state = model.read(model.zeroState(), model.vocabulary.start);
  const step = () => {
    const id = draw(shaped(model.logProbabilities(state), FRAME.settings), next());
    ids.push(id);
    state = model.read(state, id);
    return ids.length < FRAME.length;
  };
  inSlices(step, () => frames.set([...frames.value, { update: model.update, temperature: FRAME.settings.temperature, text: model.vocabulary.decode(ids) }]));
}

function tell(health) {
  if (!health) return;
  const { text, cell, parameters, state, update, updates, checkpoint, checkpointEvery } = health;
  at("what").replaceChildren(text, element("span", {}, [cell, parameters && plural(parameters, "parameter")].filter(Boolean).map((word) => ` · ${word}`).join("")));
  document.title = `${text} – recurra`;
  const share = updates ? Math.min(1, update / updates) : 0;
  at("progress").hidden = !updates;
  at("progress").value = share;
  const first = checkpoint == null && checkpointEvery ? `; the first checkpoint comes after ${duration(checkpointEvery)}` : "";
  at("state").replaceChildren(state === "Training" && updates ? `Training, ${percent(share)}${first}` : state);
}

function choose(names) {
  if (names.length > 1) {
    const pick = (event) => show(event.target.value);
    const select = element("select", { "aria-label": "Run", onchange: pick }, ...names.map((name) => element("option", {}, name)));
    at("choice").replaceChildren(select);
  }
  if (names.length) show(names[0]);
  else at("state").replaceChildren("There is no run to look at: recurra serve RUN");
}

/** Where the server wants its key: it is shown once, and the browser keeps a cookie. */
function askForKey() {
  const input = element("input", { type: "password", "aria-label": "Key of this server", autocomplete: "off" });
  const note = element("span", { role: "status" });
  const log = async (event) => {
    event.preventDefault();
    const answer = await fetch("session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key: input.value }) });
    if (answer.ok) start();
    else note.replaceChildren("That is not the key.");
  };
  const form = element("form", { class: "login", onsubmit: log }, element("span", {}, "This server wants its key."), input, element("button", {}, "Show it"), note);
  at("choice").replaceChildren(form);
  at("state").replaceChildren("");
}

async function start() {
  try {
    const answer = await fetch("runs");
    if (answer.status === 401) askForKey();
    else {
      const found = await answer.json();
      live = found.live;
      choose(found.runs);
    }
  } catch {
    setTimeout(start, 1000);
  }
}

start();

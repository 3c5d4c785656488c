// The live page of a run: its panels, and the connection to the server.
import { element, inSlices } from "./dom.js";
import { Feed, NO_RECORDS } from "./feed.js";
import { mountPanels } from "./panels.js";
import { Passage } from "./passage.js";
import { draw, shaped, uniforms } from "./sampling.js";
import { Signal } from "./signal.js";
import { duration, percent, plural, whole } from "./words.js";

const LOST = "The connection to the server is lost. The page tries to connect again; its panels remain usable.";
const FRAME = { length: 200, seed: 1, settings: { temperature: 0.7, topK: 0, topP: 1, minP: 0 } };
const NARROW_PIXELS = 740; // up to this width the page has one column
const at = (id) => document.getElementById(id);
let feed = null;
let live = null; // the commands to show when the training ends, on the live page of a training

function show(name) {
  feed?.close();
  const context = contextOf();
  context.detail = (range) => feed.detail(range);
  context.checkNow = () => feed.check();
  mountPanels(at("panels"), context);
  context.health.watch(showState);
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

/** The message when the server ends with its training; null while the server should still run. */
function farewellOf(health) {
  if (!live || !["Finished", "Stopped"].includes(health?.state)) return null;
  const next =
    health.state === "Finished"
      ? ["The training is complete. Report: ", live.report, "To show this page again: ", live.serve]
      : [`The training stopped and was saved at update ${whole(health.update)}. To resume it: `, live.resume, "To show this page again: ", live.serve];
  return [next[0], element("code", {}, next[1]), ". ", next[2], element("code", {}, next[3])];
}

function contextOf() {
  const model = new Signal(null);
  return {
    model,
    metrics: new Signal(NO_RECORDS),
    rules: new Signal([]),
    samples: new Signal([]),
    frames: new Signal([]),
    passage: new Passage(model, ""),
    check: new Signal(null),
    health: new Signal(null),
    tall: window.innerWidth > NARROW_PIXELS ? 480 : 260,
  };
}

/** Generate a text with each checkpoint, from the same start and random numbers: only the network differs. */
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

function showState(health) {
  if (!health) return;
  const { text, cell, parameters, state, update, updates, checkpoint, checkpointEvery } = health;
  at("what").replaceChildren(text, element("span", {}, [cell, parameters && plural(parameters, "parameter")].filter(Boolean).map((word) => ` · ${word}`).join("")));
  document.title = `${text} – recurra`;
  const share = updates ? Math.min(1, update / updates) : 0;
  at("progress").hidden = !updates;
  at("progress").value = share;
  const first = checkpoint == null && checkpointEvery ? `; first checkpoint after ${duration(checkpointEvery)}` : "";
  at("state").replaceChildren(state === "Training" && updates ? `Training, ${percent(share)}${first}` : state);
}

function choose(names) {
  if (names.length > 1) {
    const pick = (event) => show(event.target.value);
    const select = element("select", { "aria-label": "Run", onchange: pick }, ...names.map((name) => element("option", {}, name)));
    at("choice").replaceChildren(select);
  }
  if (names.length) show(names[0]);
  else at("state").replaceChildren("This server has no run. Start it with: recurra serve RUN_DIRECTORY");
}

/** Ask for the key of the server; the browser then keeps it as a cookie. */
function askForKey() {
  const input = element("input", { type: "password", "aria-label": "Key of this server", autocomplete: "off" });
  const note = element("span", { role: "status" });
  const log = async (event) => {
    event.preventDefault();
    const answer = await fetch("session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key: input.value }) });
    if (answer.ok) start();
    else note.replaceChildren("This key is not valid.");
  };
  const form = element("form", { class: "login", onsubmit: log }, element("span", {}, "This server requires a key."), input, element("button", {}, "Log in"), note);
  at("choice").replaceChildren(form);
  at("state").replaceChildren("");
}

async function start() {
  try {
    const answer = await fetch("runs");
    if (answer.status === 401) askForKey();
    else {
      const list = await answer.json();
      live = list.live;
      choose(list.runs);
    }
  } catch {
    setTimeout(start, 1000);
  }
}

start();

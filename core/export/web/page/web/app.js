// The page: fields or a conversation, what the model says to them, and what stands in the way. Text goes in as text only.

const $ = (id) => document.getElementById(id);
const make = (tag, text = "", name = "") => Object.assign(document.createElement(tag), { textContent: text, className: name });
const show = (id, there = true) => ($(id).hidden = !there);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

let worker, settings, chats, device, target, said = "", busy = false;
const turns = [];

show("still", false);
theme();
start();

async function start() {
  try {
    const response = await fetch("tunesmith.json");
    if (!response.ok) throw new Error();
    settings = await response.json();
  } catch {
    return problem("The package is not whole", "tunesmith.json is missing or cannot be read. Copy the whole folder again.");
  }
  document.title = settings.title;
  $("title").textContent = settings.title;
  $("made").textContent = `Made with Tunesmith from ${settings.base}, in ${settings.precision}.`;
  const wanted = new URLSearchParams(location.search).get("device");
  load(["wasm", "webgpu"].includes(wanted) ? wanted : (await gpu()) ? "webgpu" : "wasm");
}

/** Whether this browser has a GPU that computes what the package needs. */
async function gpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return Boolean(adapter) && (!settings.half || adapter.features.has("shader-f16"));
  } catch {
    return false;
  }
}

function load(on, why = "") {
  device = on;
  worker?.terminate();
  show("loading");
  show("problem", false);
  $("done").removeAttribute("value");
  $("how").textContent = why;
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onerror = () => failed("The worker did not start.", "load");
  worker.onmessage = ({ data }) => {
    if (data.progress) progress(...data.progress);
    else if (data.ready) ready(data.chats);
    else if (data.piece !== undefined) write(data.piece);
    else if (data.answer) answered(data.answer, data.seconds);
    else if (data.done) finished(data);
    else if (data.error) failed(data.error, data.at);
  };
  worker.postMessage({ device });
}

function progress(loaded, total) {
  $("done").value = total ? loaded / total : 0;
  $("how").textContent = total ? `${megabytes(loaded)} of ${megabytes(total)}` : megabytes(loaded);
}

function ready(talks) {
  chats = talks;
  show("loading", false);
  $("where").textContent = device === "webgpu" ? "on the GPU (WebGPU)" : "on the processor (wasm)";
  show("where");
  if (!$("fields").childElementCount) draw();
  show("ask");
  show("talk", chats);
  $("fields").querySelector("textarea").focus();
}

function failed(message, at) {
  if (at === "ask") {
    if (chats) {
      const { content } = turns.pop(); // as if it had not been asked
      $("fields").querySelector("textarea").value ||= content;
      [...$("talk").children].slice(-2).forEach((item) => item.remove());
    }
    wait(false);
  }
  if (device === "webgpu") return load("wasm", `The GPU did not do (${message}), so the processor does.`);
  if (at === "ask") return problem("No answer", message);
  show("loading", false);
  const remedy = message.includes("web/vendor")
    ? "In this folder, run npm install --ignore-scripts, then npm start; or serve the whole folder again."
    : "Load the page again. If that does not help, look whether every file of the package is on the server (python run.py --check).";
  problem("The model cannot be loaded", message, remedy);
}

function problem(title, ...sentences) {
  show("loading", false);
  $("problem").replaceChildren(make("h2", title), ...sentences.map((sentence) => make("p", sentence)));
  show("problem");
}

// Asking

/** The form: one field for a conversation, otherwise one for each column that the prompt needs. */
function draw() {
  const reads = settings.kind === "reader";
  const names = chats ? ["Message"] : settings.fields;
  for (const name of names) {
    const area = Object.assign(make("textarea"), { name, rows: names.length > 1 ? 2 : 3, id: `field-${name}` });
    area.required = !settings.optional?.includes(name);
    const label = Object.assign(make("label", title(name)), { htmlFor: area.id });
    if (!area.required) label.append(make("span", " optional", "quiet"));
    $("fields").append(label, area);
  }
  $("go").textContent = chats ? "Send" : reads ? { feature_extraction: "Compare", token_classification: "Find" }[settings.head] ?? "Classify" : "Ask";
  $("hint").textContent = "Enter sends, Shift and Enter start a new line.";
  $("said").textContent = reads ? { feature_extraction: "How alike", token_classification: "Found" }[settings.head] ?? "Label" : "Answer";
}

$("ask").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.target.tagName !== "TEXTAREA") return;
  event.preventDefault();
  if (!busy) $("ask").requestSubmit();
});

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (busy) return;
  const areas = [...$("fields").querySelectorAll("textarea")];
  const row = Object.fromEntries(areas.map((area) => [area.name, area.value]));
  show("problem", false);
  said = "";
  if (chats) {
    turns.push({ role: "user", content: row.Message });
    turn("You", "given").textContent = row.Message;
    target = turn(settings.title, "tuned");
    areas[0].value = "";
    worker.postMessage({ row: { messages: turns } });
  } else {
    target = $("shown");
    target.replaceChildren();
    $("stats").textContent = "";
    target.className = settings.kind === "reader" ? "" : "text";
    show("answer");
    worker.postMessage({ row });
  }
  wait(true);
});

$("stop").addEventListener("click", () => worker.postMessage({ stop: true }));

$("fresh").addEventListener("click", () => {
  turns.length = 0;
  $("talk").replaceChildren();
  show("fresh", false);
  $("fields").querySelector("textarea").focus();
});

function turn(who, name) {
  const item = make("li", "", name), words = make("p", "", "text");
  item.append(make("b", who), words);
  $("talk").append(item);
  item.scrollIntoView({ block: "nearest" });
  return words;
}

function wait(on) {
  busy = on;
  $("go").disabled = on;
  show("stop", on && settings.kind !== "reader");
  show("fresh", !on && chats && turns.length > 0);
  target?.setAttribute("aria-busy", on);
}

// Answers

function write(piece) {
  said += piece;
  target.textContent = said.trimStart();
  if (chats) target.scrollIntoView({ block: "nearest" });
}

function finished({ tokens, speed, wait: before, stopped }) {
  const figures = [`${tokens} ${tokens === 1 ? "token" : "tokens"}`];
  if (speed) figures.push(`${speed.toFixed(speed < 10 ? 1 : 0)} a second`);
  figures.push(`the first after ${before.toFixed(2)} s`);
  if (stopped) figures.push("stopped");
  if (chats) {
    turns.push({ role: "assistant", content: said });
    target.parentElement.append(make("small", figures.join(" · "), "quiet"));
  } else {
    $("stats").textContent = figures.join(" · ");
  }
  if (!said.trim()) target.append(make("span", "(nothing)", "quiet"));
  wait(false);
}

function answered(answer, seconds) {
  $("stats").textContent = `${(seconds * 1000).toFixed(0)} ms`;
  if (settings.head === "feature_extraction") target.append(bar("Cosine, from -1 to 1", answer.similarity, answer.similarity.toFixed(3), true));
  else if (settings.head === "token_classification") target.append(tagged(answer));
  else {
    const sorted = Object.entries(answer.scores).sort((a, b) => b[1] - a[1]).slice(0, 12);
    target.append(...sorted.map(([label, score], i) => bar(label, score, `${(score * 100).toFixed(1)} %`, i === 0)));
  }
  wait(false);
}

function bar(label, share, figure, first) {
  const line = make("div", "", first ? "bar first" : "bar"), rail = make("span", "", "rail"), fill = make("i");
  fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  rail.append(fill);
  line.append(make("span", label), rail, make("b", figure));
  return line;
}

/** The words of a text, with each entity in it and its type behind it. */
function tagged({ words, spans }) {
  const text = make("p", "", "words");
  let at = 0;
  for (const [type, start, stop] of spans) {
    if (start > at) text.append(`${words.slice(at, start).join(" ")} `);
    const mark = make("mark", words.slice(start, stop).join(" "));
    mark.append(make("small", type));
    text.append(mark, " ");
    at = stop;
  }
  text.append(words.slice(at).join(" "));
  return text;
}

// Looks

function theme() {
  let kept = null;
  try {
    kept = localStorage.getItem("theme");
  } catch {
    // a browser that keeps nothing
  }
  const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
  $("theme").setAttribute("aria-pressed", dark);
}

$("theme").addEventListener("click", () => {
  const dark = document.documentElement.classList.toggle("dark");
  $("theme").setAttribute("aria-pressed", dark);
  try {
    localStorage.setItem("theme", dark ? "dark" : "light");
  } catch {
    // a browser that keeps nothing
  }
});

function title(name) {
  const words = name.replaceAll("_", " ").trim();
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

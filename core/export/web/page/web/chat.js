// A row as a conversation, and a conversation through a chat template, cut where training cut it (core/data/chat.py).

import { holds, isEmptyBlock, reasoned, reasoningOf, split } from "./reasoning.js";
import { SPACE, asText, first, lstrip, rstrip, strip } from "./text.js";

const ANSWER = "."; // stands where the answer will be while a prompt is rendered; it is cut off before anything is sent
// {% generation %} as a block that jinja knows, with the same white space around.
const GENERATION = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;
const plainBlock = (_, left, end, right) => `{%${left} ${end ? "endif" : "if true"} ${right}%}`;

/** A row as chat messages that end with an answer. */
export function messagesOf(row, { name, roles }, talks) {
  const cell = (role) => (role in roles ? asText(row[roles[role]]) : "");
  const asked = (content, more = {}) => ({ role: "user", content, ...more });
  let messages;
  if (talks) {
    messages = row.messages.map((m) => ({ role: m.role, content: asText(m.content) }));
  } else if (name === "alpaca") {
    const instruction = cell("instruction"), input = cell("input");
    messages = [strip(input) ? asked(`${instruction}\n\n${input}`, { instruction, input }) : asked(instruction)];
  } else if (name === "pair") {
    messages = [asked(["first", "second"].map((role) => `${title(roles[role])}: ${cell(role)}`).join("\n"))];
  } else if (name === "prompt_completion") {
    messages = [asked(strip(cell("context")) ? `${cell("context")}\n\n${cell("prompt")}` : cell("prompt"))];
  } else if (name === "preference") {
    messages = dialogue(cell("prompt")) ?? (strip(cell("prompt")) ? [asked(cell("prompt"))] : []);
    const open = messages.at(-1);
    if (open && open.role === "assistant" && open.content === "") messages.pop();
  } else {
    messages = [asked(cell("text"))];
  }
  messages.push({ role: "assistant", content: ANSWER });
  const system = cell("system");
  return strip(system) && messages[0].role !== "system" ? [{ role: "system", content: system }, ...messages] : messages;
}

export class Chat {
  /** specials: what matches any special token's text, or null. */
  constructor(settings, hints, tokenizer, specials) {
    Object.assign(this, { settings, hints, tokenizer, specials });
  }

  /** What stands before the last answer of a conversation: [{text, cuts}], earlier answers apart. */
  segments(given) {
    let messages = given;
    const system = this.settings.system ?? "";
    if (strip(system) && !messages.some((m) => m.role === "system")) {
      messages = [{ role: "system", content: asText(system) }, ...messages];
    }
    const [mark] = unused(messages, 1);
    if (this.hints.reasoning) messages = messages.map((m) => reasoned(m, this.hints.reasoning));
    messages = this.hints.system ? messages : withoutSystem(messages);
    messages = messages.map((m) =>
      Object.fromEntries(Object.entries(m).map(([key, text]) => [key, key === "role" ? text : this.#marked(text, mark)])),
    );
    const start = messages.findIndex((m) => m.role !== "system");
    const speaks = (m) => m.role === "assistant" && (strip(m.content) || reasoningOf(m)); // an empty turn is not learned
    const turns = messages.flatMap((m, i) => (i > start && speaks(m) ? [i] : []));
    if (!turns.length) throw new Error("The conversation has nothing to answer.");
    const whole = this.#written(messages);
    let spans = this.#byPrefixes(messages, whole, turns);
    const marks = /\{%-?\s*generation\s*-?%\}/.test(this.settings.chat_template);
    if (!spans && marks) spans = this.#byMarks(messages, whole, turns);
    spans ??= this.#byPrefixes(messages, whole, turns.slice(-1));
    if (!spans && (this.#isBehind(messages, whole) || this.#isApart(messages))) {
      return [cutAt(this.#written(messages.slice(0, -1), true), mark)];
    }
    if (!spans && marks) spans = this.#byMarks(messages, whole, turns, true);
    if (!spans) throw new Error("The chat template writes a conversation otherwise once an answer follows.");
    const segments = [];
    let at = 0;
    for (const [from, to] of spans) {
      if (from > at) segments.push(cutAt(whole.slice(at, from), mark));
      segments.push(cutAt(whole.slice(from, to), mark));
      at = to;
    }
    return segments.slice(0, -1);
  }

  /** What the chat template makes of messages; `block` writes what stands for its generation blocks. */
  #written(messages, prompt = false, block = plainBlock) {
    return this.tokenizer.apply_chat_template(messages, {
      chat_template: this.settings.chat_template.replace(GENERATION, block),
      tokenize: false,
      add_generation_prompt: prompt,
    });
  }

  /** The spans of answers, each between what is written up to it and what is written with it. */
  #byPrefixes(messages, whole, turns) {
    const spans = [];
    for (const i of turns) {
      const start = this.#written(messages.slice(0, i), true);
      const stop = i === messages.length - 1 ? whole : this.#written(messages.slice(0, i + 1));
      if (!whole.startsWith(stop) || !stop.startsWith(start)) return null;
      if (spans.length && start.length < spans.at(-1)[1]) return null;
      if (i < messages.length - 1 && !isSaid(messages[i], whole.slice(start.length, stop.length))) return null;
      spans.push(this.#span(whole, start.length, stop.length, messages[i]));
    }
    return spans;
  }

  /** Whether the last answer belongs behind a generation prompt that ends in more than answers begin with. */
  #isBehind(messages, whole) {
    const prompt = this.#written(messages.slice(0, -1), true), { extra } = this.hints;
    return Boolean(extra) && prompt.endsWith(extra) && whole.startsWith(prompt.slice(0, -extra.length));
  }

  /** Whether the template writes the last answer after one question as it does not after all that came before. */
  #isApart(messages) {
    try {
      const alone = [{ role: "user", content: "hello" }, messages.at(-1)], whole = this.#written(alone);
      return whole.startsWith(this.#written(alone.slice(0, 1), true)) || this.#isBehind(alone, whole);
    } catch {
      return false; // a template that refuses so short a conversation
    }
  }

  /** The spans of the template's own generation marks; the last begins behind the generation prompt, or, anyhow, at its mark. */
  #byMarks(messages, whole, turns, anyhow = false) {
    const [opening, closing] = unused(messages, 2); // around what the assistant says
    const marked = this.#written(messages, false, (_, left, end, right) =>
      end
        ? `{%${left} endif %}{{ '${closing}' }}{% endif ${right}%}`
        : `{%${left} if true %}{{ '${opening}' }}{% if true ${right}%}`,
    );
    const starts = [], stops = [];
    let text = "";
    for (const piece of marked.split(opening)) {
      const [said, rest] = piece.split(closing);
      if (rest !== undefined) starts.push(text.length);
      text += said;
      if (rest !== undefined) stops.push(text.length);
      text += rest ?? "";
    }
    const saying = messages.flatMap((m, i) => (m.role === "assistant" ? [i] : []));
    if (text !== whole || starts.length !== saying.length) return null;
    const prompt = this.#written(messages.slice(0, -1), true), behind = whole.startsWith(prompt);
    if (!behind && !anyhow) return null;
    const ends = [...starts.slice(1), whole.length];
    const spans = [];
    for (const i of turns) {
      const n = saying.indexOf(i), last = i === messages.length - 1, from = last && behind ? prompt.length : starts[n];
      if (spans.length && last && spans.at(-1)[1] > from) return null;
      if (!last && !isSaid(messages[i], whole.slice(from, ends[n]))) return null;
      const [start, stop, isEnded] = this.#span(whole, from, ends[n], messages[i]);
      spans.push([start, isEnded || last ? stop : Math.max(start, rstrip(whole.slice(0, stops[n])).length)]);
    }
    return spans;
  }

  /** The answer in whole[start:stop], up to its end token, and whether it has one. */
  #span(whole, start, stop, message) {
    const [at, words] = this.#find(whole, message.content, start, stop);
    const after = at >= 0 ? at + words.length : start;
    const last = at >= 0 ? after : start + rstrip(whole.slice(start, stop)).length;
    if (this.specials) this.specials.lastIndex = 0; // which matchAll takes over
    const ends = this.specials ? [...whole.slice(after, stop).matchAll(this.specials)] : [];
    const own = at < 0 ? (ends.find((m) => m[0] === this.hints.turn_end) ?? ends.at(-1)) : ends[0];
    return own ? [start, after + own.index + own[0].length, true] : [start, Math.max(start, last), false];
  }

  /** Where an answer's words begin, and which they are: those behind its reasoning where all are not found. */
  #find(whole, content, start, stop) {
    const from = stop - lstrip(whole.slice(start, stop)).length;
    const end = this.hints.turn_end ? whole.slice(start, stop).lastIndexOf(this.hints.turn_end) : -1;
    for (const words of [strip(content), strip((split(content) ?? ["", ""])[1])]) {
      if (!words) continue;
      if (whole.startsWith(words, from)) return [from, words];
      const found = whole.slice(start, end >= 0 ? start + end : stop).lastIndexOf(words);
      if (found >= 0) return [start + found, words];
    }
    return [-1, ""];
  }

  /** A text with a mark in each special token's text, and in what begins or ends one at its edges. */
  #marked(text, mark) {
    if (!this.specials || !text) return text;
    const places = new Set();
    for (let at = 0; ; ) {
      this.specials.lastIndex = at;
      const match = this.specials.exec(text);
      if (!match) break;
      at = match.index + first(match[0]);
      places.add(at);
    }
    for (const special of this.hints.specials) {
      const letters = [...special];
      for (let size = 2; size < letters.length; size++) {
        const beginning = letters.slice(0, size).join(""), end = letters.slice(-size).join("");
        if (text.endsWith(beginning)) places.add(text.length - beginning.length + first(beginning));
        if (text.startsWith(end)) places.add(end.length - letters.at(-1).length);
      }
    }
    const sorted = [...places].sort((a, b) => a - b);
    return [0, ...sorted].map((from, i) => text.slice(from, sorted[i] ?? text.length)).join(mark);
  }
}

/** Whether the template writes no empty block in place of the reasoning of a turn that others follow. */
function isSaid(message, own) {
  const why = reasoningOf(message);
  return !why || holds(own, why) || !isEmptyBlock(own);
}

/** A system prompt stands in front of what the user says next, where a template cannot write one. */
function withoutSystem(messages) {
  const out = [];
  let before = "";
  for (const message of messages) {
    if (message.role === "system") {
      before += `${message.content}\n\n`;
    } else if (before && message.role === "user") {
      out.push({ ...message, content: before + message.content });
      before = "";
    } else {
      out.push(message);
    }
  }
  return out;
}

/** So many private characters that no text has. */
function unused(messages, count) {
  const text = JSON.stringify(messages).toLowerCase(), found = [];
  for (let code = 0xe000; found.length < count; code++) {
    const mark = String.fromCharCode(code);
    if (!text.includes(mark) && !text.includes(`\\u${code.toString(16)}`)) found.push(mark);
  }
  return found;
}

/** A segment of marked text: the marks become cuts. */
function cutAt(text, mark) {
  const whole = text.replaceAll(`\\u${mark.charCodeAt(0).toString(16)}`, mark);
  const pieces = whole.split(mark), cuts = [];
  let at = 0;
  for (const piece of pieces.slice(0, -1)) cuts.push((at += piece.length));
  return { text: pieces.join(""), cuts };
}

/** The turns of a text with "Human:" and "Assistant:" in front of each; null where it is no such text. */
function dialogue(text) {
  if (!new RegExp(`^${SPACE}*Human:`).test(text)) return null;
  const [, ...pieces] = `\n\n${lstrip(text)}`.split(/\n\n(Human|Assistant):/);
  const turns = [];
  for (let i = 0; i < pieces.length; i += 2) {
    turns.push({ role: pieces[i] === "Human" ? "user" : "assistant", content: strip(pieces[i + 1]) });
  }
  return turns;
}

function title(column) {
  const words = strip(column.replaceAll("_", " "));
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

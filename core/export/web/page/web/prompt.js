// A row as the token ids that training made of it: the same steps as the Python beside it (tunesmith/), in its order.
//
//   const prompt = new Prompt(settings, hints, tokenizer);   // tunesmith.json, prompt.json, transformers.js's tokenizer
//   prompt.ids({ phrase: "What a day" });                    // a row: column -> text
//   prompt.ids({ messages: [{ role: "user", content: "Hello" }] });

const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"; // Python's
const LEADING = new RegExp(`^${SPACE}+`), TRAILING = new RegExp(`${SPACE}+$`);
const lstrip = (text) => text.replace(LEADING, "");
const rstrip = (text) => text.replace(TRAILING, "");
const strip = (text) => lstrip(rstrip(text));
const first = (text) => (text.codePointAt(0) > 0xffff ? 2 : 1); // the length of the first character
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

const ANSWER = "."; // stands where the answer will be while a prompt is rendered; it is cut off before anything is sent
const ANCHORS = ["\n", ".", "a", "0"];
const KEPT = 8; // a prompt is not cut below so many tokens

/** A value as it stands in a text: half a character becomes the sign for what cannot be read. */
export function asText(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/[\ud800-\udfff]/gu, "\ufffd");
}

export class Prompt {
  constructor(settings, hints, tokenizer) {
    this.settings = settings;
    this.hints = hints;
    this.tokenizer = tokenizer;
    this.layout = settings.layout ?? { name: "text", roles: {} };
    const { name, roles } = this.layout;
    this.talks =
      name === "sharegpt" || name === "messages" || (name === "preference" && ("content" in roles || !("prompt" in roles)));
    this.specials = hints.specials.length ? new RegExp(hints.specials.map(escape).join("|"), "gu") : null;
  }

  /** Whether a conversation is answered, turn by turn; otherwise the fields of one row are. */
  get chats() {
    return this.settings.template === null && this.talks;
  }

  /** The ids of what a model that writes goes on from; of what an encoder-decoder reads, with its end token. */
  ids(row) {
    let segments = this.segments(row);
    if (this.settings.kind === "rewriter") segments = this.#ended(segments);
    const ids = fit(this.#tokenise(segments), this.settings.prompt_tokens);
    return ids.length ? ids : [this.hints.start];
  }

  /** The ids of a text that is read before a label is chosen, with the tokenizer's own marks around. */
  question(row) {
    const [before, behind] = this.hints.frame;
    const room = Math.max(1, this.settings.prompt_tokens - before.length - behind.length);
    const ids = fit(this.#tokenise(this.segments(row)), room);
    return ids.length ? this.#framed(ids) : [];
  }

  /** The ids of a text that a vector is made of: over the limit it loses its end. */
  text(text) {
    const [before, behind] = this.hints.frame;
    const room = Math.max(1, this.settings.prompt_tokens - before.length - behind.length);
    const [ids] = this.#tokenise([this.#plain(asText(text))]);
    return [...before, ...ids.slice(0, room), ...behind];
  }

  /** Words as {ids, words: of each token the word that it begins, else null}, cut behind the last that fits. */
  words(words) {
    const [before, behind] = this.hints.frame;
    const room = Math.max(0, this.settings.prompt_tokens - before.length - behind.length);
    let [ids] = this.#tokenise([this.#plain(words.join(" "))]);
    const begins = ids.map(() => null);
    let end = 0, kept = 0;
    const upTo = (n, tail) => { // transformers.js tells no offsets: the tokens of a beginning end where it ends
      const [made] = this.#tokenise([this.#plain(words.slice(0, n).join(" ") + tail)]);
      return made.every((id, i) => id === ids[i]) ? made.length : null;
    };
    for (let n = 0; n < words.length; n++) {
      const start = Math.max(end, (n ? upTo(n, " ") : 0) ?? end), stop = upTo(n + 1, "") ?? end; // a space may be a token
      if (stop > room) break;
      if (stop > start) begins[start] = n;
      end = Math.max(end, stop);
      kept = n + 1;
    }
    if (kept < words.length) ids = ids.slice(0, end);
    if (!ids.length) return { ids: [], words: [], kept: 0 };
    const whole = this.#framed(ids);
    const front = whole.length - ids.length - behind.length;
    const places = [...Array(front).fill(null), ...begins.slice(0, ids.length), ...behind.map(() => null)];
    return { ids: whole, words: places, kept };
  }

  /** What is read of a row before its answer: [{text, cuts}], tokenised apart and at the cuts. */
  segments(row) {
    const { settings, hints } = this;
    if (hints.parts) return this.#filled(row);
    if (settings.chat_template) return this.#chat(this.#messages(row));
    const texts = this.#messages(row).slice(0, -1).map((m) => m.content);
    return [this.#plain(texts.filter((text) => strip(text)).join("\n"))];
  }

  #plain(text) {
    return { text, cuts: this.#cuts(text, [[0, text.length]]) };
  }

  #framed(ids) {
    const [before, behind] = this.hints.frame;
    const begun = before.every((id, i) => ids[i] === id);
    return [...(begun ? [] : before), ...ids, ...behind];
  }

  #ended(segments) {
    const end = this.hints.eos, last = segments.at(-1);
    if (!last) return [{ text: end, cuts: [] }];
    if (!last.text.endsWith(end)) last.text += end;
    return segments;
  }

  // Text templates

  #filled(row) {
    const runs = [];
    for (const [text, column, answer] of this.hints.parts) {
      if (!runs.length || runs.at(-1).answer !== answer) runs.push({ answer, text: "", spans: [] });
      const run = runs.at(-1), value = column ? asText(row[text]) : text;
      if (column && value) run.spans.push([run.text.length, run.text.length + value.length]);
      run.text += value;
    }
    for (let i = 0; i + 1 < runs.length; i++) if (runs[i + 1].answer) giveSpace(runs[i], runs[i + 1]);
    const bos = this.hints.bos;
    const opening = runs.find((run) => run.text);
    const head = bos && !(opening && this.#ownHead(opening) === bos) ? [{ text: bos, cuts: [] }] : [];
    const last = runs.findLastIndex((run) => run.answer);
    const read = runs.slice(0, last).filter((run) => run.text || run.answer);
    return [...head, ...read.map((run) => ({ text: run.text, cuts: this.#cuts(run.text, run.spans) }))];
  }

  /** The template's own special token at the very start of a text, or "". */
  #ownHead(run) {
    if (!this.specials) return "";
    this.specials.lastIndex = 0;
    const match = this.specials.exec(run.text);
    const own = match && match.index === 0 && run.spans.every(([start]) => start >= match[0].length);
    return own ? match[0] : "";
  }

  /** Where to cut a text so that no special token's text which touches a row's value is read as that token. */
  #cuts(text, spans) {
    if (!this.specials || !spans.length) return [];
    const cuts = [];
    for (let at = 0; ; ) {
      this.specials.lastIndex = at;
      const match = this.specials.exec(text);
      if (!match) return cuts;
      const start = match.index, end = start + match[0].length, size = first(match[0]);
      const touched = end - start > size && spans.some(([a, b]) => a < end && b > start);
      if (touched) cuts.push(start + size);
      at = touched ? start + size : end;
    }
  }

  // Chat templates

  /** A row as chat messages that end with an answer. */
  #messages(row) {
    const { name, roles } = this.layout;
    const cell = (role) => (role in roles ? asText(row[roles[role]]) : "");
    const asked = (content, more = {}) => ({ role: "user", content, ...more });
    let messages;
    if (this.talks) {
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

  #chat(given) {
    let messages = given;
    const system = this.settings.system ?? "";
    if (strip(system) && !messages.some((m) => m.role === "system")) {
      messages = [{ role: "system", content: asText(system) }, ...messages];
    }
    const [mark] = unused(messages, 1);
    messages = this.hints.system ? messages : withoutSystem(messages);
    messages = messages.map((m) =>
      Object.fromEntries(Object.entries(m).map(([key, text]) => [key, key === "role" ? text : this.#marked(text, mark)])),
    );
    const start = messages.findIndex((m) => m.role !== "system");
    const turns = messages.flatMap((m, i) => (i > start && m.role === "assistant" ? [i] : []));
    if (!turns.length) throw new Error("The conversation has nothing to answer.");
    const whole = this.#written(messages);
    let spans = this.#byPrefixes(messages, whole, turns);
    if (!spans && /\{%-?\s*generation\s*-?%\}/.test(this.settings.chat_template)) spans = this.#byMarks(messages, whole, turns);
    spans ??= this.#byPrefixes(messages, whole, turns.slice(-1));
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
      spans.push(this.#span(whole, start.length, stop.length, messages[i]));
    }
    return spans;
  }

  /** The spans of the template's own generation marks. */
  #byMarks(messages, whole, turns) {
    const [opening, closing] = unused(messages, 2); // around what the assistant says
    const marked = this.#written(messages, false, (_, left, end, right) =>
      end
        ? `{%${left} endif %}{{ '${closing}' }}{% endif ${right}%}`
        : `{%${left} if true %}{{ '${opening}' }}{% if true ${right}%}`,
    );
    const starts = [];
    let text = "";
    for (const piece of marked.split(opening)) {
      const [said, rest] = piece.split(closing);
      if (rest !== undefined) starts.push(text.length);
      text += said + (rest ?? "");
    }
    const saying = messages.flatMap((m, i) => (m.role === "assistant" ? [i] : []));
    if (text !== whole || starts.length !== saying.length) return null;
    const ends = [...starts.slice(1), whole.length];
    return turns.map((i) => {
      const n = saying.indexOf(i);
      return this.#span(whole, starts[n], ends[n], messages[i]);
    });
  }

  /** The answer in whole[start:stop]: without what stands before the words, up to their end token. */
  #span(whole, start, stop, message) {
    const words = strip(message.content);
    const at = this.#find(whole, words, start, stop);
    const after = at >= 0 ? at + words.length : start;
    const last = at >= 0 ? after : start + rstrip(whole.slice(start, stop)).length;
    if (at >= 0 && strip(whole.slice(start, at))) start = at; // such as an empty <think></think>: a given
    if (this.specials) {
      this.specials.lastIndex = after;
      const match = this.specials.exec(whole.slice(0, stop));
      if (match) return [start, match.index + match[0].length];
    }
    return [start, Math.max(start, last)];
  }

  #find(whole, words, start, stop) {
    if (!words) return -1;
    const from = stop - lstrip(whole.slice(start, stop)).length;
    if (whole.startsWith(words, from)) return from;
    const end = this.hints.turn_end ? whole.slice(start, stop).lastIndexOf(this.hints.turn_end) : -1;
    const found = whole.slice(start, end >= 0 ? start + end : stop).lastIndexOf(words);
    return found >= 0 ? start + found : -1;
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

  // Tokens

  /** The ids of each segment: the first text of a row as one of its own, all that follows as a continuation. */
  #tokenise(segments) {
    let begun = false;
    return segments.map(({ text, cuts }) => {
      const places = [0, ...cuts, text.length], ids = [];
      for (let i = 0; i + 1 < places.length; i++) {
        const piece = text.slice(places[i], places[i + 1]);
        if (!piece) continue;
        ids.push(...this.#encode(piece, begun));
        begun ||= piece !== this.hints.bos;
      }
      return ids;
    });
  }

  #encode(text, more) {
    const encode = (some) => this.tokenizer.encode(some, { add_special_tokens: false });
    if (!this.hints.prefixes || !more) return encode(text);
    for (const anchor of ANCHORS) { // such a tokenizer puts a space in front: not before a continuation
      const alone = encode(anchor), both = encode(anchor + text);
      if (alone.every((id, i) => both[i] === id)) return both.slice(alone.length);
    }
    return encode(text);
  }
}

// {% generation %} as a block that jinja knows, with the same white space around.
const GENERATION = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;
const plainBlock = (_, left, end, right) => `{%${left} ${end ? "endif" : "if true"} ${right}%}`;

/** The ids of all segments, at most `limit`: the middle of the longest goes first, then the earliest segments. */
function fit(tokens, limit) {
  const lengths = tokens.map((ids) => ids.length);
  const total = lengths.reduce((a, b) => a + b, 0);
  if (total <= limit) return tokens.flat();
  const least = Math.max(1, Math.min(KEPT, Math.floor(limit / 4)));
  const begin = lengths.length > 1 && lengths[0] === 1 ? 1 : 0;
  const last = lengths.length - 1, stop = last > begin ? last - 1 : last;
  const needed = lengths.map((n) => Math.min(n, least));
  let from = begin;
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  while (from < stop && begin + sum(needed.slice(from)) > limit) from++;
  const keep = lengths.map((n, i) => (i >= begin && i < from ? [0, 0] : [n, 0]));
  let over = sum(keep.map(([head]) => head)) - limit;
  const order = keep.flatMap(([head], i) => (head ? [i] : [])).sort((a, b) => lengths[b] - lengths[a]);
  for (const i of order) {
    if (over <= 0) break;
    const left = Math.max(Math.min(least, lengths[i]), lengths[i] - over);
    over -= lengths[i] - left;
    keep[i] = left < lengths[i] ? [Math.floor((left + 1) / 2), Math.floor(left / 2)] : [left, 0];
  }
  for (let i = last; i >= 0 && over > 0; i--) {
    const kept = keep[i][0] + keep[i][1], left = Math.max(0, kept - over);
    over -= kept - left;
    const head = Math.min(keep[i][0], left);
    keep[i] = [head, left - head];
  }
  return tokens.flatMap((ids, i) => {
    const [head, tail] = keep[i];
    return head + tail === ids.length ? ids : [...ids.slice(0, head), ...(tail ? ids.slice(-tail) : [])];
  });
}

/** Move the white space at the end of what is read to the front of the answer. */
function giveSpace(run, answer) {
  const kept = rstrip(run.text);
  answer.text = run.text.slice(kept.length) + answer.text;
  run.text = kept;
  run.spans = run.spans.filter(([start]) => start < kept.length).map(([a, b]) => [a, Math.min(b, kept.length)]);
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

// A row as the token ids that training made of it: the same steps as the Python beside it (tunesmith/), in its order.
//
//   const prompt = new Prompt(settings, hints, tokenizer);   // tunesmith.json, prompt.json, transformers.js's tokenizer
//   prompt.ids({ phrase: "What a day" });                    // a row: column -> text
//   prompt.ids({ messages: [{ role: "user", content: "Hello" }] });

import { Chat, messagesOf } from "./chat.js";
import { asText, escape, first, rstrip, strip } from "./text.js";

const ANCHORS = ["\n", ".", "a", "0"];
const KEPT = 8; // a prompt is not cut below so many tokens

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
    const messages = messagesOf(row, this.layout, this.talks);
    if (settings.chat_template) return new Chat(settings, hints, this.tokenizer, this.specials).segments(messages);
    const texts = messages.slice(0, -1).map((m) => m.content);
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

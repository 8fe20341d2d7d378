// Load the model of this folder and ask it: the same code in a browser and in Node.
//
//   const model = await open(transformers, new URL(".", import.meta.url).href);            // the module of transformers.js
//   for await (const piece of model.words({ phrase: "What a day" })) console.log(piece);   // a model that writes
//   await model.answer({ phrase: "What a day" });                                          // one that reads

import { Prompt } from "./prompt.js";
import { OUTSIDE, spans } from "./tags.js";
import { asText } from "./text.js";

/**
 * The model of a folder.
 *
 * @param {object} transformers the module of transformers.js.
 * @param {string} folder where tunesmith.json lies: a URL that ends in /, or in Node a path.
 * @param {object} options device: "wasm", "webgpu" or (in Node) "cpu"; read: name -> its JSON (default: fetch);
 *   onProgress: told {status, file, loaded, total} while files come in.
 */
export async function open(transformers, folder, { device, read, onProgress = null } = {}) {
  const { AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, env } = transformers;
  const get = read ?? (async (name) => (await fetch(new URL(name, folder))).json());
  const [settings, hints, config] = await Promise.all(["tunesmith.json", "web/prompt.json", "config.json"].map(get));
  env.allowRemoteModels = false; // nothing is asked of the network but this folder
  env.allowLocalModels = true;
  env.useBrowserCache = env.useFSCache = env.useWasmCache = false; // by address: another model at this one would get its files
  const path = /^https?:/.test(folder) ? `${new URL(folder).pathname}.` : folder; // an address counts as the network there
  const options = { device, dtype: settings.dtype, progress_callback: onProgress };
  const tokenizer = await AutoTokenizer.from_pretrained(path);
  const loaders = {
    writer: () => AutoModelForCausalLM.from_pretrained(path, options),
    rewriter: () => AutoModelForSeq2SeqLM.from_pretrained(path, options),
    // A model that reads needs no more than its graph: "custom" is what transformers.js calls that.
    reader: () => PreTrainedModel.from_pretrained(path, { ...options, config: { ...config, model_type: "custom" } }),
  };
  return new Asked(transformers, settings, hints, tokenizer, await loaders[settings.kind]());
}

class Asked {
  constructor(transformers, settings, hints, tokenizer, model) {
    this.prompt = new Prompt(settings, hints, tokenizer);
    Object.assign(this, { transformers, settings, tokenizer, model });
  }

  /** The tokens of the greedy answer, one by one, the end token among them. */
  async *tokens(ids, { limit = this.settings.max_new_tokens, signal } = {}) {
    const { settings, model } = this;
    if (settings.kind === "writer") limit = Math.min(limit, settings.context - ids.length);
    else if (settings.context) limit = ids.length > settings.context ? 0 : Math.min(limit, settings.context);
    if (limit < 1) throw new Error(`The prompt has ${ids.length} tokens, and this model reads ${settings.context} in all.`);
    const stream = new Stream();
    model
      .generate({
        ...this.#feeds([ids]),
        max_new_tokens: limit, do_sample: false, num_beams: 1, eos_token_id: settings.end_ids,
        streamer: stream, stopping_criteria: [(rows) => rows.map(() => signal?.aborted ?? false)],
      })
      .then(() => stream.close(), (error) => stream.close(error));
    yield* stream.items(settings.kind === "writer" ? ids.length : 1); // the prompt, or the token that an answer starts from
  }

  /** The answer as text, piece by piece; a character of several tokens comes when it is whole. */
  async *words(row, options = {}) {
    const tokens = [];
    let shown = "";
    for await (const token of this.tokens(this.prompt.ids(row), options)) {
      tokens.push(token);
      options.onToken?.(token);
      const text = this.text(tokens);
      if (text.length > shown.length && !text.endsWith("\ufffd")) {
        yield text.slice(shown.length);
        shown = text;
      }
    }
    const rest = this.text(tokens).slice(shown.length);
    if (rest) yield rest;
  }

  text(tokens) {
    return this.tokenizer.decode(tokens, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  /** What the graph says of texts that are read, of each its own rows: labels [L], tags [tokens][L], a vector [width]. */
  async outputs(many) {
    const out = await this.model(this.#feeds(many));
    const found = (out.logits ?? out.sentence_embedding).tolist();
    return many.map((ids, i) => (this.settings.head === "token_classification" ? found[i].slice(0, ids.length) : found[i]));
  }

  /** {label, score, scores}; {words, tags, spans: [[type, start, stop], ...]}; or {vectors}, of two texts with {similarity}. */
  async answer(row) {
    const { head, labels, fields } = this.settings;
    if (head === "feature_extraction") {
      const texts = fields.filter((name) => row[name] !== undefined).map((name) => this.prompt.text(row[name]));
      const vectors = [];
      for (const ids of texts) vectors.push(...(await this.outputs([ids])));
      const [one, two] = vectors;
      return two ? { similarity: one.reduce((sum, x, i) => sum + x * two[i], 0), vectors } : { vectors };
    }
    if (head === "token_classification") {
      const given = row[fields[0]], words = Array.isArray(given) ? given.map(asText) : asText(given).match(WORDS) ?? [];
      const read = this.prompt.words(words);
      if (!read.ids.length) throw new Error("There is nothing in this text that the model can read.");
      const tags = Array(words.length).fill(labels.find((label) => OUTSIDE.includes(label)) ?? "O");
      const [logits] = await this.outputs([read.ids]);
      read.words.forEach((word, i) => word !== null && (tags[word] = labels[best(logits[i])]));
      return { words, tags, spans: spans(tags) };
    }
    const ids = this.prompt.question(row);
    if (!ids.length) throw new Error("There is nothing in this text that the model can read.");
    const [logits] = await this.outputs([ids]);
    const top = Math.max(...logits), powers = logits.map((x) => Math.exp(x - top));
    const sum = powers.reduce((a, b) => a + b, 0), scores = powers.map((x) => x / sum);
    const i = best(logits);
    return { label: labels[i], score: scores[i], scores: Object.fromEntries(labels.map((label, n) => [label, scores[n]])) };
  }

  /** Token ids as the graph takes them: filled up on the right, with a mask. */
  #feeds(many) {
    const { Tensor } = this.transformers, longest = Math.max(...many.map((ids) => ids.length));
    const made = (row, value, pad) => [...row.map(value), ...Array(longest - row.length).fill(pad)];
    const tensor = (rows) => new Tensor("int64", BigInt64Array.from(rows.flat()), [many.length, longest]);
    return {
      input_ids: tensor(many.map((row) => made(row, BigInt, BigInt(this.settings.pad_id)))),
      attention_mask: tensor(many.map((row) => made(row, () => 1n, 0n))),
    };
  }
}

// A typed text as words, where training had them apart: punctuation by itself, but not within a word or a number.
const WORDS = /[\p{L}\p{N}\p{M}_\u200c\u200d]+(?:[-.,:'’][\p{L}\p{N}\p{M}_\u200c\u200d]+)*|[^\p{L}\p{N}_\s]/gu;
const best = (numbers) => numbers.reduce((at, x, i) => (x > numbers[at] ? i : at), 0);

/** What `generate` says, token by token, for whoever waits for it. */
class Stream {
  #waiting = [];
  #wake = () => {};
  #done = false;
  #error = null;

  put(value) {
    this.#waiting.push(...value[0]);
    this.#wake();
  }

  end() {}

  close(error = null) {
    this.#done = true;
    this.#error = error;
    this.#wake();
  }

  async *items(skipped) {
    for (;;) {
      while (this.#waiting.length) {
        const token = Number(this.#waiting.shift());
        if (skipped-- <= 0) yield token;
      }
      if (this.#error) throw this.#error;
      if (this.#done) return;
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}

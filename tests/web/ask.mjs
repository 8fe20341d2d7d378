// Loads packages with transformers.js in Node and answers questions about them: node ask.mjs, JSON lines in, JSON lines out.
//
//   {"folder": PATH, "rows": [row, ...], "want": "ids" | "tokens" | "answers" | "outputs" | "spans"}  ->  [one item a row]

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import * as transformers from "@huggingface/transformers";

transformers.env.useFSCache = false;
const tasks = {
  async ids({ folder, rows }) {
    // Prompts alone, without a model: from tunesmith.json, prompt.json and the tokenizer.
    const { Prompt } = await import(pathToFileURL(`${folder}/web/prompt.js`));
    const read = async (name) => JSON.parse(await readFile(`${folder}/${name}`, "utf8"));
    transformers.env.allowRemoteModels = false;
    const tokenizer = await transformers.AutoTokenizer.from_pretrained(folder);
    const settings = await read("tunesmith.json");
    const prompt = new Prompt(settings, await read("web/prompt.json"), tokenizer);
    const ways = {
      writer: (row) => prompt.ids(row),
      rewriter: (row) => prompt.ids(row),
      sequence_classification: (row) => prompt.question(row),
      feature_extraction: (row) => settings.fields.map((name) => prompt.text(row[name])),
      token_classification: (row) => prompt.words(row.words),
    };
    return rows.map(ways[settings.kind === "reader" ? settings.head : settings.kind]);
  },
  async tokens({ folder, rows }) {
    const model = await loaded(folder), out = [];
    for (const row of rows) {
      const tokens = [];
      for await (const token of model.tokens(model.prompt.ids(row))) tokens.push(token);
      out.push({ tokens, text: model.text(tokens) });
    }
    return out;
  },
  async answers({ folder, rows }) {
    const model = await loaded(folder), out = [];
    for (const row of rows) out.push(await model.answer(row));
    return out;
  },
  async spans({ folder, rows }) {
    const { spans } = await import(pathToFileURL(`${folder}/web/tags.js`));
    return rows.map(spans);
  },
  async outputs({ folder, rows }) {
    return (await loaded(folder)).outputs(rows);
  },
};

async function loaded(folder) {
  const { open } = await import(pathToFileURL(`${folder}/web/ask.js`));
  const read = async (name) => JSON.parse(await readFile(`${folder}/${name}`, "utf8"));
  return open(transformers, folder, { read });
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  try {
    console.log(JSON.stringify({ found: await tasks[asked.want](asked) }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.stack }));
  }
}

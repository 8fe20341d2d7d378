// Ask this model from Node: node sample.mjs "a text", or node sample.mjs name=value name=value. First: npm install --ignore-scripts

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { open } from "./web/ask.js";

process.env.ORT_DISABLE_TELEMETRY = "1"; // before onnxruntime is loaded: who asks this model is reported to nobody
const transformers = await import("@huggingface/transformers");

const folder = dirname(fileURLToPath(import.meta.url));
const read = async (name) => JSON.parse(await readFile(`${folder}/${name}`, "utf8"));
const model = await open(transformers, folder, { read });
const { fields, kind } = model.settings;
const given = process.argv.slice(2);
const named = given.map((word) => /^([^=]+)=(.*)$/s.exec(word)).filter((found) => found && fields.includes(found[1]));
let row = Object.fromEntries(named.map(([, name, value]) => [name, value]));
if (!named.length && model.prompt.chats) row = { messages: [{ role: "user", content: given.join(" ") }] };
else if (!named.length) row = { [fields[0]]: given.join(" ") };
if (kind === "reader") {
  const { vectors, ...answer } = await model.answer(row);
  console.log(JSON.stringify(answer, null, 2));
} else {
  for await (const piece of model.words(row)) process.stdout.write(piece);
  process.stdout.write("\n");
}

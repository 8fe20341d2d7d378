// Runs GGUF files in llama.cpp: node ask.mjs, JSON lines in and out.
//
//   {"file": PATH, "texts": [text, ...], "prompts": [[id, ...], ...], "most": N}
//     -> {"texts": [[id, ...], ...], "answers": [[id, ...], ...], "eos", "bos", "begins", "context"}

import { createInterface } from "node:readline";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const llama = await getLlama({
  gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.error, maxThreads: 1,
});

async function ask({ file, texts, prompts, most }) {
  const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
  const context = await model.createContext({ contextSize: 256, batchSize: 256, threads: 1 });
  const sequence = context.getSequence(), answers = [];
  for (const prompt of prompts) {
    await sequence.clearHistory();
    const answer = [];
    for await (const token of sequence.evaluate(prompt, { temperature: 0, repeatPenalty: false })) {
      if (answer.push(token) >= most) break;
    }
    answers.push(answer);
  }
  const { bos, eos, shouldPrependBosToken: begins } = model.tokens;
  const found = { texts: texts.map((text) => model.tokenize(text, true)), answers, bos, eos, begins };
  found.context = model.trainContextSize;
  await context.dispose();
  await model.dispose();
  return found;
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(JSON.stringify(await ask(JSON.parse(line))) + "\n");
  } catch (error) {
    process.stdout.write(JSON.stringify({ error: String(error) }) + "\n");
  }
}
process.exit(0);

// Holds the model, so that the page stays free while it computes. Told {device} once, then {row} or {stop}; tells back
// {progress}, {ready}, {piece}, {answer}, {done} and {error}.

let transformers, model, abort;

self.onmessage = async ({ data }) => {
  try {
    if (data.stop) abort?.abort();
    else if (data.row) await ask(data.row);
    else await load(data.device);
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error), at: data.row ? "ask" : "load" });
  }
};

async function load(device) {
  try {
    transformers = await import("./vendor/transformers.min.js");
  } catch {
    throw new Error("transformers.js is not in web/vendor.");
  }
  const { open } = await import("./ask.js");
  const { wasm } = transformers.env.backends.onnx;
  const runtime = `./vendor/ort-wasm-simd-threaded${device === "webgpu" ? ".asyncify" : ""}`;
  wasm.wasmPaths = { mjs: new URL(`${runtime}.mjs`, import.meta.url).href, wasm: new URL(`${runtime}.wasm`, import.meta.url).href };
  transformers.env.logLevel = 40; // errors: what else the runtime has to say is for its makers
  const files = new Map();
  model = await open(transformers, new URL("..", import.meta.url).href, {
    device,
    onProgress: ({ status, file, loaded, total }) => {
      if (status !== "progress" || !file) return;
      files.set(file, [loaded, total]);
      const sum = (n) => [...files.values()].reduce((all, pair) => all + (pair[n] || 0), 0);
      self.postMessage({ progress: [sum(0), sum(1)] });
    },
  });
  const forward = model.model.forward.bind(model.model);
  model.model.forward = async (inputs) => {
    await breath();
    return forward(inputs);
  };
  self.postMessage({ ready: model.settings, chats: model.prompt.chats });
}

async function ask(row) {
  abort = new AbortController();
  const began = performance.now();
  if (model.settings.kind === "reader") {
    const { vectors, ...answer } = await model.answer(row);
    self.postMessage({ answer, seconds: (performance.now() - began) / 1000 });
    return;
  }
  let tokens = 0, first = 0;
  const onToken = () => {
    tokens += 1;
    first ||= performance.now();
  };
  for await (const piece of model.words(row, { signal: abort.signal, onToken })) self.postMessage({ piece });
  const last = performance.now();
  self.postMessage({
    done: true, tokens, stopped: abort.signal.aborted, wait: ((first || last) - began) / 1000,
    speed: tokens > 1 ? ((tokens - 1) * 1000) / (last - first) : null,
  });
}

/** Let messages come in between two tokens: a computation in wasm gives way to nobody. */
function breath() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

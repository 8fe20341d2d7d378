// Copy transformers.js out of node_modules into web/vendor, and serve this folder on this machine: npm start [-- PORT]

import { copyFile, mkdir, stat } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(fileURLToPath(import.meta.url)), root = resolve(web, "..");
// The library, and its runtime twice: with WebGPU (asyncify), and smaller without.
const RUNTIME = ["ort-wasm-simd-threaded.asyncify", "ort-wasm-simd-threaded"].flatMap((name) => [`${name}.mjs`, `${name}.wasm`]);
const FILES = [
  "@huggingface/transformers/dist/transformers.min.js",
  ...RUNTIME.map((name) => `onnxruntime-web/dist/${name}`),
];
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
  ".json": "application/json", ".wasm": "application/wasm", ".woff2": "font/woff2",
};

async function vendor() {
  await mkdir(join(web, "vendor"), { recursive: true });
  for (const file of FILES) await copyFile(join(root, "node_modules", file), join(web, "vendor", file.split("/").at(-1)));
}

async function answer(request, response) {
  const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  const file = normalize(join(root, path.endsWith("/") ? `${path}index.html` : path));
  const found = file.startsWith(root + sep) && !file.includes(`${sep}node_modules${sep}`) ? await stat(file).catch(() => null) : null;
  if (!found?.isFile()) return response.writeHead(404).end("Not found");
  response.writeHead(200, {
    "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    "Content-Length": found.size,
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin", // both together let wasm compute in several threads
    "Cross-Origin-Embedder-Policy": "require-corp",
  });
  createReadStream(file).pipe(response);
}

try {
  await vendor();
} catch (error) {
  const here = await stat(join(web, "vendor", "transformers.min.js")).catch(() => null);
  if (!here) {
    console.error(`transformers.js is not here (${error.message}). Run: npm install --ignore-scripts`);
    process.exit(1);
  }
}
if (!process.argv.includes("--only-copy")) {
  const port = Number(process.argv[2] ?? 8000);
  const server = createServer((request, response) => answer(request, response).catch(() => response.writeHead(400).end()));
  server.on("error", (error) => {
    console.error(error.code === "EADDRINUSE" ? `Port ${port} is taken: npm start -- ${port + 1}` : error.message);
    process.exit(1);
  });
  server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
}

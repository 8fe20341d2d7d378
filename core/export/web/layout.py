"""A built package as transformers.js wants it: its folders and file names, fixed cache shapes, data files by name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from core.errors import InputError
from core.export.options import Options
from core.export.web import prompt
from core.paths import ROOT

Kind = Literal["writer", "rewriter", "reader"]
FOLDER = "onnx"
PAGE = Path(__file__).parent / "page"  # index.html and what it loads, as they are shipped
FONTS = ("atkinson-next-latin.woff2", "atkinson-next-latin-ext.woff2", "OFL.txt")
GRAPHS: dict[Kind, tuple[str, ...]] = {
    "writer": ("model.onnx",),
    "rewriter": ("encoder_model.onnx", "decoder_model_merged.onnx"),
    "reader": ("model.onnx",),
}
# What transformers.js calls a precision (its dtype), and what it puts behind a file's name for it.
DTYPES = {"fp32": "fp32", "fp16": "fp16", "int8": "q8", "int4": "q4"}
SUFFIXES = {"fp32": "", "fp16": "_fp16", "q8": "_quantized", "q4": "_q4", "q4f16": "_q4f16"}
# As the builder of onnxruntime-genai 0.18 writes it for WebGPU.
WEBGPU = {"webgpu": {"enableGraphCapture": "0", "validationMode": "basic"}}
# Weights up to so many bytes stay in the file of their graph: one request, one entry of the browser's cache. A protobuf
# file ends at 2 GB, and a browser reads each data file into one buffer, which may not be much longer everywhere.
INSIDE = 512 * 2**20
CHUNK = 2_000_000_000
# What the package's README says of it.
README = """## In a browser

```
npm install --ignore-scripts
npm start
```

opens it at an address of this machine: a page that asks the model, on the GPU where the browser has WebGPU and on the
processor (wasm) elsewhere. Both commands need Node 20 or newer. The page loads transformers.js from `web/vendor`, which
`npm start` fills, and nothing from elsewhere; after that, any web server will do. `node sample.mjs "your text"` asks
the model without a browser, and `web/ask.js`, which both call, is what to take into a page of your own. Other programs
load the folder as transformers.js loads any."""
# Greedy, and nothing that a model's own files add to it: what was compared is what runs.
GREEDY: dict[str, Any] = {
    "do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "min_length": 0,
    "forced_bos_token_id": None, "forced_eos_token_id": None,
}  # fmt: skip
# What transformers.js 4.3.1 can have write, of families that may be exported (its MODEL_FOR_..._MAPPING_NAMES). A
# model that reads is any graph to it.
WRITERS = (
    "bloom", "falcon", "gemma", "gemma2", "gemma3_text", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gptj",
    "granite", "llama", "ministral", "mistral", "mpt", "olmo", "olmo2", "opt", "phi", "phi3", "qwen2", "qwen3",
    "smollm3", "stablelm", "starcoder2",
)  # fmt: skip
REWRITERS = ("bart", "blenderbot", "blenderbot-small", "longt5", "m2m_100", "marian", "mbart", "mt5", "t5")


def check(config: Mapping[str, Any], kind: Kind, options: Options) -> None:
    """InputError where transformers.js does not know the family of a config.json, or cannot switch adapters."""
    if options.adapters:
        raise InputError(
            "transformers.js, which runs the package in a browser, cannot switch adapters. Export each run by itself, "
            "or choose another device, such as cpu.",
            "export.adapters",
        )
    known = {"writer": WRITERS, "rewriter": REWRITERS}.get(kind)
    name = str(config.get("model_type"))
    if known is not None and name not in known:
        raise InputError(
            f"transformers.js, which runs the package in a browser, does not know models of the kind {name!r}. "
            f"It knows {', '.join(known)}. Choose another device, such as cpu.",
            "export.device",
        )


def lay_out(
    staged: Path,
    kind: Kind,
    precision: str,
    settings: dict[str, Any],
    folder: Path,
    *,
    inside: int = INSIDE,
    chunk: int = CHUNK,
) -> dict[str, Any]:
    """Turn a built package into the layout of transformers.js with a page that asks it, in place.

    genai_config.json is pointed at the graph's new place, so that run.py goes on running it outside of browsers.

    Args:
        staged: holds the graphs (see GRAPHS), their data, the tokenizer's files, and genai_config.json of a writer.
        kind: what the model does. precision: as in core.export.targets.
        settings: of tunesmith.json; the form of its prompt, end_ids, pad_id and max_new_tokens are read.
        folder: of the whole model: its config.json and generation_config.json go along, unless `staged` has them.
        inside: weights up to so many bytes go into the file of their graph. chunk: the most bytes of a data file.

    Returns:
        What tunesmith.json is to say: "dtype", transformers.js's name of the precision; "half", whether numbers go in
        or out as float16 (a GPU may lack that); "graphs", where each graph lies now, by the name that it had.

    Raises:
        RuntimeError: a graph is not there. OSError: the disk is full.
    """
    import onnx

    (staged / FOLDER).mkdir(exist_ok=True)
    missing = [name for name in GRAPHS[kind] if not (staged / name).is_file()]
    if missing:
        raise RuntimeError(f"The package has no {' and no '.join(missing)}.")
    models = {name: onnx.load(staged / name, load_external_data=False) for name in GRAPHS[kind]}
    half = any(_is_half(model) for model in models.values())
    dtype = "q4f16" if half and precision == "int4" else DTYPES[precision]
    graphs, counts = dict[str, str](), dict[str, int]()
    for name, model in models.items():
        target = staged / FOLDER / name.replace(".onnx", f"{SUFFIXES[dtype]}.onnx")
        _fix_caches(model, staged)
        if count := _move(model, staged, target, inside, chunk):
            counts[target.name] = count
        target.write_bytes(model.SerializeToString(deterministic=True))
        (staged / name).unlink()
        graphs[name] = target.relative_to(staged).as_posix()
    _configure(staged, folder, settings, dtype, counts)
    if (staged / "genai_config.json").is_file():
        genai = _json(staged / "genai_config.json")
        genai["model"]["decoder"]["filename"] = graphs["model.onnx"]
        genai["model"]["decoder"]["session_options"]["provider_options"] = [WEBGPU]
        _write(staged / "genai_config.json", genai)
    shutil.copytree(PAGE, staged, dirs_exist_ok=True)
    (staged / "web" / "fonts").mkdir()
    for name in FONTS:
        shutil.copyfile(ROOT / "assets" / "fonts" / name, staged / "web" / "fonts" / name)
    _write(staged / "web" / "prompt.json", prompt.hints(settings, staged))
    return {"dtype": dtype, "half": half, "graphs": graphs}


def _is_half(model: Any) -> bool:
    """Whether numbers go in or out as float16."""
    from onnx import TensorProto

    ends = (*model.graph.input, *model.graph.output)
    return any(end.type.tensor_type.elem_type == TensorProto.FLOAT16 for end in ends)


def _fix_caches(model: Any, staged: Path) -> None:
    """Write the head's size into the shapes of the cache, where genai's builder leaves a name.

    transformers.js makes the empty cache by those shapes, and takes 0 for a name that it does not know.
    """
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.name.startswith(("past_key_values.", "present.")) and len(dims) == 4 and dims[3].dim_param:
            dims[3].dim_value = int(_json(staged / "genai_config.json")["model"]["decoder"]["head_size"])


# Weights


def _move(model: Any, staged: Path, target: Path, inside: int, chunk: int) -> int:
    """Take the weights along: into the graph, or into files named as transformers.js asks for them; how many files."""
    tensors = sorted(_outside(model), key=lambda t: (_entry(t, "location"), int(_entry(t, "offset"))))
    if not tensors:
        return 0
    files = list(dict.fromkeys(_entry(tensor, "location") for tensor in tensors))
    size = sum(int(_entry(tensor, "length")) for tensor in tensors)
    names = _names(target)
    if size <= inside:
        import onnx

        onnx.load_external_data_for_model(model, str(staged))
        count = 0
    elif len(files) == 1 and (staged / files[0]).stat().st_size <= chunk:
        for tensor in tensors:
            _point(tensor, target.name + "_data", int(_entry(tensor, "offset")))
        os.replace(staged / files[0], target.with_name(next(names)))
        return 1
    else:
        count = _deal(tensors, staged, target, chunk)
    for file in files:
        (staged / file).unlink()
    return count


def _deal(tensors: list[Any], staged: Path, target: Path, chunk: int) -> int:
    """Copy tensors into as many files of at most `chunk` bytes as they need (one tensor is never split)."""
    names, used = _names(target), 0
    sink = None
    count = 0
    try:
        for tensor in tensors:
            length = int(_entry(tensor, "length"))
            if sink is None or used + length > chunk:
                if sink is not None:
                    sink.close()
                name, used, count = next(names), 0, count + 1
                sink = open(target.with_name(name), "wb")  # noqa: SIM115
            with open(staged / _entry(tensor, "location"), "rb") as source:
                source.seek(int(_entry(tensor, "offset")))
                for start in range(0, length, 2**24):
                    sink.write(source.read(min(2**24, length - start)))
            _point(tensor, name, used)
            used += length
    finally:
        if sink is not None:
            sink.close()
    return count


def _names(target: Path) -> Iterator[str]:
    """Names of data files as transformers.js counts them: model.onnx_data, model.onnx_data_1, ..."""
    yield f"{target.name}_data"
    number = 1
    while True:
        yield f"{target.name}_data_{number}"
        number += 1


def _outside(model: Any) -> list[Any]:
    from onnx import TensorProto

    return [tensor for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]


def _entry(tensor: Any, key: str) -> str:
    return str(next((e.value for e in tensor.external_data if e.key == key), "0"))


def _point(tensor: Any, location: str, offset: int) -> None:
    length = _entry(tensor, "length")
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", str(offset)), ("length", length)):
        tensor.external_data.add(key=key, value=value)


# Configs


def _configure(staged: Path, folder: Path, settings: dict[str, Any], dtype: str, counts: dict[str, int]) -> None:
    """config.json and generation_config.json: what was compared is what runs, and nothing of this machine."""
    config = _given("config.json", staged, folder)
    config.pop("_name_or_path", None)
    config["transformers.js_config"] = {"dtype": dtype} | ({"use_external_data_format": counts} if counts else {})
    _write(staged / "config.json", config)
    if "end_ids" in settings:
        given = config | _given("generation_config.json", staged, folder)
        given |= {"decoder_start_token_id": settings.get("start_id", given.get("decoder_start_token_id"))}
        kept = {name: given[name] for name in ("bos_token_id", "decoder_start_token_id") if given.get(name) is not None}
        ends = {"eos_token_id": settings["end_ids"], "pad_token_id": settings["pad_id"]}
        _write(staged / "generation_config.json", kept | ends | GREEDY)


def _given(name: str, *folders: Path) -> dict[str, Any]:
    """A file of the first folder that has it."""
    return next((_json(folder / name) for folder in folders if (folder / name).is_file()), {})


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")

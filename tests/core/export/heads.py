"""Runs of models that read, as training leaves them, but without any: random weights, a random head, an adapter."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer

from core.config import build
from core.methods import method
from core.models.heads import LABEL, TAGS, VECTOR, Head
from core.models.load import BASE_NOTE, copy_companions, fingerprint, load_base
from core.runs import store
from core.runs.files import write_json
from core.runs.store import Run
from tests import factory

TASKS = {LABEL: "classification", TAGS: "extraction", VECTOR: "similarity"}
NAMES = {LABEL: ["angry", "calm", "joyful", "sad"], TAGS: ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"], VECTOR: []}
# What the encoders that tests/factory.py does not make need besides the sizes that all share.
ENCODERS: dict[str, dict[str, Any]] = {
    "roberta": {"max_position_embeddings": 514, "type_vocab_size": 1},
    "modernbert": {"max_position_embeddings": 512, "local_attention": 16, "global_attn_every_n_layers": 2},
    "electra": {"max_position_embeddings": 512, "embedding_size": 64},
    "albert": {"max_position_embeddings": 512, "embedding_size": 32},
    "mpnet": {"max_position_embeddings": 514},
    "xlm-roberta": {"max_position_embeddings": 514, "type_vocab_size": 1},
    "deberta-v2": {
        "max_position_embeddings": 512, "relative_attention": True, "pos_att_type": ["p2c", "c2p"],
        "type_vocab_size": 0,
    },
}  # fmt: skip


def model_of(family: str, folder: Path) -> Path:
    """A tiny random model of a family: of tests/factory.py or of ENCODERS."""
    if family in factory.FAMILIES:
        return factory.tiny_model(family, folder)
    factory.write_tokenizer(folder, "wordpiece")
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id
    named = {f"{name}_token_id": ids(token) for name, token in (("pad", "[PAD]"), ("cls", "[CLS]"), ("sep", "[SEP]"))}
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {"vocab_size": 400, "bos_token_id": ids("[CLS]"), "eos_token_id": ids("[SEP]")}
    config = transformers.AutoConfig.for_model(family, **(sizes | named | more | ENCODERS[family]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    return folder


def rows_of(head: Head, count: int = 40) -> list[dict[str, Any]]:
    """Rows for a head."""
    tones = factory.tone_rows(count)
    if head is LABEL:
        return [{"text": row["phrase"], "label": row["tone"]} for row in tones]
    if head is VECTOR:
        pairs = itertools.islice(itertools.combinations(tones, 2), 0, 7 * count, 7)
        return [
            {"sentence1": a["phrase"], "sentence2": b["phrase"], "score": n % 4 + 2 * (a["tone"] == b["tone"])}
            for n, (a, b) in enumerate(pairs)
        ]
    people, places = ["Ada Lovelace", "Zoë", "Ben Okri"], ["Ghent", "New York"]
    made = []
    for i in range(count):
        person, place = people[i % 3].split(), places[i % 2].split()
        words = [*person, "lives", "in", *place, "." if i % 4 else "again"]
        tags = ["B-PER", *["I-PER"] * (len(person) - 1), "O", "O", "B-LOC", *["I-LOC"] * (len(place) - 1), "O"]
        made.append({"tokens": words, "ner_tags": tags})
    return made


def run_of(base: Path, head: Head, way: str = "full", *, folder: Path, **data: Any) -> Run:
    """A finished run in the folder of runs. folder: for its rows. data: settings beside path, length and validation."""
    rows = factory.write_jsonl(folder / f"{head.name}.jsonl", rows_of(head))
    config = build(
        {
            "task": TASKS[head],
            "model": {"path": str(base)} | ({} if head is VECTOR else {"head": "task"}),
            "data": {"path": str(rows), "max_tokens": 64, "validation": 0.4} | data,
            "method": {"name": way},
        }
    )
    run = store.create(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model: Any = load_base(str(base), head=head, labels=NAMES[head])
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and ("classifier" in name or "score" in name):
                torch.nn.init.normal_(parameter, std=1.0)  # an untrained head says nearly the same of everything
        if way != "full":
            model = method(way).prepare(model, config.method, str(base), None, head)
            for name, parameter in model.named_parameters():
                if "lora_B" in name or "bottleneck_up" in name:
                    torch.nn.init.normal_(parameter, std=0.1)
    out = run.dir / "model"
    if way == "full":
        model.save_pretrained(out)
    else:
        method(way).save(model, out)
        note = {"path": str(base), "revision": None, "fingerprint": fingerprint(str(base)), "quantization": None}
        write_json(out / BASE_NOTE, note | {"head": head.name, "labels": NAMES[head]})
    copy_companions(str(base), None, out)
    write_json(run.dir / "state.json", json.loads((run.dir / "state.json").read_text()) | {"state": "done"})
    return run

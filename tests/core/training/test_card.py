"""The model card says what it is, and its Python loads it."""

import re
import warnings

import pytest
import torch
import yaml

from core.config import METHODS, build
from core.methods import method
from core.models.heads import CAUSAL, LABEL, TAGS, VECTOR
from core.models.load import copy_companions, fingerprint, load_base, precision
from core.runs.files import write_json
from core.runs.store import Run
from core.training.card import OURS, card

IDS = torch.arange(5, 21).unsqueeze(0)
FACTS = {
    "data": {"train_rows": 36, "validation_rows": 4, "trained_tokens": 99, "path": "r.jsonl", "fingerprint": "f" * 64},
    "parameters": {"all": 1000, "trained": 10}, "train_loss": 1.5, "validation_loss": 1.25,
    "weights_step": 4, "max_steps": 6, "why": "the lowest validation loss",
}  # fmt: skip


class Learned:
    """As much of an objective as the card asks for."""

    def __init__(self, head, labels=()):
        self.head, self.labels = head, list(labels)


def written(folder, name, base, learned, task="generation"):
    config = build(
        {"task": task, "model": {"path": str(base)}, "data": {"path": "rows.jsonl"}, "method": {"name": name}}
    )
    return config, card(Run(folder), config, learned, FACTS, precision())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("head", [CAUSAL, LABEL])
def test_its_python_loads_it(tiny_llama, tmp_path, name, head):
    """The lines of the card, run as they stand: the model answers as the one that was saved."""
    learned = Learned(head, () if head is CAUSAL else "abc")
    config, text = written(tmp_path, name, tiny_llama, learned, "generation" if head is CAUSAL else "classification")
    way, on = method(name), precision()
    quantization = way.quantization(config.method, on)
    torch.manual_seed(0)
    model = load_base(str(tiny_llama), head=head, labels=learned.labels, quantization=quantization)
    if head is LABEL:
        model.config.pad_token_id = 0
    model = way.prepare(model, config.method, str(tiny_llama), None, head).eval()
    for key, parameter in model.named_parameters():
        if parameter.requires_grad and name != "full" and "lora_A" not in key:
            torch.nn.init.normal_(parameter, std=0.3)
    way.save(model, tmp_path)
    copy_companions(str(tiny_llama), None, tmp_path)
    if name != "full":
        note = {"fingerprint": fingerprint(str(tiny_llama)), "head": head.name, "labels": learned.labels}
        write_json(tmp_path / "base.json", note | {"quantization": quantization})
    names = {"FOLDER": str(tmp_path), "BASE": str(tiny_llama)}
    torch.manual_seed(99)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT's own, of transformers
        exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)
    with torch.no_grad():
        said, want = names["model"].eval()(IDS).logits, model(IDS).logits
    bf16 = 1e-2 if name == "qlora" else 0  # what bitsandbytes does by itself on some processors: core.models.quantize
    torch.testing.assert_close(said, want, atol=bf16, rtol=0)
    assert len(names["tokenizer"]) > 10
    assert ("From the folder of Tunesmith" in text) == (name in OURS)


@pytest.mark.parametrize(
    ("head", "task", "tag"),
    [
        (CAUSAL, "summarization", "text-generation"),
        (TAGS, "extraction", "token-classification"),
        (VECTOR, "similarity", "sentence-similarity"),
    ],
)
def test_the_hub_can_read_it(tiny_llama, tmp_path, head, task, tag):
    _, text = written(tmp_path, "lora", tiny_llama, Learned(head), task)
    front = yaml.safe_load(text.split("---")[1])
    assert front["pipeline_tag"] == tag and front["library_name"] == "peft" and front["tags"] == ["tunesmith", "lora"]
    assert ("nats a token" in text) == ("were answers" in text) == head.writes
    assert head.auto in text and "1.2500" in text

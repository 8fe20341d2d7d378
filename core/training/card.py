"""The model card: what was tuned on what, how well, and the few lines of Python that load it."""

from __future__ import annotations

from typing import Any

from core import config as configs
from core.config import RunConfig
from core.methods import method
from core.models.catalog import read_config
from core.models.heads import CAUSAL, LABEL, SEQ2SEQ, TAGS, VECTOR, Head, class_name
from core.models.load import Precision
from core.models.tokenizer import model_folder
from core.runs.store import Run, describe_config
from core.tasks.objective import Objective

# What the Hub calls it: https://huggingface.co/docs/hub/models-tasks
PIPELINES = {
    CAUSAL: "text-generation",
    SEQ2SEQ: "text2text-generation",
    LABEL: "text-classification",
    TAGS: "token-classification",
    VECTOR: "sentence-similarity",
}
# Methods whose files PEFT by itself cannot open, or does not compute with as was trained.
OURS = {
    "adapter": "PEFT by itself does not know adapters of this kind: only Tunesmith loads them.",
    "prompt": "PEFT opens the files, but treats the vectors otherwise in a batch: load them with Tunesmith.",
}


def card(run: Run, config: RunConfig, objective: Objective, facts: dict[str, Any], on: Precision) -> str:
    """The text of README.md, with the front matter that the Hugging Face Hub reads.

    Args:
        objective: what was learned. facts: data, losses, steps, parameters. on: what it was trained in.
    """
    data, head, name = facts["data"], objective.head, config.method.name
    losses = [f"| training | {facts['train_loss']:.4f} |"] if facts.get("train_loss") is not None else []
    for what, key in (("validation, base model", "base_validation_loss"), ("validation, tuned", "validation_loss")):
        if facts.get(key) is not None:
            losses.append(f"| {what} | {facts[key]:.4f} |")
    answers = f"{data['trained_tokens']:,} tokens were answers; " if head.writes else ""
    return "\n".join(
        [
            "---",
            f"base_model: {config.model.path}",
            f"library_name: {'transformers' if name == 'full' else 'peft'}",
            f"pipeline_tag: {PIPELINES[head]}",
            f"tags: [tunesmith, {name}]",
            "---",
            "",
            f"# {describe_config(config)}",
            "",
            f"`{config.model.path}`, tuned for {config.task} with Tunesmith (run `{run.id}`): it {head.label}.",
            f"Of {facts['parameters']['all']:,} parameters {facts['parameters']['trained']:,} were trained, on "
            f"{data['train_rows']:,} rows of `{data['path']}` (SHA-256 `{data['fingerprint'][:16]}…`), of which "
            f"{answers}{data['validation_rows']:,} rows were kept back.",
            f"These are the weights of step {facts['weights_step']:,} of {facts['max_steps']:,}: {facts['why']}.",
            "",
            f"| loss{' (nats a token)' if head.writes else ''} | |",
            "|---|---|",
            *losses,
            "",
            "Nothing it says was checked beyond these rows. It has the limits of its base model, and its licence.",
            "",
            "## Use",
            "",
            *([OURS[name] + " From the folder of Tunesmith:", ""] if name in OURS else []),
            "```python",
            *_loading(config, head, objective.labels, on),
            *(["# the vector of a text: the mean of last_hidden_state over its tokens"] if head is VECTOR else []),
            "```",
            "",
            "## Settings",
            "",
            "```yaml",
            configs.dumps(config).rstrip(),
            "```",
            "",
        ]
    )


def _loading(config: RunConfig, head: Head, labels: list[str], on: Precision) -> list[str]:
    """The lines of Python that load it; FOLDER is where this card lies, BASE the base model."""
    name = config.method.name
    if name in OURS:
        return ["from core.models.load import load_run", "model, tokenizer = load_run(FOLDER)"]
    tokenizer = "tokenizer = PreTrainedTokenizerFast.from_pretrained(FOLDER)"
    path, revision = config.model.path, config.model.revision
    auto = class_name(head, read_config(path, model_folder(path, revision)))
    if name == "full":
        imports = f"from transformers import {auto}, PreTrainedTokenizerFast"
        return [imports, f"model = {auto}.from_pretrained(FOLDER)", tokenizer]
    quantization = method(name).quantization(config.method, on)
    classes = [auto, "BitsAndBytesConfig"] if quantization else [auto]
    more = f", num_labels={len(labels)}" if labels and head in (LABEL, TAGS) else ""
    more += ", quantization_config=BitsAndBytesConfig(**quantization)" if quantization else ""
    return [
        "from peft import PeftModel",
        f"from transformers import {', '.join(classes)}, PreTrainedTokenizerFast",
        *([f"quantization = {quantization!r}"] if quantization else []),
        f"base = {auto}.from_pretrained(BASE{more})",
        "model = PeftModel.from_pretrained(base, FOLDER)",
        tokenizer,
    ]

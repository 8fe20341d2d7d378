"""Write docs/models.md from the catalogue (core/models/catalog_table.py): python -m docs.make."""

from __future__ import annotations

from pathlib import Path

from core.models.catalog_table import CATALOGUE, Entry

TARGET = Path(__file__).parent / "models.md"

BEGINNING = """# Models

<!-- Written by `make docs` from core/models/catalog_table.py: change a model there, not here. -->

Any model in a folder or on the Hugging Face Hub can be tuned that transformers knows, with its weights as safetensors
and its tokenizer as tokenizer.json; code that a model brings is never run. These are known to suit. None was fetched
for this table: sizes marked ✓ were compared with a published copy of the model's config.json or with the defaults of
transformers, the others are from the model cards, and a test builds each model from its sizes and counts its weights.
Read a licence before you rely on it: what stands here is what its card says, in a few words.

A gated model asks you to accept its terms on its page on the Hub first; then a token of that account is needed:
`HF_TOKEN` where Tunesmith runs, or typed into the page, which passes it to the job and writes it nowhere. A run takes
the commit that the model's revision means when it begins, writes it into environment.json, and keeps to it when it is
resumed, evaluated or exported. On the page each model is marked by what fits this machine: full, LoRA and QLoRA,
predicted for rows of 512 tokens, one in a batch. On a CPU a base in 4 bits saves no memory, so there QLoRA is marked
as LoRA is.

"""


def document() -> str:
    """The whole page."""
    kinds = {
        "Models that write": [e for e in CATALOGUE if e.tasks[0] == "generation"],
        "Models that read, then write": [e for e in CATALOGUE if e.tasks[0] == "summarization"],
        "Models that read": [e for e in CATALOGUE if e.tasks[0] in ("classification", "similarity")],
    }
    parts = [BEGINNING]
    parts += [f"## {title}\n\n{_table(entries)}\n" for title, entries in kinds.items()]
    parts.append("".join(f"`{e.id}`: {e.needs}\n" for e in CATALOGUE if e.needs))
    return "".join(parts)


def _table(entries: list[Entry]) -> str:
    rows = ["| Model | Parameters | Context | Licence | Commercial use | Gated | Template | Sizes |", "|" + "---|" * 8]
    for e in entries:
        use = {"yes": "yes", "conditions": "with conditions", "no": "no"}[e.commercial]
        template = "its own" if e.chat_template else f"`{e.template}`" if e.template else "none needed"
        cells = [f"`{e.id}`", _millions(e.parameters), f"{e.context:,}", e.licence, f"{use}: {e.terms}"]
        cells += ["yes" if e.gated else "no", template, "✓" if e.confirmed else "from the card"]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _millions(count: int) -> str:
    return f"{count / 1e9:.2f} B" if count >= 999_500_000 else f"{count / 1e6:.0f} M"

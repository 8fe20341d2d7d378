"""Runs that look tuned: a random model (and an adapter on it) in a run directory, without any training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import factory


@pytest.fixture
def tuned_run(tmp_path: Path, runs_dir: Path) -> Callable[..., Any]:
    """A function that makes a finished run on tone rows: `tuned_run(base, method="lora", **data settings)`."""

    def make(base: Path, method: str = "lora", evaluation: dict[str, Any] | None = None, **data: Any) -> Any:
        import torch

        from core.config import build
        from core.methods import lora
        from core.models.load import copy_companions, load_base
        from core.runs import store
        from core.runs.files import write_json

        rows = factory.write_jsonl(tmp_path / "rows.jsonl", factory.tone_rows(40))
        settings = {"path": str(rows), "template": "### Phrase: {phrase}\n### Tone: {tone}", "max_tokens": 64} | data
        config = build(
            {
                "task": "generation" if settings["template"] is None else "classification",
                "model": {"path": str(base)},
                "data": settings,
                "method": {"name": method},
                "evaluation": {"max_new_tokens": 8} | (evaluation or {}),
            }
        )
        run = store.create(config)
        model = load_base(str(base))
        if method == "lora":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                model = lora.prepare(model, config.method, str(base), None)  # type: ignore[arg-type]
                for name, parameter in model.named_parameters():
                    if "lora_B" in name:
                        torch.nn.init.normal_(parameter, std=0.05)
            lora.save(model, run.dir / "model")
            copy_companions(str(base), None, run.dir / "model")
        else:
            model.save_pretrained(run.dir / "model")
            copy_companions(str(base), None, run.dir / "model")
        write_json(run.dir / "state.json", json.loads((run.dir / "state.json").read_text()) | {"state": "done"})
        return run

    return make


# Models that read a text and then write; made once a session, since a trace takes its time


@pytest.fixture(scope="session")
def rewriter_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 whose answers hang on what was read: the decoder looks five times as hard at it."""
    from core.models.heads import SEQ2SEQ
    from core.models.load import load_base

    folder = tmp_path_factory.mktemp("models") / "t5"
    factory.tiny_model("t5", folder, kind="unigram", chat=None, num_layers=1, num_decoder_layers=1)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"eos_token": "</s>"}), encoding="utf-8")
    model = load_base(str(folder), head=SEQ2SEQ)
    for name, parameter in model.named_parameters():
        if "EncDecAttention" in name:
            parameter.data *= 5
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def exported_rewriter(
    rewriter_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, dict[str, Any], Path]:
    """(run, report, package) of a LoRA drawn by chance, in float32."""
    import torch

    from core.config import build
    from core.export.make import make
    from core.export.options import Options
    from core.methods import lora
    from core.models.heads import SEQ2SEQ
    from core.models.load import copy_companions, load_base
    from core.runs import store
    from core.runs.files import write_json

    rows = factory.write_jsonl(tmp_path_factory.mktemp("rows") / "rows.jsonl", factory.tone_rows(40))
    config = build(
        {
            "task": "classification",
            "model": {"path": str(rewriter_base)},
            "data": {"path": str(rows), "template": "{phrase}[[{tone}]]", "max_tokens": 64},
            "evaluation": {"max_new_tokens": 8},
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_RUNS", str(tmp_path_factory.mktemp("runs")))
        run = store.create(config)
        model = load_base(str(rewriter_base), head=SEQ2SEQ)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            tuned = lora.prepare(model, config.method, str(rewriter_base), None, SEQ2SEQ)  # type: ignore[arg-type]
            for parameter in tuned.parameters():
                if parameter.requires_grad:
                    torch.nn.init.normal_(parameter, std=0.05)
        lora.save(tuned, run.dir / "model")
        copy_companions(str(rewriter_base), None, run.dir / "model")
        write_json(run.dir / "state.json", json.loads((run.dir / "state.json").read_text()) | {"state": "done"})
        out = run.export_dir("cpu", "fp32")
        return run, make(str(run.dir), Options("cpu", "fp32"), out), out

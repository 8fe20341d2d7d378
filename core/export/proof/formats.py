"""The comparison of a format beside ONNX: PyTorch's answers to real rows, and those of what was written."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from core import config as configs
from core import tasks
from core.config import RunConfig
from core.evaluation.rows import choose
from core.export import questions
from core.export.gguf import vocab
from core.export.proof import judge, loaded, reference
from core.export.subject import Subject
from core.models import load
from core.models.tokenizer import traits
from core.runs.files import read_json
from core.runs.state import Stopped

# Texts on which tokenizers part: spaces, lines, accents in both forms, scripts, numbers, a special token's own text.
ODD_TEXTS = (
    "Hello world", "  two  spaces\n\nnew\tline\r\n", "Zoë naïve café 東京 Привет 😀👩‍👩‍👧", "3.14 12345 1,000", " lead",
    "don't I'LL we've", "xxxxxxxxxxxxxxxxxxxxxxxx", " ", "e\u0301 n\u0303", "\u00a0\u200b\ufeff", "a▁b Ġc <0x41>", "",
)  # fmt: skip
JUDGED = {"f32": "fp32", "f16": "fp16", "q8_0": "int8", "q4_0": "int4"}  # the precisions that judge knows


def truth_of(
    subject: Subject,
    model: Any,
    work: Path,
    rows: int,
    data: str | None,
    say: Callable[[str], None],
    progress: Callable[[float, float], None],
    should_stop: Callable[[], bool],
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """(what a fresh process is asked, what PyTorch answers: "rows" and for writers "answers", "wants"; whence rows)."""
    say("asking PyTorch")
    head = subject.head
    if not head.writes and subject.config is not None:
        return _outputs(subject, subject.config, model, work, rows, data, progress, should_stop)
    asked = questions.ask(subject.config, subject.tokenizer, rows, data, apart=model.config.is_encoder_decoder)
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 2**31
    limit = max(1, min(subject.limit, room - max(map(len, asked.prompts))))
    found = reference.answer(
        model,
        subject.tokenizer,
        asked.prompts,
        work,
        end_ids=subject.ends,
        max_new_tokens=limit,
        on_row=lambda done: progress(done, len(asked.prompts)),
        should_stop=should_stop,
    )
    request: dict[str, Any] = {"prompts": asked.prompts, "answers": found.answers}
    request |= {"logits": {row: str(path) for row, path in found.logits.items()}}
    request |= {"max_new_tokens": limit, "ends": subject.ends}
    return (
        request,
        {"rows": len(asked.prompts), "answers": found.answers, "wants": asked.wants, "form": asked.form},
        asked.told,
    )


def _outputs(
    subject: Subject,
    config: RunConfig,
    model: Any,
    work: Path,
    rows: int,
    data: str | None,
    progress: Callable[[float, float], None],
    should_stop: Callable[[], bool],
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The same for a head that reads: rows as training encodes them, and what the model says of each."""
    from core.tasks.objective import objective_for

    split = None if data or config.evaluation.data or config.data.validation else "train"
    chosen = choose(config, data, split, rows)
    labels = load.labels_of(model, subject.head)
    objective = objective_for(config, subject.tokenizer, subject.head, labels)
    examples, _ = objective.encode([chosen.source.rows[i] for i in chosen.places], chosen.source.layout)
    files: list[str] = []
    kept = [dict(example) for example in examples]
    for place, example in enumerate(kept):
        if should_stop():
            raise Stopped
        files.append(str(work / f"{place}.npy"))
        np.save(files[-1], loaded.outputs(objective, model, example))
        progress(place + 1, len(kept))
    request = {"examples": kept, "outputs": files, "labels": labels, "config": configs.dumps(config)}
    return request, {"rows": len(kept)}, f"{chosen.which} rows of {chosen.source.name}"


def _texts(subject: Subject, name: str, asked: dict[str, Any]) -> list[list[Any]]:
    """[text, whether a beginning token comes in front, ids]: the odd texts, and for GGUF the prompts as texts."""
    tokenizer = subject.tokenizer
    form = vocab.normal_form(subject.small) if name == "gguf" else None
    rows = (read_json(subject.small / "config.json") or {}).get("vocab_size") or len(tokenizer)
    specials = [text for text, i in sorted(traits(tokenizer).ids.items()) if text and i < rows][:8]
    odd = [unicodedata.normalize(form, text) if form else text for text in (*ODD_TEXTS, "".join(specials) + " x")]
    found: list[list[Any]] = [[text, True, loaded.cut(tokenizer, text, True)] for text in odd]
    begin = traits(tokenizer).bos
    for ids in asked.get("prompts", ()) if name == "gguf" else ():
        begins = bool(begin) and ids[0] == tokenizer.bos_token_id
        text = str(tokenizer.decode(ids[begins:], skip_special_tokens=False, clean_up_tokenization_spaces=False))
        found.append([text, begins, ids])
    return found


def compare(
    subject: Subject,
    name: str,
    precision: str,
    staged: Path,
    asked: dict[str, Any],
    truth: dict[str, Any],
    count: int,
) -> dict[str, Any]:
    """The figures of a report, its status and its sentence. RuntimeError: what was written does not load."""
    texts = _texts(subject, name, asked)
    request: dict[str, Any] = {"format": name, "head": subject.head.name, "texts": texts}
    request |= {"base": subject.base, "revision": subject.revision}
    found = loaded.ask(staged, request | asked)
    rows = truth["rows"]
    metric, margins, what, same = None, list[float | None](), "with the same answer", found.get("same", 0)
    if "answers" in truth:
        pairs = list(zip(truth["answers"], found["answers"], strict=True))
        same, what = sum(mine == other for mine, other in pairs), "token for token"
        margins = [found["margins"].get(str(i)) for i, (mine, other) in enumerate(pairs) if mine != other]
        metric = _metric(subject, truth, found["answers"])
    status, message = judge.judge(
        same=same,
        rows=rows,
        gap=found["gap"],
        span=found["span"],
        margins=margins,
        metric=metric,
        precision=JUDGED.get(precision, precision),
        weights=count,
        what=what,
    )
    status, message = _tokenizer(subject, name, found, texts, status, message.replace("take int8", "take q8_0"))
    finite = math.isfinite(found["gap"])
    return {
        "status": status,
        "message": message,
        "same": same / rows,
        "greedy_match": same / rows if "answers" in truth else None,
        "max_logit_difference": found["gap"] if finite else None,
        "mean_logit_difference": found["mean_gap"] if finite else None,
        "logit_range": found["span"] if math.isfinite(found["span"]) else None,
        "metric": asdict(metric) if metric is not None else None,
        "load_seconds": found["load_seconds"],
        "texts": {"compared": len(texts), "differ": len(found["other_texts"])},
    }


def _metric(subject: Subject, truth: dict[str, Any], ours: list[list[int]]) -> judge.Metric | None:
    """The task's own figure of both sides; None where nobody knows right answers."""
    if subject.config is None or truth["wants"] is None:
        return None

    def text(ids: list[int]) -> str:
        found = subject.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(found).strip()

    name = tasks.get(subject.config.task).METRICS[0]
    return judge.metric(name, truth["wants"], *([text(ids) for ids in side] for side in (truth["answers"], ours)))


def _tokenizer(
    subject: Subject, name: str, found: dict[str, Any], texts: list[list[Any]], status: judge.Status, message: str
) -> tuple[judge.Status, str]:
    """Status and sentence with what the tokenizer that came back does otherwise."""
    if name == "gguf" and found["chat_template"] != subject.chat:
        return "failed", f"{message} The chat template that came back is another one."
    if name == "gguf" and found["tokens"]["eos"] not in subject.ends:
        return "failed", f"{message} The end token that came back is none of this model's."
    if not found["other_texts"]:
        return status, message
    other, prompts = found["other_texts"], [i for i in found["other_texts"] if i >= len(texts) - _asked(texts)]
    told = f"Its tokenizer cuts {len(other)} of {len(texts)} texts otherwise, such as {texts[other[0]][0]!r}."
    if name != "gguf" or len(prompts) > (1 - judge.THRESHOLDS["least_match"].value) * _asked(texts):
        return "failed", f"{message} {told}"
    return ("verified with loss" if status == "verified" else status), f"{message} {told}"


def _asked(texts: list[list[Any]]) -> int:
    """How many of the texts are prompts: all after the odd ones."""
    return len(texts) - len(ODD_TEXTS) - 1

"""What a page must know to write prompts as training did: found in Python, by the functions that training called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.data.dialect import dialect
from core.data.formats import Layout, answer_column
from core.data.questions import frame
from core.data.template import parse
from core.models.tokenizer import load_tokenizer, traits, turn_end


def hints(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """prompt.json: what prompt.js reads beside tunesmith.json.

    Args:
        settings: of tunesmith.json: the form of its prompt (template, chat_template, system, layout, columns).
        folder: with the tokenizer's files.

    Returns:
        "parts": [[text, whether it is a column, whether it is answered], ...] of a text template, else null;
        "answer": the column of the answer, or ""; "bos", "eos", "specials" (all special texts, the longest first),
        "prefixes": see core.models.tokenizer.Traits; "start": the id that an empty prompt becomes; "frame": ids put in
        front of and behind a text that is read; "turn_end", "system", "reasoning", "extra": the end token of a chat
        template, whether it writes a system prompt, the key under which it reads reasoning, and what its generation
        prompt ends in though no answer begins so.
    """
    tokenizer = load_tokenizer(folder)
    known = traits(tokenizer)
    template, chat = settings.get("template"), settings.get("chat_template")
    layout = Layout(settings["layout"]["name"], settings["layout"]["roles"], "") if settings.get("layout") else None
    parts = parse(template, tuple(settings["columns"])) if template else ()
    able = dialect(tokenizer, chat) if chat else None
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return {
        "parts": [[part.text, part.column, part.answer] for part in parts] if template else None,
        "answer": answer_column(layout) if layout is not None else "",
        "bos": known.bos,
        "eos": known.eos,
        "specials": sorted(known.ids, key=len, reverse=True),
        "prefixes": known.prefixes,
        "start": start if start is not None else 0,
        "frame": list(frame(tokenizer)),
        "turn_end": turn_end(tokenizer, chat) if chat else "",
        "system": able.system if able else False,
        "reasoning": able.reasoning if able else "",
        "extra": able.extra if able else "",
    }

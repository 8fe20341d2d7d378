"""What lies around a GGUF file: its name, a Modelfile for Ollama, and the commands that run it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.data.formats import Layout
from core.data.template import prompt_segments, render
from core.models.tokenizer import traits

PROMPT, SYSTEM = "qzPROMPTzq", "qzSYSTEMzq"  # stand for what somebody will say


def file_name(title: str, precision: str) -> str:
    """Such as tone-LoRA-r-16-Q8_0.gguf: tools that fetch from the Hub choose a precision by the end of the name."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", title).strip("-.") or "model"
    return f"{slug[:60].strip('-.')}-{precision.upper()}.gguf"


def asked(tokenizer: Any, form: dict[str, Any], chat: str | None) -> str:
    """The text of a prompt with PROMPT in the place of what a person fills in; "" where several columns are filled in.

    What the tokenizer itself puts in front is left out. form: see core.export.questions.form.
    """
    if form["template"] is not None:
        if len(form["fields"]) != 1:
            return ""
        row = {column: PROMPT if column in form["fields"] else "x" for column in form["columns"]}
        layout = Layout(form["layout"]["name"], form["layout"]["roles"], "")
        segments = prompt_segments(render(row, layout, form["template"], tokenizer))
        text = "".join(segment.text for segment in segments)
    else:
        system = [("system", form["system"])] if form["system"] else []
        text = _chat(tokenizer, chat or "", [*system, ("user", PROMPT)])
    return text.removeprefix(traits(tokenizer).bos) if PROMPT in text else ""


def _chat(tokenizer: Any, chat: str, said: list[tuple[str, str]]) -> str:
    """A conversation as the chat template writes it; "" where it cannot."""
    messages = [{"role": role, "content": content} for role, content in said]
    try:
        return str(
            tokenizer.apply_chat_template(messages, chat_template=chat, tokenize=False, add_generation_prompt=True)
        )
    except Exception:  # jinja's own errors: a template that takes no system message, or no such conversation
        return ""


def template(tokenizer: Any, form: dict[str, Any], chat: str | None) -> str:
    """The prompt as Ollama's TEMPLATE has it; "{{ .Prompt }}" where whoever asks must write the whole prompt."""
    text = asked(tokenizer, form, chat)
    if not text or "{{" in text or '"""' in text:
        return "{{ .Prompt }}"
    front = ""
    if chat and form["template"] is None and not form["system"]:
        whole = _chat(tokenizer, chat, [("system", SYSTEM), ("user", PROMPT)]).removeprefix(traits(tokenizer).bos)
        if whole.endswith(text) and SYSTEM in whole and "{{" not in whole:
            spoken = whole.removesuffix(text).replace(SYSTEM, "{{ .System }}")
            front = "{{ if .System }}" + spoken + "{{ end }}"
    return front + text.replace(PROMPT, "{{ .Prompt }}") + "{{ .Response }}"


def modelfile(name: str, tokenizer: Any, form: dict[str, Any], ends: list[int], limit: int, chat: str | None) -> str:
    """Ollama's Modelfile for a GGUF file beside it: the prompt as training wrote it, greedy, with the model's ends."""
    stops = [tokenizer.convert_ids_to_tokens(i) for i in ends]
    return "\n".join(
        [
            f"FROM ./{name}",
            f'TEMPLATE """{template(tokenizer, form, chat)}"""',
            "PARAMETER temperature 0",
            f"PARAMETER num_predict {limit}",
            *(f'PARAMETER stop "{stop}"' for stop in stops if stop and '"' not in stop and "\n" not in stop),
            "",
        ]
    )


def commands(folder: Path, tokenizer: Any, form: dict[str, Any], limit: int, chat: str | None) -> list[str]:
    """Lines for a README: how llama.cpp and Ollama run the file."""
    file = next(folder.glob("*.gguf")).name
    text = asked(tokenizer, form, chat)
    if chat and form["template"] is None:
        line = f"llama-cli -m {file} --temp 0 -n {limit}"
    else:
        said = (text or "the whole prompt").replace(PROMPT, "your text").replace("\\", "\\\\").replace("\n", "\\n")
        quoted = said.replace("'", "'\\''")
        line = f"llama-completion -m {file} -no-cnv --temp 0 -n {limit} -p '{quoted}'"
    return [line, "", "ollama create tuned -f Modelfile", "ollama run tuned"]

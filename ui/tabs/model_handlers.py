"""What the Model tab does when something is touched: read values, call one function, return what is shown."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from core.config import build, dumps, loads
from core.errors import ConfigError, InputError
from core.models.catalog import DEMO, SUGGESTIONS, describe_model
from ui import dataset, form, plan
from ui.header import millions
from ui.parts import badge, figs, say
from ui.telling import size

Draft = dict[str, Any]
LICENCES = {"mit": "MIT", "apache-2.0": "Apache 2.0", "cc0-1.0": "CC0 1.0"}
BYTES_EACH = 2  # of a weight as these models are stored: bf16
LARGEST_YAML = 1_000_000  # bytes
METHODS = {
    "lora": "Trains two thin matrices beside each layer; the base stays as it is. Small to keep, hard to spoil.",
    "full": "Trains every weight. The whole model is kept with each checkpoint.",
}


def collect(*, draft: Draft, method: str, **values: Any) -> Draft:
    """The draft with what the whole form holds."""
    return form.collected(draft, method, values)


def check(*, draft: Draft, method: str, **values: Any) -> tuple[Draft, str, Any]:
    """Everything is checked at once; with nothing to fix the way leads on."""
    draft = form.collected(draft, method, values)
    wrong = dataset.problems(draft)
    if not wrong:
        return draft, "", gr.update(selected="train")
    items = "".join(f"<li>{_label(path)}{escape(text)}</li>" for path, text in wrong.items())
    title = f"{len(wrong)} thing{'s' * (len(wrong) != 1)} to fix first"
    return draft, f'<div class="card problems">{say("bad", title, "")}<ul>{items}</ul></div>', gr.skip()


def _label(path: str) -> str:
    label = next((s.label for s in form.all_settings() if s.path == path), "")
    tab = "data" if path.startswith(("data", "task")) else ""
    if tab:
        return '<a href="#data" data-tab="data">On the Data tab</a>: '
    return f"<b>{escape(label)}</b>: " if label else ""


def take_base(path: str, draft: Draft) -> tuple[Draft, str]:
    """A model from the cards."""
    draft = form.with_value(draft, "model.revision", None)
    return form.with_value(draft, "model.path", path), ""


def take_path(path: str, draft: Draft) -> tuple[Draft, Any]:
    """A folder or a Hub id; whether it will do is said at the field."""
    path = path.strip()
    return form.with_value(draft, "model.path", path), path if path in known() else None


def known() -> list[str]:
    """The paths of the cards."""
    return [DEMO, *(s.id for s in SUGGESTIONS)]


def cards() -> list[tuple[str, str]]:
    """(label, path) of the models to choose from. The first line is the title."""
    found = [(_demo_card(), DEMO)]
    for s in SUGGESTIONS:
        name = re.sub(r"(?i)-(instruct|it)$", "", s.id.rpartition("/")[2]).replace("-", " ")
        name = name[:1].upper() + name[1:]
        terms = " · terms to accept" if s.gated else ""
        size_there = _size(s.parameters * BYTES_EACH)
        found.append(
            (f"{name}\n{_about(s.parameters, s.context)}\n{s.licence}{terms}\nabout {size_there} to fetch", s.id)
        )
    return found


def _demo_card() -> str:
    try:
        info = describe_model(DEMO)
    except InputError:
        return "Demo\nnot here: make demo-model makes it"
    licence = LICENCES.get(info.licence, info.licence) or "licence not said"
    return f"Demo\n{_about(info.parameters or 0, info.context or 0)}\n{licence}\n{_size(info.bytes or 0)}, here already"


def _about(parameters: int, context: int) -> str:
    return f"{millions(parameters)} parameters · {context:,} tokens"


def _size(count: float) -> str:
    return " ".join(size(count))


def facts(draft: Draft) -> str:
    """What the chosen model is, from its files; or why it cannot be used."""
    path, revision = form.value_of(draft, "model.path"), form.value_of(draft, "model.revision")
    if not isinstance(path, str) or not path.strip():
        return say("bad", "No model is chosen", "Take one of the cards, or give a folder or an id.")
    suggested = next((s for s in SUGGESTIONS if s.id == path), None)
    try:
        info = describe_model(path, revision if isinstance(revision, str) and revision else None)
        dataset.tokenizer(draft)
    except InputError as error:
        more = "It has not been tried on this machine." if suggested else ""
        return say("bad", "This model is not here", escape(f"{error} {more}".strip()))
    items = [("Parameters", *plan.short(info.parameters)) if info.parameters else ("Parameters", "–", "not known")]
    items += [
        ("On disk", *size(info.bytes)) if info.bytes else ("On disk", "–", "to be fetched"),
        ("Context", f"{info.context:,}", "tokens") if info.context else ("Context", "–", "not known"),
    ]
    badges = badge("ok", "Chat template") if info.chat_template else badge("mute", "No chat template")
    words = f"{escape(info.architecture)} · licence: {escape(LICENCES.get(info.licence, info.licence) or 'not said')}"
    return f'{figs(*items)}<p class="about">{badges}<span class="small quiet">{words}</span></p>'


def derived(draft: Draft) -> tuple[str, str, Any, str, str, Any]:
    """What follows from the draft: the model's facts, the method's word, the count of changes, the plan, the YAML, and
    what an empty learning rate means."""
    n = form.changed(draft)
    count = sum(s.advanced and s.method in ("", form.method_of(draft)) for s in form.all_settings())
    more = f"{count} more settings, {f'{n} of them changed' if n else 'all at their defaults'}"
    note = f'<p class="quiet small">{METHODS[form.method_of(draft)]}</p>'
    rate = gr.update(placeholder=form.usual_rate(draft))
    return facts(draft), note, gr.update(label=more), plan.drawn(draft), as_yaml(draft), rate


def as_yaml(draft: Draft) -> str:
    """The draft as YAML: what `python -m core train` reads. With something to fix in it, the values as they stand."""
    try:
        return dumps(build(draft))
    except ConfigError:
        return dump_plain(draft)


def dump_plain(draft: Draft) -> str:
    """Plain values as YAML, in the style of core.config.dumps."""
    import yaml

    return yaml.safe_dump(draft, sort_keys=False, allow_unicode=True, width=120)


def method_parts(method: str, names: list[str]) -> list[Any]:
    """Which columns of fields are seen."""
    return [gr.update(visible=name == method) for name in names]


def fill(draft: Draft, keys: list[str], names: list[str]) -> list[Any]:
    """The whole form of the tab from a whole new draft."""
    values, method = form.filled(draft), form.method_of(draft)
    path = form.value_of(draft, "model.path")
    card = path if path in known() else None
    return [card, "" if card else path, method, *(values[key] for key in keys), *method_parts(method, names)]


def take_yaml(text: str, filled: int) -> tuple[Any, Any, str]:
    """A config from text: it becomes the draft, or every problem is said and nothing changes."""
    try:
        return loads(text).model_dump(mode="json"), filled + 1, say("done", "The form is filled from this text", "")
    except ConfigError as error:
        items = "".join(f"<li><b>{escape(path)}</b>: {escape(words)}</li>" for path, words in error.errors.items())
        return gr.skip(), gr.skip(), say("bad", "The form is as it was: this text has problems", f"<ul>{items}</ul>")
    except InputError as error:
        return gr.skip(), gr.skip(), say("bad", "The form is as it was: this text cannot be read", escape(str(error)))


def take_yaml_file(file: str | None, filled: int) -> tuple[Any, Any, str]:
    """A config from an uploaded file."""
    try:
        if not file:
            raise InputError("No file came in.")
        if Path(file).stat().st_size > LARGEST_YAML:
            raise InputError("A config has a few hundred bytes, this file more than a million.")
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, InputError) as error:
        words = str(error) if isinstance(error, InputError) else "It is not a text file in UTF-8."
        return gr.skip(), gr.skip(), say("bad", "The form is as it was: this file cannot be read", escape(words))
    return take_yaml(text, filled)

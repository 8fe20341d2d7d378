"""The base model: a card for each that is known, a folder, an id on the Hub; what it is, and how it will answer."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.models.catalog import DEMO, describe_model
from core.models.heads import OWN, head_of
from core.models.hub import session_token
from ui import dataset, form, plan
from ui.parts import badge, figs, html, say, titled
from ui.shared import Shared
from ui.tabs.model import catalogue
from ui.telling import size

Draft = dict[str, Any]
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
LAYERS = {"classification": "for the labels", "extraction": "for a tag on each word"}


@dataclass(frozen=True)
class BasePart:
    """The components of the card."""

    words: gr.Textbox
    which: gr.Radio
    fitting: gr.Checkbox
    cards: gr.Radio
    path: gr.Textbox
    revision: gr.Textbox
    use: gr.Button
    token: gr.Textbox
    facts: gr.HTML
    head: gr.Radio


def layout() -> BasePart:
    """Draw the card."""
    with gr.Column(elem_classes="card"):
        titled(
            "Base model",
            "The demo is here already. Any other is read from its folder, or fetched from the Hub when it is used.",
        )
        with gr.Row(elem_classes=["choices", "finder"]):
            words = gr.Textbox(
                show_label=False,
                label="Find a model",
                placeholder="Find: qwen, bert, apache",
                lines=1,
                max_lines=1,
                min_width=200,
                scale=0,
                interactive=True,
            )
            which = gr.Radio(
                catalogue.SHOWN,
                value="suggested",
                show_label=False,
                label="Models shown",
                elem_classes="segment",
                interactive=True,
            )
            fitting = gr.Checkbox(label="Fits this machine", container=False, scale=0, min_width=160, interactive=True)
        chosen = gr.Radio(
            catalogue.cards(),
            show_label=False,
            label="Base model",
            elem_id="base-cards",
            elem_classes=["pick", "wide"],
            interactive=True,
        )
        with gr.Accordion("Another model: a folder on this machine, or an id on the Hub", open=False):
            with gr.Row(elem_classes="ask"):
                path = gr.Textbox(
                    label="Folder or Hub id",
                    info="Weights as safetensors and a tokenizer.json are needed.",
                    elem_id="field-model-path",
                    lines=1,
                    max_lines=1,
                    interactive=True,
                    scale=2,
                )
                revision = gr.Textbox(
                    label="Revision",
                    info="Branch, tag or commit, of a model on the Hub.",
                    placeholder="main",
                    elem_id="field-model-revision",
                    lines=1,
                    max_lines=1,
                    interactive=True,
                    scale=1,
                )
                use = gr.Button("Use", size="sm", scale=0, min_width=80)
            token = gr.Textbox(
                label="Access token, for a gated or private model",
                info="Used while this page is open, by what you start from it, and written nowhere. A token of this "
                "machine (HF_TOKEN) needs none here. Not verified against the Hub itself.",
                type="password",
                lines=1,
                max_lines=1,
                elem_id="hub-token",
                interactive=True,
            )
        facts = html(elem_id="model-facts")
        head = gr.Radio(
            [("Writes its answer", "lm"), ("A layer of its own", "task")],
            value="lm",
            label="How it answers",
            elem_id="field-model-head",
            elem_classes="segment",
            interactive=True,
            visible=False,
        )
    return BasePart(words, which, fitting, chosen, path, revision, use, token, facts, head)


def wire(part: BasePart, shared: Shared) -> None:
    """Events."""
    gr.on(
        [part.words.change, part.which.input, part.fitting.input],
        catalogue.listed,
        [part.words, part.which, part.fitting, shared.draft],
        part.cards,
        **QUIET,
    )
    part.cards.input(take_card, [part.cards, shared.draft], [shared.draft, part.path, part.revision], **QUIET)
    gr.on(
        [part.use.click, part.path.submit, part.revision.submit],
        take_path,
        [part.path, part.revision, shared.draft],
        [shared.draft, part.cards],
        **QUIET,
    )
    gr.on([part.token.blur, part.token.submit], lambda text: text.strip(), part.token, shared.token, **QUIET)
    part.head.input(take_head, [part.head, shared.draft], shared.draft, **QUIET)


def take_card(path: str, draft: Draft) -> tuple[Draft, str, str]:
    """A model from the cards."""
    draft = form.with_value(form.with_value(draft, "model.revision", None), "model.head", None)
    return form.with_value(draft, "model.path", path), "", ""


def take_path(path: str, revision: str, draft: Draft) -> tuple[Draft, Any]:
    """A folder or a Hub id; whether it will do is said at the field."""
    path = path.strip()
    draft = form.with_value(form.with_value(draft, "model.revision", revision.strip() or None), "model.head", None)
    return form.with_value(draft, "model.path", path), path if path == DEMO or catalogue.known(path) else None


def take_head(head: str, draft: Draft) -> Draft:
    """How it answers; what it does by itself counts as not set."""
    usual = form.with_value(draft, "model.head", None)
    try:
        by_itself = "lm" if head_of(dataset.usable(usual)).writes else "task"
    except InputError:
        by_itself = ""
    return form.with_value(draft, "model.head", None if head == by_itself else head)


def fill(draft: Draft) -> list[Any]:
    """Cards, path and revision from a whole new draft."""
    path, revision = form.value_of(draft, "model.path"), form.value_of(draft, "model.revision")
    card = path if path == DEMO or catalogue.known(path) else None
    return [card, "" if card else path, revision or ""]


def heads(draft: Draft) -> Any:
    """The choice between writing and a layer of its own, where the task and the model leave one."""
    config = dataset.usable(draft)
    try:
        now = head_of(config)
    except InputError:
        return gr.update(visible=False)
    wanted = form.value_of(draft, "model.head")
    choice = wanted == "task" or (now.writes and config.task in LAYERS)
    if config.task == "extraction" and wanted != "task":
        choice = choice and _has_tags(draft)
    words = LAYERS.get(config.task, "")
    return gr.update(
        visible=choice,
        value="lm" if now.writes else "task",
        choices=[("Writes its answer as text", "lm"), (f"A new layer {words}", "task")],
    )


def _has_tags(draft: Draft) -> bool:
    try:
        return dataset.source(draft).layout.name == "tokens_tags"
    except InputError:
        return False


def facts(draft: Draft, token: str = "", owner: bool = False) -> str:
    """What the chosen model is, from its files, and how it will answer; or why it cannot be used.

    Args:
        token: that was typed. owner: whether this machine's own may be used on a public page.
    """
    path, revision = form.value_of(draft, "model.path"), form.value_of(draft, "model.revision")
    if not isinstance(path, str) or not path.strip():
        return say("bad", "No model is chosen", "Take one of the cards, or give a folder or an id.")
    entry = catalogue.known(path)
    more = catalogue.about(entry) if entry else ""
    try:
        with session_token(token, owner):
            info = describe_model(path, revision if isinstance(revision, str) and revision else None)
            dataset.tokenizer(draft)
    except InputError as error:
        return more + say("bad", "This model is not here", escape(str(error)))
    items = [("Parameters", *plan.short(info.parameters)) if info.parameters else ("Parameters", "–", "not known")]
    items += [
        ("On disk", *size(info.bytes)) if info.bytes else ("On disk", "–", "to be fetched"),
        ("Context", f"{info.context:,}", "tokens") if info.context else ("Context", "–", "not known"),
    ]
    badges = badge("ok", "Chat template") if info.chat_template else badge("mute", "No chat template")
    licence = catalogue.LICENCES.get(info.licence, info.licence) or "not said"
    words = f"{escape(info.architecture)} · licence: {escape(licence)}"
    about = f'<p class="about">{badges}<span class="small quiet">{words}{_answers(draft)}</span></p>'
    return figs(*items) + about + more + _remarks(draft)


def _remarks(draft: Draft) -> str:
    """What there is to know before it is tuned: a missing pad token or chat template, code that is not run."""
    try:
        found = dataset.remarks(draft)
    except InputError:
        return ""
    return f'<ul class="small quiet remarks">{"".join(f"<li>{escape(r)}</li>" for r in found)}</ul>' if found else ""


def _answers(draft: Draft) -> str:
    """What it will end in, in words."""
    config = dataset.usable(draft)
    try:
        head = head_of(config)
    except InputError:
        return ""  # said at its field
    new = " through a new layer" if config.task in OWN and not head.writes and config.task != "similarity" else ""
    return f" · for {escape(config.task)} it {head.label}{new}"

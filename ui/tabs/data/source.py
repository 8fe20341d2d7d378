"""Where the examples come from: a demo set, own files, a path, a set on the Hub; and how their columns are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from core.config import DataConfig, load
from core.data.formats import ROLES_OF, Layout
from core.data.sources import demo_sets
from core.data.suggest import suggest_template
from core.errors import InputError
from ui import dataset, form, uploads
from ui.door import visitor
from ui.parts import html, say, titled
from ui.shared import Shared
from ui.tabs.data.refresh import QUIET, Refresh

FIELDS = {s.path: s for s in form.settings(DataConfig, "data")}
SLOTS = max(len(roles) for roles in ROLES_OF.values())  # dropdowns for the roles of a layout
FOUND = "found"  # the choice that leaves the layout to be recognised
NONE = ""  # of an optional role: no column plays it, as core.data.mapping has it
NO_ANSWER: dict[str, Any] = {"api_visibility": "private"}
OPENING = say("live", "Opening", "A big file takes a while, once: what was read is kept for the next time.")
LAYOUT_NAMES = {
    "text": "plain text",
    "text_label": "text and label",
    "prompt_completion": "prompt and completion",
    "alpaca": "instruction, input and output",
    "sharegpt": "conversations (from, value)",
    "messages": "conversations (role, content)",
    "tokens_tags": "tokens and tags",
    "pair": "two texts and a label or score",
    "preference": "a chosen and a rejected answer",
}

Draft = dict[str, Any]


@dataclass(frozen=True)
class SourcePart:
    """The components of the card."""

    demo: gr.Radio
    upload: gr.File
    path: gr.Textbox
    name: gr.Textbox
    split: gr.Textbox
    token: gr.Textbox
    open: gr.Button
    told: gr.HTML
    layout: gr.Dropdown
    roles: list[gr.Dropdown]

    @property
    def filled(self) -> list[Any]:
        """What `fill` fills in."""
        return [self.demo, self.path, self.name, self.split, self.layout, *self.roles]


def layout() -> SourcePart:
    """Draw the card."""
    with gr.Column(elem_classes="card", scale=5, min_width=300):
        titled("Source", "Your own files, or a set to try things with.")
        demo = gr.Radio(
            [(f"{d.name}\n{d.rows:,} rows\n{d.sentence}", d.name) for d in demo_sets()],
            show_label=False,
            label="Demo sets",
            elem_classes="pick",
            interactive=True,
        )
        upload = gr.File(
            label=f"Your own files: {uploads.KINDS_IN_WORDS}, also with .gz, at most {uploads.limit_mb()} MB",
            file_count="multiple",
            file_types=list(uploads.KINDS),
            height=88,
            elem_id="upload",
            interactive=True,
        )
        with gr.Accordion("Or a path on this machine, or a data set on the Hub", open=False):
            path = gr.Textbox(
                label="Path or Hub id",
                info="A file, a folder, a pattern such as data/part-*.jsonl, or an id such as owner/name.",
                elem_id="field-data-path",
                lines=1,
                max_lines=1,
                interactive=True,
            )
            with gr.Row(elem_classes="pair"):
                name = gr.Textbox(
                    label="Configuration or sheet",
                    placeholder="the only one, or the first",
                    elem_id="field-data-name",
                    lines=1,
                    max_lines=1,
                    min_width=140,
                    interactive=True,
                )
                split = gr.Textbox(
                    label="Split",
                    placeholder="all, or train[:4096]",
                    elem_id="field-data-split",
                    lines=1,
                    max_lines=1,
                    min_width=140,
                    interactive=True,
                )
            token = gr.Textbox(
                label="Hub token, for a private or gated set",
                info="Used for this one fetch and never kept. Not verified against the Hub itself.",
                type="password",
                lines=1,
                max_lines=1,
                interactive=True,
            )
            open_it = gr.Button("Open", size="sm")
        told = html(elem_id="source")
        with gr.Accordion("How the columns are read", open=False, elem_id="mapping"):
            choice = gr.Dropdown(
                [
                    ("Found from the rows", FOUND),
                    *((words[:1].upper() + words[1:], n) for n, words in LAYOUT_NAMES.items()),
                ],
                value=FOUND,
                label="Layout",
                elem_id="field-data-layout",
                interactive=True,
            )
            with gr.Row(elem_classes="pair", elem_id="field-data-roles"):
                roles = [
                    gr.Dropdown([], label=f"Role {i + 1}", visible=False, min_width=140, interactive=True)
                    for i in range(SLOTS)
                ]
    return SourcePart(demo, upload, path, name, split, token, open_it, told, choice, roles)


def wire(part: SourcePart, shared: Shared, refresh: Refresh) -> None:
    """Events of the card. A whole new draft goes through `filled`, from which every form fills itself."""
    draft, filled = shared.draft, shared.filled

    def whole(event: Any, handler: Any, inputs: list[Any]) -> None:
        outputs = [draft, filled, part.told, part.upload, part.token]
        event(lambda: OPENING, None, part.told, js="() => { tune.opening('rows'); return []; }", **QUIET).then(
            handler, inputs, outputs, **QUIET
        ).then(None, part.told, js="told => { if (!told.includes('say live')) tune.refused(); }", **NO_ANSWER)

    whole(part.demo.input, take_demo, [part.demo, draft, filled])
    whole(part.upload.upload, take_upload, [part.upload, draft, filled])
    given = [part.path, part.name, part.split, part.token, draft, filled]
    submits = [box.submit for box in (part.path, part.name, part.split, part.token)]
    whole(partial(gr.on, [part.open.click, *submits]), take_path, given)
    newest: dict[str, Any] = QUIET | {"trigger_mode": "always_last"}
    refresh.everything(
        part.layout.input(put_layout, [part.layout, draft], [draft, refresh.template, *part.roles], **newest)
    )
    refresh.everything(
        gr.on(
            [role.input for role in part.roles],
            put_roles,
            [draft, *part.roles],
            [draft, refresh.template],
            **newest,
        )
    )


def _title(words: str) -> str:
    return words[:1].upper() + words[1:]


# What is taken


def take_demo(name: str, draft: Draft, filled: int) -> tuple[Any, ...]:
    """A demo set brings its whole config: data, template, method and training."""
    try:
        found = next((d for d in demo_sets() if d.name == name), None)
        if found is None:
            raise InputError(f"There is no demo set {name!r}.", "data.path")
        return load(found.config_path).model_dump(mode="json"), filled + 1, gr.skip(), None, ""
    except InputError as error:
        return _not_taken("This demo set cannot be taken", error)


def take_upload(
    files: list[str] | None, draft: Draft, filled: int, request: gr.Request | None = None
) -> tuple[Any, ...]:
    """Uploaded files are kept first; what cannot be read is not taken, and says why."""
    try:
        if not files:
            raise InputError("No file came in.", "data.path")
        return _taken(draft, filled, uploads.keep_all(files, visitor(request)), {})
    except InputError as error:
        return _not_taken("This file cannot be used" if len(files or []) < 2 else "These files cannot be used", error)


def take_path(
    path: str, name: str, split: str, token: str, draft: Draft, filled: int, request: gr.Request | None = None
) -> tuple[Any, ...]:
    """A path or a Hub id, with its configuration and split; with a token the files are fetched and kept here."""
    try:
        more = {"name": name.strip() or None, "split": split.strip() or None}
        path = path.strip()
        if token.strip():
            who = visitor(request)
            path, more["name"] = uploads.keep_from_hub(path, more["name"], more["split"], token.strip(), who), None
        return _taken(draft, filled, path, more)
    except InputError as error:
        return _not_taken("This cannot be opened", error)


def _taken(draft: Draft, filled: int, path: str, more: dict[str, Any]) -> tuple[Any, ...]:
    changed = dataset.with_data(draft, path, more)
    dataset.source(changed)
    return changed, filled + 1, gr.skip(), None, ""


def _not_taken(title: str, error: InputError) -> tuple[Any, ...]:
    return gr.skip(), gr.skip(), bad(title, error), None, gr.skip()


# How the columns are read


def put_layout(name: str, draft: Draft) -> tuple[Any, ...]:
    """A layout chosen by hand, or found again; a template that was only suggested follows it."""
    before = _layout(draft)
    changed = form.with_value(
        form.with_value(draft, "data.roles", None), "data.layout", None if name == FOUND else name
    )
    changed = _follow(changed, before)
    return changed, dataset.text_template(changed) or gr.skip(), *slots(changed)


def put_roles(draft: Draft, *columns: str | None) -> tuple[Any, ...]:
    """Which column plays which part; with that the layout is chosen by hand."""
    before = _layout(draft)  # None while roles are wrong: the layout is set by then
    name = before.name if before else str(form.value_of(draft, "data.layout"))
    if name not in ROLES_OF:
        return draft, gr.skip()
    named = {role.name: column or NONE for role, column in zip(ROLES_OF[name], columns, strict=False)}
    changed = form.with_value(form.with_value(draft, "data.layout", name), "data.roles", named)
    changed = _follow(changed, before)
    return changed, dataset.text_template(changed) or gr.skip()


def _follow(draft: Draft, before: Layout | None) -> Draft:
    """The draft with the template suggested for its layout, where the one before was suggested too."""
    after, words = _layout(draft), dataset.text_template(draft)
    before = before or _layout(form.with_value(draft, "data.roles", None))
    if before is None or after is None or words != suggest_template(before):
        return draft
    return form.with_value(draft, "data.template", suggest_template(after))


def _layout(draft: Draft) -> Layout | None:
    try:
        return dataset.source(draft).layout
    except InputError:
        return None


def slots(draft: Draft) -> list[Any]:
    """The dropdowns of the roles: one for each role of the layout, with the columns to choose from."""
    try:
        data = dataset.source(draft)
    except InputError:
        return [gr.update(visible=False)] * SLOTS
    updates = []
    for role in ROLES_OF[data.layout.name]:
        keys = dataset.turn_keys(data) if role.key else list(data.columns)
        choices: list[Any] = [(key, key) for key in keys]
        if role.optional:
            choices.insert(0, ("none", NONE))
        value = data.layout.roles.get(role.name, NONE if role.optional else None)
        updates.append(gr.update(choices=choices, value=value, label=role.label, visible=True))
    return [*updates, *[gr.update(visible=False)] * (SLOTS - len(updates))]


# What is shown


def fill(draft: Draft) -> list[Any]:
    """The card from a whole new draft."""
    demo = dataset.demo_of(draft)
    chosen = form.value_of(draft, "data.layout")
    return [
        demo.name if demo else None,
        "" if demo else str(form.value_of(draft, "data.path", "")),
        form.value_of(draft, "data.name") or "",
        form.value_of(draft, "data.split") or "",
        chosen if chosen in ROLES_OF else FOUND,
        *slots(draft),
    ]


def told(draft: Draft) -> str:
    """What was opened, how it is read, and what to know of it."""
    data = dataset.source(draft)
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in [*data.notes, *dataset.unused(draft)])
    kind = escape(LAYOUT_NAMES[data.layout.name])
    return f"<p><b>{escape(data.name)}</b>, read as {kind}. {escape(data.layout.evidence)}</p>" + (
        f"<ul>{notes}</ul>" if notes else ""
    )


def bad(title: str, error: InputError) -> str:
    """An error at the place it concerns."""
    return say("bad", title, escape(str(error)))

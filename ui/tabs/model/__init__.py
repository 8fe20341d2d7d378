"""Model: a base model, a method, and the settings that matter; all of it as YAML that the command line reads."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from ui import dataset, form, plan
from ui.door import visitor
from ui.parts import html, lead, say
from ui.shared import Shared
from ui.tabs.model import base, presets, settings, text
from ui.tabs.model.settings import of_method

Draft = dict[str, Any]


@dataclass(frozen=True)
class ModelTab:
    """The cards of the tab."""

    go: gr.Button
    note: gr.HTML
    base: base.BasePart
    settings: settings.SettingsPart
    takes: gr.HTML
    presets: presets.PresetsPart
    text: text.TextPart


def layout(shared: Shared) -> ModelTab:
    """Draw the tab; what depends on the draft is filled in when the page is opened."""
    [go] = lead("Model", "Which model learns, how much of it, and how fast.", "Check and continue")
    note = html(elem_id="model-problems")
    model = base.layout()
    with gr.Row(equal_height=True):
        form_part = settings.layout()
        with gr.Column(scale=5, min_width=300):
            with gr.Column(elem_classes=["card", "takes"]):
                takes = html(elem_id="takes")
            ready_made = presets.layout()
    return ModelTab(go, note, model, form_part, takes, ready_made, text.layout())


def wire(tab: ModelTab, shared: Shared) -> None:
    """Events: any field writes the whole form into the draft; what is derived follows the draft."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    newest: dict[str, Any] = quiet | {"trigger_mode": "always_last"}
    part = tab.settings
    values = {**part.fields, "draft": shared.draft, "method": part.method}
    columns = [column for _, column in part.columns]

    rate = part.fields["training__learning_rate"]
    # A learning rate is its method's own: emptied in the browser before the form is sent; what is typed next stays
    emptied = part.method.input(None, None, rate, js="() => null", api_visibility="private")
    whole: dict[str, Any] = {"inputs_kwargs": values, "outputs": shared.draft, "concurrency_limit": 1}  # in their order
    emptied.then(collect, **whole, **newest)
    triggers: list[Any] = []
    for component in part.fields.values():
        if isinstance(component, (gr.Dropdown, gr.Checkbox)):
            triggers.append(component.input)
        else:
            triggers += [component.blur, component.submit]
    gr.on(triggers, collect, **whole, **newest)
    part.method.input(lambda m: of_method(part, m), part.method, columns, **newest)
    base.wire(tab.base, shared)
    presets.wire(tab.presets, shared)
    text.wire(tab.text, shared)

    shared.filled.change(
        lambda draft: fill(tab, draft),
        shared.draft,
        [tab.base.cards, tab.base.path, tab.base.revision, part.method, *part.fields.values(), *columns],
        **quiet,
    ).then(None, js="() => tune.filled('model')", api_visibility="private")

    def told(draft: Draft, token: str, request: gr.Request | None = None) -> list[Any]:
        return derived(tab, draft, token, visitor(request).owner)

    gr.on(
        [shared.filled.change, shared.draft.change, shared.token.change],
        told,
        [shared.draft, shared.token],
        [tab.base.facts, tab.base.head, tab.takes, tab.text.yaml, *settings.outputs(part)],
        **newest,
    )
    tab.go.click(check, inputs_kwargs=values, outputs=[shared.draft, tab.note, shared.tabs], **quiet)


def collect(*, draft: Draft, method: str, **values: Any) -> Draft:
    """The draft with what the whole form holds."""
    return form.collected(draft, method, values)


def check(*, draft: Draft, method: str, **values: Any) -> tuple[Draft, str, Any]:
    """Everything is checked at once; with nothing to fix the way leads on."""
    draft = collect(draft=draft, method=method, **values)
    wrong = dataset.problems(draft)
    if not wrong:
        return draft, "", gr.update(selected="train")
    items = "".join(f"<li>{_label(path)}{escape(words)}</li>" for path, words in wrong.items())
    title = f"{len(wrong)} thing{'s' * (len(wrong) != 1)} to fix first"
    return draft, f'<div class="card problems">{say("bad", title, "")}<ul>{items}</ul></div>', gr.skip()


def _label(path: str) -> str:
    label = next((s.label for s in form.all_settings() if s.path == path), "")
    tab = "data" if path.startswith(("data", "task")) else ""
    if tab:
        return '<a href="#data" data-tab="data">On the Data tab</a>: '
    return f"<b>{escape(label)}</b>: " if label else ""


def fill(tab: ModelTab, draft: Draft) -> list[Any]:
    """The whole form of the tab from a whole new draft."""
    values, method = form.filled(draft), form.method_of(draft)
    part = tab.settings
    return [*base.fill(draft), method, *(values[key] for key in part.fields), *of_method(part, method)]


def derived(tab: ModelTab, draft: Draft, token: str, owner: bool = False) -> list[Any]:
    """What follows from the draft: the model's facts, its head, the plan, the YAML, and the notes of the form."""
    first = [base.facts(draft, token, owner), base.heads(draft), plan.drawn(draft), text.as_yaml(draft)]
    return [*first, *settings.derived(tab.settings, draft)]

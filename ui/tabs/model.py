"""Model: a base model, a method, and the settings that matter; all of it as YAML that the command line reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.config import METHODS
from ui import form
from ui.parts import html, lead, titled
from ui.shared import Shared
from ui.tabs import model_handlers as handlers

SAVE = """text => { text = text.trimEnd() + '\\n'; const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/yaml' })); link.download = 'tunesmith.yaml';
  link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 1000); }"""


@dataclass(frozen=True)
class ModelTab:
    """The components of the tab."""

    go: gr.Button
    note: gr.HTML
    base: gr.Radio
    path: gr.Textbox
    use: gr.Button
    facts: gr.HTML
    method: gr.Radio
    method_note: gr.HTML
    fields: dict[str, gr.components.Component]  # by the key of their setting
    groups: dict[str, list[gr.Column]]  # what belongs to one method
    more: gr.Accordion
    takes: gr.HTML
    yaml: gr.Code
    fill: gr.Button
    file: gr.UploadButton
    save: gr.Button
    yaml_note: gr.HTML


def layout(shared: Shared) -> ModelTab:
    """Draw the tab; every field comes from core.config."""
    known = form.all_settings()
    fields: dict[str, gr.components.Component] = {}
    groups: dict[str, list[gr.Column]] = {name: [] for name in METHODS}

    def grid(chosen: list[form.Setting], method: str = "") -> None:
        if not chosen:
            return
        with gr.Column(elem_classes="fields", visible=method in ("", "lora")) as column:
            for setting in chosen:
                fields[setting.key] = form.component(setting)
        if method:
            groups[method].append(column)

    def of(section: str, advanced: bool, method: str = "") -> list[form.Setting]:
        return [s for s in known if s.path.startswith(section + ".") and s.advanced == advanced and s.method == method]

    [go] = lead("Model", "Which model learns, how much of it, and how fast.", "Check and continue")
    note = html(elem_id="model-problems")
    with gr.Column(elem_classes="card"):
        titled(
            "Base model",
            "The demo is here already. Any other is read from its folder, or fetched from the Hub when it is used.",
        )
        base = gr.Radio(
            handlers.cards(), show_label=False, label="Base model", elem_classes=["pick", "wide"], interactive=True
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
                    scale=1,
                )
                use = gr.Button("Use", size="sm", scale=0, min_width=80)
        facts = html(elem_id="model-facts")
    with gr.Row(equal_height=True):
        with gr.Column(elem_classes="card", scale=7, min_width=300):
            titled("Method")
            method = gr.Radio(
                [("LoRA", "lora"), ("Full", "full")],
                value="lora",
                show_label=False,
                label="Method",
                elem_classes="segment",
                interactive=True,
            )
            method_note = html(elem_id="method-note")
            grid(of("training", False))
            for name in METHODS:
                grid(of("method", False, name), name)
            with gr.Accordion("More settings", open=False) as more:
                for name in METHODS:
                    grid(of("method", True, name), name)
                grid([*of("training", True), *of("model", True)])
            with gr.Accordion("How it is measured afterwards", open=False):
                grid(of("evaluation", False))
        with gr.Column(elem_classes=["card", "takes"], scale=5, min_width=300):
            takes = html(elem_id="takes")
    with gr.Column(elem_classes="card"):
        with gr.Row(elem_classes="headed"):
            titled(
                "As YAML",
                "The same settings, as the command line reads them. Change it or paste your own, then fill the form.",
            )
            file = gr.UploadButton("Open a file", file_types=[".yaml", ".yml"], size="sm", scale=0, min_width=96)
            save = gr.Button("Download", size="sm", scale=0, min_width=96)
            fill = gr.Button("Fill the form from this", size="sm", scale=0, min_width=96)
        yaml_note = html(elem_id="yaml-note")
        yaml = gr.Code(
            "",
            language="yaml",
            show_label=False,
            label="Settings as YAML",
            interactive=True,
            elem_id="yaml",
            buttons=["copy"],
            max_lines=60,
            wrap_lines=True,
        )
    return ModelTab(
        go, note, base, path, use, facts, method, method_note, fields, groups, more, takes, yaml, fill, file, save,
        yaml_note,
    )  # fmt: skip


def wire(tab: ModelTab, shared: Shared) -> None:
    """Events: any field writes the whole form into the draft; what is derived follows the draft."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    newest: dict[str, Any] = quiet | {"trigger_mode": "always_last"}
    values = {**tab.fields, "draft": shared.draft, "method": tab.method}
    columns = [column for name in METHODS for column in tab.groups[name]]
    names = [name for name in METHODS for _ in tab.groups[name]]
    rate = tab.fields["training__learning_rate"]

    triggers: list[Any] = [tab.method.input]
    for component in tab.fields.values():
        if isinstance(component, (gr.Dropdown, gr.Checkbox)):
            triggers.append(component.input)
        else:
            triggers += [component.blur, component.submit]
    gr.on(triggers, handlers.collect, inputs_kwargs=values, outputs=shared.draft, **newest)
    tab.method.input(lambda m: handlers.method_parts(m, names), tab.method, columns, **newest)

    tab.base.input(handlers.take_base, [tab.base, shared.draft], [shared.draft, tab.path], **newest)
    gr.on(
        [tab.use.click, tab.path.submit],
        handlers.take_path,
        [tab.path, shared.draft],
        [shared.draft, tab.base],
        **newest,
    )

    shared.filled.change(
        lambda draft: handlers.fill(draft, list(tab.fields), names),
        shared.draft,
        [tab.base, tab.path, tab.method, *tab.fields.values(), *columns],
        **quiet,
    )
    gr.on(
        [shared.filled.change, shared.draft.change],
        handlers.derived,
        shared.draft,
        [tab.facts, tab.method_note, tab.more, tab.takes, tab.yaml, rate],
        **newest,
    )
    tab.save.click(None, tab.yaml, None, js=SAVE)
    loaded = [shared.draft, shared.filled, tab.yaml_note]
    tab.fill.click(handlers.take_yaml, [tab.yaml, shared.filled], loaded, **quiet)
    tab.file.upload(handlers.take_yaml_file, [tab.file, shared.filled], loaded, **quiet)
    tab.go.click(
        handlers.check,
        inputs_kwargs=values,
        outputs=[shared.draft, tab.note, shared.tabs],
        **quiet,
    )

"""The same settings as YAML, as the command line reads them: shown, saved, changed by hand and taken back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from core import olive
from core.config import build, dumps, loads
from core.errors import ConfigError, InputError
from ui.chooser import QUIET
from ui.parts import html, say
from ui.shared import Shared

# A line that calls Olive, or a key that its workflows have and our settings have not.
OLIVES = re.compile(
    r"""^\s*(?:\$\s*)?olive\s+\S|^["'{\s]*(?:input_model|passes|engine|systems|data_configs)["']?\s*:""", re.M
)
LARGEST_YAML = 1_000_000  # bytes
SAVE = """text => { text = text.trimEnd() + '\\n'; const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/yaml' })); link.download = 'tunesmith.yaml';
  link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 1000); }"""

Draft = dict[str, Any]


@dataclass(frozen=True)
class TextPart:
    """The components of the card."""

    yaml: gr.Code
    fill: gr.Button
    file: gr.UploadButton
    save: gr.Button
    note: gr.HTML


def layout() -> TextPart:
    """Draw the card; it is folded away."""
    with gr.Column(elem_classes="card"), gr.Accordion("The same settings as YAML", open=False, elem_id="as-yaml"):
        with gr.Row(elem_classes="headed"):
            html(
                '<p class="quiet small">As the command line reads them. Change it or paste your own, then fill the '
                "form. A workflow or a command of Microsoft Olive’s is taken too.</p>"
            )
            file = gr.UploadButton(
                "Open a file", file_types=[".yaml", ".yml", ".json"], size="sm", scale=0, min_width=96
            )
            save = gr.Button("Download", size="sm", scale=0, min_width=96)
            fill = gr.Button("Fill the form from this", size="sm", scale=0, min_width=96)
        note = html(elem_id="yaml-note")
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
    return TextPart(yaml, fill, file, save, note)


def wire(part: TextPart, shared: Shared) -> None:
    """Events. The text itself follows the draft: see the tab."""
    part.save.click(None, part.yaml, None, js=SAVE)
    loaded = [shared.draft, shared.filled, part.note]
    part.fill.click(take_yaml, [part.yaml, shared.filled], loaded, **QUIET)
    part.file.upload(take_yaml_file, [part.file, shared.filled], loaded, **QUIET)


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


def take_yaml(text: str, filled: int) -> tuple[Any, Any, str]:
    """A config from text: it becomes the draft, or every problem is said and nothing changes."""
    if OLIVES.search(text):
        return take_olive(text, filled)
    try:
        return loads(text).model_dump(mode="json"), filled + 1, say("done", "The form is filled from this text", "")
    except ConfigError as error:
        items = "".join(f"<li><b>{escape(path)}</b>: {escape(words)}</li>" for path, words in error.errors.items())
        return gr.skip(), gr.skip(), say("bad", "The form is as it was: this text has problems", f"<ul>{items}</ul>")
    except InputError as error:
        return gr.skip(), gr.skip(), say("bad", "The form is as it was: this text cannot be read", escape(str(error)))


def take_olive(text: str, filled: int) -> tuple[Any, Any, str]:
    """A workflow or command lines of Olive's: what we can honour becomes the draft, and the rest is named."""
    try:
        found = olive.read(text)
        draft = build(found.config).model_dump(mode="json") if found.config else None
    except InputError as error:  # a ConfigError is one
        return (
            gr.skip(),
            gr.skip(),
            say("bad", "The form is as it was: Olive's text cannot be taken", escape(str(error))),
        )
    notes = [f"<b class='mono'>{escape(note.option)}</b> {escape(note.reason)}" for note in found.ignored]
    notes += [escape(sentence) for sentence in found.missing]
    if found.command:
        notes.append(f"Its export, on the command line: <span class='mono'>{escape(found.command)}</span>")
    listed = f"<ul class='remarks'>{''.join(f'<li>{note}</li>' for note in notes)}</ul>" if notes else ""
    if draft is None:
        return gr.skip(), gr.skip(), say("fix", "There is no training in it: the form is as it was", listed)
    kind = escape(found.kind)
    return (
        draft,
        filled + 1,
        say("fix" if found.ignored or found.missing else "done", f"Filled from Olive's {kind}", listed),
    )


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

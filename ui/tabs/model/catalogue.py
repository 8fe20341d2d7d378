"""The cards of the models that are known: found by words, task and machine, each with what it takes here."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.models.catalog import DEMO, SUGGESTIONS, describe_model
from core.models.catalog_table import BY_ID, CATALOGUE, Entry
from core.models.recommend import LABELS, Recommendation, find, recommended
from core.runs.machine import this_machine
from ui import form
from ui.header import millions
from ui.parts import badge, say
from ui.telling import size

Draft = dict[str, Any]

SHOWN = [("Suggested", "suggested"), ("For this task", "task"), ("All", "all")]
LICENCES = {"mit": "MIT", "apache-2.0": "Apache 2.0", "cc0-1.0": "CC0 1.0"}
BYTES_EACH = 2  # of a weight as these models are stored: bf16
ALLOWED = {"yes": ("ok", "Commercial use"), "conditions": ("warn", "Commercial use with conditions"),
           "no": ("bad", "No commercial use")}  # fmt: skip


def listed(words: str, which: str, fitting: bool, draft: Draft) -> Any:
    """The cards that suit what is looked for; the chosen one stays chosen while it is among them."""
    made = cards(words, which, fitting, str(form.value_of(draft, "task", "")))
    path = form.value_of(draft, "model.path")
    return gr.update(choices=made, value=path if path in [value for _, value in made] else None)


def cards(words: str = "", which: str = "suggested", fitting: bool = False, task: str = "") -> list[tuple[str, str]]:
    """(label, path) of the models to choose from, the demo first. The first line of a label is its title.

    Args:
        words: all of which are in the id, family or licence; with words all models are looked through.
        which: suggested, task or all. fitting: only those that fit this machine. task: of the draft.
    """
    machine = this_machine()
    all_of_them = bool(words.strip()) or which != "suggested"
    found = find(
        words,
        task=task if which == "task" and not words.strip() else "",
        machine=machine if fitting else None,
        entries=CATALOGUE if all_of_them else SUGGESTIONS,
    )
    demo = [] if words.strip() and words.strip().casefold() not in "demo" else [(_demo(), DEMO)]
    return [*demo, *((_card(entry, recommended(entry, machine)), entry.id) for entry in found)]


def _card(entry: Entry, takes: Recommendation) -> str:
    short = re.sub(r"(?i)-(instruct|it)$", "", entry.name)
    twin = entry.id.replace(entry.name, short) in BY_ID  # the model before it was taught to follow instructions
    name = (entry.name if twin else short).replace("-", " ")
    terms = " · terms to accept" if entry.gated else ""
    fits = [LABELS[method] for method, fits in takes.fits.items() if fits]
    if len(fits) > 1:
        fits.remove(LABELS["qlora"])  # where LoRA fits, that goes without saying
    here = f"{' and '.join(fits)} fit{'s' * (len(fits) == 1)} here" if fits else "too large for here"
    return "\n".join(
        [
            name[:1].upper() + name[1:],
            f"{millions(entry.parameters)} parameters · {entry.context:,} tokens",
            f"{entry.licence}{terms}",
            f"{here} · {' '.join(size(entry.parameters * BYTES_EACH))}",
        ]
    )


def _demo() -> str:
    try:
        info = describe_model(DEMO)
    except InputError:
        return "Demo\nnot here: make demo-model makes it"
    licence = LICENCES.get(info.licence, info.licence) or "licence not said"
    about = f"{millions(info.parameters or 0)} parameters · {info.context or 0:,} tokens"
    return f"Demo\n{about}\n{licence}\n{' '.join(size(info.bytes or 0))}, here already"


def known(path: object) -> Entry | None:
    """A model of the catalogue, or None."""
    return BY_ID.get(path) if isinstance(path, str) else None


def about(entry: Entry) -> str:
    """What the catalogue says of a model: licence, template, what it takes here, and whether that was confirmed."""
    takes = recommended(entry, this_machine())
    kind, allowed = ALLOWED[entry.commercial]
    badges = [badge(kind, allowed)]
    badges.append(badge("warn", "Terms to accept on the Hub") if entry.gated else badge("ok", "Free to fetch"))
    if not entry.confirmed:
        badges.append(badge("mute", "Sizes not confirmed"))
    words = f"{escape(entry.licence)}: {escape(entry.terms)}."
    template = f" It has no chat template: use the template {escape(entry.template)}." if entry.template else ""
    needs = f" {escape(entry.needs)}" if entry.needs else ""
    return f'<p class="about">{"".join(badges)}<span class="small quiet">{words}</span></p>' + say(
        "done" if takes.method else "fix", escape(takes.sentence), f"{template}{needs}".strip()
    )

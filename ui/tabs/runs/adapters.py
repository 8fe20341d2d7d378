"""Several adapters on one base: ask them together, combine them, give one another name, merge one into the base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.runs import jobs
from core.runs.adapters import AdapterInfo, Base, by_base
from core.runs.asking import shared as worker
from core.runs.store import open_run
from ui.chooser import QUIET
from ui.door import visitor
from ui.parts import html, plural, say, table, titled
from ui.shared import Shared
from ui.telling import size, when

ITSELF = "base"  # the base model without an adapter, as the worker calls it
WAYS = [("Exact, rank is the sum", "cat"), ("To one rank (SVD)", "svd"), ("Weights added up", "linear")]
WAY_INFO = "Exact keeps all of both; one rank is smaller, and close."
NONE = "No run has an adapter yet. Train two on the same base, such as tone and fields on the demo model, and ask both."


@dataclass(frozen=True)
class AdaptersPart:
    """The components of the card."""

    nothing: gr.HTML
    body: gr.Column
    base: gr.Dropdown
    chosen: gr.CheckboxGroup
    prompt: gr.Textbox
    ask: gr.Button
    answers: gr.HTML
    weights: gr.Textbox
    way: gr.Dropdown
    name: gr.Textbox
    combine: gr.Button
    rename: gr.Button
    merge: gr.Button
    note: gr.HTML


def layout() -> AdaptersPart:
    """Draw the card."""
    one: dict[str, Any] = {"lines": 1, "max_lines": 1, "interactive": True}
    with gr.Column(elem_classes=["card", "adapters"]):
        titled("Adapters on one base", "Trained apart, held together: the base is loaded once for all of them.")
        none = html(say("mute", "Nothing to ask yet", NONE), elem_id="no-adapters")
        with gr.Column(visible=False) as body:
            with gr.Row(elem_classes="pair"):
                base = gr.Dropdown([], label="Base", interactive=True, min_width=240)
                chosen = gr.CheckboxGroup([], label="Adapters", elem_id="adapters", interactive=True, min_width=320)
            with gr.Row(elem_classes="ask"):
                prompt = gr.Textbox(
                    label="Ask all that are ticked, in one batch",
                    placeholder="What stands in the field of the template",
                    scale=1,
                    elem_id="ask-adapters",
                    **one,
                )
                ask = gr.Button("Ask", size="sm", scale=0, min_width=80)
            answers = html(elem_id="adapter-answers")
            with gr.Accordion("Combine, rename, merge", open=False, elem_id="adapter-work"):
                with gr.Row(elem_classes="pair"):
                    weights = gr.Textbox(
                        label="Weights", info="How much of each that is ticked.", placeholder="0.5, 0.5", min_width=160,
                        **one,
                    )  # fmt: skip
                    way = gr.Dropdown(
                        WAYS, value="cat", label="How LoRAs are combined", info=WAY_INFO, interactive=True, min_width=200
                    )  # fmt: skip
                    name = gr.Textbox(label="Name", info="Of the new run, or a new one of that ticked.", min_width=200, **one)
                with gr.Row(elem_classes="tools"):
                    combine = gr.Button("Combine into a new run", size="sm", scale=0)
                    again = gr.Button("Rename", size="sm", scale=0)
                    merge = gr.Button("Merge into the base", size="sm", scale=0)
                note = html(elem_id="adapter-note")
    return AdaptersPart(none, body, base, chosen, prompt, ask, answers, weights, way, name, combine, again, merge, note)


def wire(part: AdaptersPart, shared: Shared) -> None:
    """Events."""
    found = [part.nothing, part.body, part.base, part.chosen]
    looked = {"fn": listed, "inputs": [part.base, part.chosen], "outputs": found, **QUIET}
    gr.on([shared.panels["runs"].select, shared.again.change], trigger_mode="always_last", **looked)
    part.base.input(listed, [part.base, part.chosen], found, **QUIET)
    gr.on(
        [part.ask.click, part.prompt.submit], answered, [part.prompt, part.base, part.chosen], part.answers,
        concurrency_limit=4, **QUIET,
    )  # fmt: skip
    made = [part.note, shared.again]
    work = [part.base, part.chosen, part.weights, part.way, part.name, shared.again]
    part.combine.click(combined, work, made, **QUIET)
    part.rename.click(renamed, [part.chosen, part.name, shared.again], made, **QUIET)
    part.merge.click(merged, [part.chosen, shared.again], made, **QUIET)


def listed(base: str | None, chosen: Sequence[str]) -> tuple[Any, Any, Any, Any]:
    """The bases that have adapters, and the adapters of the one that is chosen; the first two are ticked."""
    bases = by_base()
    if not bases:
        return gr.HTML(visible=True), gr.Column(visible=False), gr.skip(), gr.skip()
    names = {_key(b): (b, infos) for b, infos in bases.items()}
    key = base if base in names else next(iter(names))
    _, infos = names[key]
    runs = [ITSELF, *(info.run.id for info in infos)]
    ticked = [run for run in chosen if run in runs] or runs[1:3]
    labels = [("The base itself", ITSELF), *((_label(info), info.run.id) for info in infos)]
    choices = [(f"{_short(b)} · {plural(len(i), 'adapter')}", k) for k, (b, i) in names.items()]
    return (
        gr.HTML(visible=False),
        gr.Column(visible=True),
        gr.Dropdown(choices=choices, value=key),
        gr.CheckboxGroup(choices=labels, value=ticked),
    )


def _key(base: Base) -> str:
    return "|".join((base.path, base.revision or "", base.fingerprint[:12], base.head, *base.labels, base.quantization))


def _short(base: Base) -> str:
    return base.path.rstrip("/").rsplit("/", 1)[-1] + (" in 4 bits" if base.quantization else "")


def _label(info: AdapterInfo) -> str:
    return f"{info.run.title} · {when(info.run.created)}"


def answered(prompt: str, base: str | None, chosen: Sequence[str]) -> Iterator[str]:
    """The same asked of all that are ticked; first that it is being done, then the answers."""
    if not prompt.strip() or not chosen:
        yield say("fix", "Nothing is asked", "Write what to ask, and tick at least one adapter.")
        return
    yield say("live", "Asking", "The first question loads the base; the next ones are quick.")
    try:
        path = next((b.path for b in by_base() if _key(b) == base), None)
        names = [name if name == ITSELF else open_run(name).id for name in chosen]  # the worker would take a path, too
        found = worker().ask(prompt, names, max_new_tokens=96, base=path)
    except InputError as error:
        yield say("bad", "There is no answer", escape(str(error)))
        return
    titles = {info.run.id: _label(info) for infos in by_base().values() for info in infos}
    rows = [
        [escape(titles.get(one.name, "The base itself")), f'<span class="said">{escape(one.text) or "(nothing)"}</span>']
        for one in found.said
    ]
    batches = len(found.batches)
    how = "in one batch" if batches == 1 else f"in {batches} batches, as their methods do not share one"
    loading = f", after {found.loading:.1f} s of loading" if found.loading > 0.1 else ""
    note = f'<p class="small quiet">{found.seconds:.1f} s for all, {how}{loading}.</p>'
    yield table(["Adapter", "Answer"], rows, caption="Answers of the adapters") + note


def combined(
    base: str | None,
    chosen: Sequence[str],
    weights: str,
    way: str,
    name: str,
    again: int,
    request: gr.Request | None = None,
) -> Iterator[tuple[str, Any]]:
    """A new run from those that are ticked."""
    runs = [run for run in chosen if run != ITSELF]
    if len(runs) < 2:
        yield say("fix", "Tick two or more", "A combination is made of the adapters that are ticked above."), gr.skip()
        return
    yield say("live", "Combining", "The base is loaded, and the result is compared with its parts."), gr.skip()
    who = visitor(request)
    yield _told(lambda: _combined(jobs.combine(runs, way, weights.replace(" ", ""), name.strip(), who)), again)


def _combined(made: dict[str, Any]) -> str:
    return say("done", f"A new run: {escape(made['title'])}", "It is in the list above, and can be evaluated and exported.")


def renamed(
    chosen: Sequence[str], name: str, again: int, request: gr.Request | None = None
) -> tuple[str, Any]:
    """Another name for the one that is ticked."""

    def work() -> str:
        jobs.rename(_only(chosen), name, visitor(request))
        return say("done", f"It is called {escape(name.strip())} now", "")

    return _told(work, again)


def merged(
    chosen: Sequence[str], again: int, request: gr.Request | None = None
) -> Iterator[tuple[str, Any]]:
    """The adapter that is ticked, added into its base, in the folder of its run."""
    yield say("live", "Merging", "The answers of the result are compared with those of base and adapter."), gr.skip()

    def work() -> str:
        out = jobs.merge(_only(chosen), visitor(request))
        figure, unit = size(sum(file.stat().st_size for file in out.glob("*.safetensors")))
        where = f"{figure} {unit} of weights in the run's folder <code>merged</code>; any tool of transformers opens it."
        return say("done", "Merged: it answers as base and adapter do", where)

    yield _told(work, again)


def _only(chosen: Sequence[str]) -> Any:
    runs = [run for run in chosen if run != ITSELF]
    if len(runs) != 1:
        raise InputError("Tick exactly one adapter for this.")
    return open_run(runs[0])


def _told(work: Any, again: int) -> tuple[str, Any]:
    """What came of it; the lists are drawn anew where it went well."""
    try:
        return work(), again + 1
    except InputError as error:
        return say("bad", "That did not work", escape(str(error))), gr.skip()

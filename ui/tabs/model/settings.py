"""The method and its settings: what matters in sight, the rest folded away by what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.config import METHODS, TrainingConfig
from core.settings import LABELS as NAMES
from core.settings.training import MEMORY
from ui import form
from ui.parts import html, titled
from ui.tabs.model import choices

Draft = dict[str, Any]

WORDS = {
    "lora": "Trains two thin matrices beside each layer; the base stays as it is. Small to keep, hard to spoil.",
    "qlora": "LoRA on a base that is held in 4 bits. On a graphics card it takes a quarter of the memory of the "
    "weights; on a CPU it saves none, and is a trial of the way only.",
    "full": "Trains every weight. The whole model is kept with each checkpoint.",
    "adapter": "Trains small networks between the layers. Many fit beside one base; they cannot be merged into it.",
    "ia3": "Trains one factor for each key, value and feed-forward number: the fewest parameters of all.",
    "prompt": "Trains vectors in front of the input; the model itself is never touched. For larger models.",
}
TARGETS = tuple(f"method__{name}__target_modules" for name in ("lora", "qlora"))
WHOLE = tuple(f"method__{name}__modules_to_save" for name in ("lora", "qlora"))
LOSS_HELP = str(TrainingConfig.model_fields["loss"].description)
OF_METHOD, OF_LOSS = "The method", {"focal": ["training__focal_gamma"], "contrastive": ["training__margin"]}


@dataclass(frozen=True)
class SettingsPart:
    """The components of the card."""

    method: gr.Radio
    note: gr.HTML
    fields: dict[str, gr.components.Component]  # by the key of their setting
    columns: list[tuple[str, gr.Column]]  # (method, what belongs to it alone)
    folds: dict[str, gr.Accordion]  # by group
    ways: gr.HTML  # what each way to make batches makes of the rows


def layout() -> SettingsPart:
    """Draw the card; every field comes from core.config."""
    known = [s for s in form.all_settings() if not s.path.startswith("model.")]
    fields: dict[str, gr.components.Component] = {}
    columns: list[tuple[str, gr.Column]] = []
    folds: dict[str, gr.Accordion] = {}

    def grid(chosen: list[form.Setting], method: str = "") -> None:
        if not chosen:
            return
        with gr.Column(elem_classes="fields", visible=method in ("", "lora")) as column:
            for setting in chosen:
                fields[setting.key] = form.component(setting)
        if method:
            columns.append((method, column))

    def of(section: str, advanced: bool, method: str = "") -> list[form.Setting]:
        return [s for s in known if s.path.startswith(section + ".") and s.advanced == advanced and s.method == method]

    with gr.Column(elem_classes="card", scale=7, min_width=300):
        titled("Method", "How much of the model is trained.")
        method = gr.Radio(
            [
                (NAMES[name].removesuffix(" fine-tuning"), name)
                for name in ("lora", "qlora", "full", "adapter", "ia3", "prompt")
            ],
            value="lora",
            show_label=False,
            label="Method",
            elem_id="field-method-name",
            elem_classes="segment",
            interactive=True,
        )
        note = html(elem_id="method-note")
        grid(of("training", False))
        for name in METHODS:
            grid(of("method", False, name), name)
        with gr.Accordion(OF_METHOD, open=False, elem_id="fold-method") as folds[OF_METHOD]:
            for name in METHODS:
                grid(of("method", True, name), name)
        advanced = of("training", True)
        for number, group in enumerate(dict.fromkeys(s.group for s in advanced)):
            with gr.Accordion(group, open=False, elem_id=f"fold-{number}") as folds[group]:
                grid([s for s in advanced if s.group == group])
                if group == MEMORY:
                    ways = html(elem_id="ways")
        with gr.Accordion("How it is measured afterwards", open=False, elem_id="fold-evaluation"):
            grid(of("evaluation", False))
    return SettingsPart(method, note, fields, columns, folds, ways)


def of_method(part: SettingsPart, method: str) -> list[Any]:
    """Which columns of fields are seen."""
    return [gr.update(visible=name == method) for name, _ in part.columns]


def derived(part: SettingsPart, draft: Draft) -> list[Any]:
    """What follows from the draft: the method's word, the counts of changes, what an empty rate means, which fields
    mean something with this loss. In the order of `outputs`."""
    method = form.method_of(draft)
    loss = form.value_of(draft, "training.loss", "auto")
    note = f'<p class="quiet small">{WORDS[method]}</p>'
    folds = [gr.update(label=_counted(group, draft), visible=_has(group, method)) for group in part.folds]
    seen = [gr.update(visible=loss == name) for name, keys in OF_LOSS.items() for _ in keys]
    picked = [_choices(path, draft) for path in form.PICKED]
    modules = gr.update(choices=[("all-linear", "all-linear"), *choices.linear(draft)])
    return [
        note,
        *folds,
        gr.update(placeholder=form.usual_rate(draft)),
        *seen,
        *picked,
        *(modules for _ in TARGETS),
        *(gr.update(choices=choices.whole(draft)) for _ in WHOLE),
        choices.ways(draft),
    ]


def outputs(part: SettingsPart) -> list[Any]:
    """What `derived` writes."""
    by_loss = [part.fields[key] for keys in OF_LOSS.values() for key in keys]
    picked = [part.fields[path.replace(".", "__")] for path in form.PICKED]
    modules = [part.fields[key] for key in (*TARGETS, *WHOLE)]
    return [
        part.note,
        *part.folds.values(),
        part.fields["training__learning_rate"],
        *by_loss,
        *picked,
        *modules,
        part.ways,
    ]


def _choices(path: str, draft: Draft) -> Any:
    """The list that a setting is picked from."""
    if path == "training.loss":
        offered = choices.losses(draft)
        now = next((said for name, _, said in offered if name == form.value_of(draft, path)), "")
        return gr.update(
            choices=[(label, name) for name, label, _ in offered],
            info=" ".join([now or LOSS_HELP, *choices.broken_losses()]),
        )
    return gr.update(choices=choices.metrics(draft))


def _in(group: str, method: str) -> list[form.Setting]:
    wanted = [s for s in form.all_settings() if s.advanced and s.method in ("", method)]
    return [s for s in wanted if (s.group == group if group != OF_METHOD else s.method == method)]


def _has(group: str, method: str) -> bool:
    return bool(_in(group, method))


def _counted(group: str, draft: Draft) -> str:
    """The name of a fold, with how many of its settings are not at their defaults."""
    settings = _in(group, form.method_of(draft))
    n = sum(form.is_changed(s, draft) for s in settings)
    name = group if group != OF_METHOD else f"More of {NAMES[form.method_of(draft)]}"
    return f"{name} · {n} of {len(settings)} changed" if n else name

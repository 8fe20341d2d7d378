"""One base in memory with the adapters of many runs on it: each prompt is answered by its own."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from peft import PeftModel
from torch import nn

import core.methods.bottleneck  # noqa: F401 - tells PEFT of this kind of adapter
from core.adapters.prompts import prompt_ids, question
from core.config import RunConfig
from core.data.template import Wording
from core.errors import InputError
from core.methods.prompt import opened
from core.models.adapter_weights import whole_adapter
from core.models.heads import CAUSAL, HEADS, VECTOR
from core.models.load import fingerprint, load_base, patient_peft, precision
from core.models.tokenizer import end_ids, load_tokenizer
from core.runs import store
from core.runs.adapters import BASE, AdapterInfo, Base, adapter_of, differs
from core.runs.asking import Prompt
from core.runs.store import Run
from core.tasks.base import Answer
from core.tasks.objective import objective_for
from core.tasks.predict import write

NOBODY = "__base__"  # PEFT's name for a row of a mixed batch that no adapter touches
MIXING = ("LORA", "BOTTLENECK")  # kinds that take a mixed batch; IA3 and prompt tuning have none
WEIGHTS = "adapter_model.safetensors"
FITTING = (*MIXING, "IA3", "PROMPT_TUNING")


@dataclass(frozen=True)
class _Held:
    """An adapter in memory.

    Attributes:
        whole: the model that it is on, with others of its kind. peft: what PEFT calls it; a run's id may have dots,
        which a module's name may not. mixes: whether it takes a mixed batch. written: when its weights were, in
        nanoseconds: a run that was resumed has new ones.
    """

    info: AdapterInfo
    config: RunConfig
    whole: Any
    peft: str
    mixes: bool
    written: int


class Adapters:
    """A base that is loaded once, and adapters on it, by the ids of their runs; "base" is the base itself."""

    def __init__(self, base: Base) -> None:
        """Load the base, on the device that computes.

        Raises:
            InputError: there is no such model, its weights are not those that the adapters were trained on, or what
                it makes is vectors.
        """
        self.head = HEADS[base.head]
        if self.head is VECTOR:
            raise InputError("These runs make vectors of two texts: measure them on the Evaluate tab.")
        known = fingerprint(base.path, base.revision)
        if base.fingerprint and base.fingerprint != known:
            raise InputError(
                f"The weights of {base.path!r} are not those that its adapters were trained on: put the old ones back."
            )
        on = precision()
        quantization = json.loads(base.quantization) if base.quantization else None
        model = load_base(base.path, base.revision, on.frozen, self.head, base.labels, quantization)
        self.base = replace(base, fingerprint=known)
        self.model: Any = model.to(on.device) if quantization is None else model
        self.tokenizer = load_tokenizer(base.path, base.revision)
        self._wholes: dict[str, Any] = {}
        self._held: dict[str, _Held] = {}
        self._loaded = 0

    @classmethod
    def of(cls, targets: Sequence[Run | str]) -> Adapters:
        """Those of some runs, or of their ids. Raises InputError as `add`, and where none is named."""
        infos = [info_of(target) for target in targets]
        if not infos:
            raise InputError("No run is named: name at least one with an adapter.")
        made = cls(infos[0].base)
        for info in infos:
            made.add(info.run)
        return made

    @property
    def names(self) -> list[str]:
        """The ids of the runs whose adapters are here, in the order in which they came."""
        return list(self._held)

    def add(self, target: Run | str) -> None:
        """Put the adapter of a run on the base; nothing where these weights are there already.

        Raises:
            InputError: no such run, no adapter, or one for another base, head or kind.
        """
        info = info_of(target)
        name = info.run.id
        written = (info.run.dir / "model" / WEIGHTS).stat().st_mtime_ns
        if name in self._held and self._held[name].written == written:
            return
        if reason := differs(self.base, info.base):
            raise InputError(f"The adapter of {name} cannot stand beside the others: {reason}.")
        if info.kind not in FITTING:
            raise InputError(
                f"The run {name} was tuned by {info.label}, which cannot stand beside others: ask it by itself."
            )
        self._loaded += 1
        peft, key, folder = f"run{self._loaded}", info.kind, str(info.run.dir / "model")
        if info.kind == "PROMPT_TUNING":  # our pass of it takes one set of vectors, by the name that it was saved with
            peft, key = "default", peft
        with patient_peft(), whole_adapter(info.run.dir / "model"):
            if key in self._wholes:
                self._wholes[key].load_adapter(folder, peft, is_trainable=False)
            else:
                fresh = PeftModel.from_pretrained(_twin(self.model), folder, peft).eval()
                self._wholes[key] = opened(fresh) if peft == "default" else fresh
        whole = self._wholes[key]
        said = whole.peft_config[peft]
        plain = info.kind in MIXING and not said.modules_to_save and not (info.kind == "LORA" and said.use_dora)
        self._held[name] = _Held(info, info.run.config(), whole, peft, plain, written)

    def switch(self, name: str) -> Any:
        """The model with one adapter active (or none, for "base"); nothing is loaded. Raises InputError."""
        if name == BASE:
            return self.model
        held = self._of(name)
        held.whole.set_adapter(held.peft)
        return held.whole

    def peft_name(self, name: str) -> str:
        """What PEFT calls the adapter of a run. Raises InputError."""
        return self._of(name).peft

    def answer(
        self,
        prompts: Sequence[Prompt],
        names: Sequence[str],
        max_new_tokens: int = 128,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[Answer]:
        """The greedy answer to each prompt by its own adapter, as many as can in one batch: see `batches`.

        Args:
            prompts: see core.adapters.prompts; each is worded as its run was. names: an id of a run, or "base", for
                each; the base takes the wording of the first run that is named. max_new_tokens: half of what the model
                reads at most.

        Raises:
            InputError: a name that is not here, a prompt that does not fit. core.runs.state.Stopped: `should_stop`.
        """
        configs = self._configs(names)
        if self.head is not CAUSAL:
            return [self._said(*one, max_new_tokens) for one in zip(prompts, names, configs, strict=True)]
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        max_new_tokens = min(max_new_tokens, context // 2) if context else max_new_tokens
        room = context - max_new_tokens if context else None
        ids = [prompt_ids(p, config, self.tokenizer, room) for p, config in zip(prompts, configs, strict=True)]
        answers: dict[int, Answer] = {}
        for places, ends in self._groups(names):
            model, adapters = self._for([names[i] for i in places])
            found = write(
                model, self.tokenizer, [ids[i] for i in places], max_new_tokens=max_new_tokens, ends=set(ends),
                adapters=adapters, should_stop=should_stop,
            )  # fmt: skip
            answers |= dict(zip(places, found, strict=True))
        return [answers[i] for i in range(len(names))]

    def _said(self, prompt: Prompt, name: str, config: RunConfig | None, most: int) -> Answer:
        """The answer of a model that chooses a label, tags words, or reads before it writes."""
        if config is None or (name == BASE and not self.head.writes):
            raise InputError(f"The base by itself has no head that {self.head.label}: name runs.", "names")
        objective = objective_for(config, self.tokenizer, self.head, self.base.labels)
        row, layout = question(prompt, config, self.head)
        probe = objective.probe(row, 0, layout)
        text, ended = objective.answer(self.switch(name), probe, most, precision())
        return Answer(text, text, [], ended)

    def batches(self, names: Sequence[str]) -> list[list[str]]:
        """Who goes through the model together: adapters of one kind that PEFT can mix, with the base; others alone."""
        if self.head is not CAUSAL:
            return [[name] for name in names]
        return [[names[i] for i in places] for places, _ in self._groups(names)]

    def _groups(self, names: Sequence[str]) -> list[tuple[list[int], frozenset[int]]]:
        """(places, ids at which an answer ends) of what goes through the model together."""
        groups: dict[tuple[str, frozenset[int]], list[int]] = {}
        for i, (name, config) in enumerate(zip(names, self._configs(names), strict=True)):
            held = None if name == BASE else self._of(name)
            kind = BASE if held is None else held.info.kind if held.mixes else name
            groups.setdefault((kind, self._ends(config)), []).append(i)
        for kind, ends in list(groups):
            mixed = next((key for key in groups if key[0] in MIXING and key[1] == ends), None)
            if kind == BASE and mixed:
                groups[mixed] = sorted(groups[mixed] + groups.pop((kind, ends)))
        return [(places, ends) for (_, ends), places in groups.items()]

    def _configs(self, names: Sequence[str]) -> list[RunConfig | None]:
        """How the prompt of each is worded: as its run was; the base as the first run that is named."""
        first = next((self._of(name).config for name in names if name != BASE), None)
        return [first if name == BASE else self._of(name).config for name in names]

    def _for(self, group: Sequence[str]) -> tuple[Any, list[str] | None]:
        """(model, PEFT's names of a mixed batch, or None where all is of one)."""
        if len(set(group)) == 1:
            return self.switch(group[0]), None
        kind = next(self._of(name).info.kind for name in group if name != BASE)
        return self._wholes[kind], [NOBODY if name == BASE else self.peft_name(name) for name in group]

    def _ends(self, config: RunConfig | None) -> frozenset[int]:
        chat = Wording.of(config.data).chat_template(self.tokenizer) if config is not None else None
        named = self.model.generation_config.eos_token_id
        own = {int(i) for i in (named if isinstance(named, list) else [named]) if i is not None}
        return frozenset(end_ids(self.tokenizer, None, chat) | own)

    def _of(self, name: str) -> _Held:
        if name not in self._held:
            raise InputError(f"The adapter of {name!r} is not here: add it first. Here are {', '.join(self._held)}.")
        return self._held[name]


def info_of(target: Run | str) -> AdapterInfo:
    """The adapter of a run. InputError where there is no such run, or none with an adapter."""
    run = target if isinstance(target, Run) else store.find(target) or store.open_run(target)
    info = adapter_of(run)
    if info is None:
        why = "it was tuned whole" if run.has_model else f"its training is {run.state().state}"
        raise InputError(f"The run {run.id} has no adapter: {why}.")
    return info


def _twin(model: nn.Module) -> Any:
    """The same model once more as modules, with the very same weights: each kind of adapter has one of its own."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)

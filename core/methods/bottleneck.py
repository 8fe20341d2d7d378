"""Bottleneck adapters as a tuner of PEFT, which has none: h + up(f(down(h))) after chosen layers (Houlsby et al. 2019).

Importing this module makes PEFT know the type BOTTLENECK: loading, saving, several adapters and mixed batches then work
as for its own. That touches private parts of an enum: PEFT is pinned, and tests/core/methods/test_bottleneck.py says
what must hold. `up` begins at zero, so that a new adapter changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft.config import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from peft.utils import PeftType, register_peft_method
from peft.utils.other import AuxiliaryTrainingWrapper
from torch import nn
from transformers.pytorch_utils import Conv1D

NAME = "bottleneck"
BASE = "__base__"  # PEFT's name for a row of a mixed batch that no adapter touches
INIT = 0.02  # standard deviation of `down` at the start, as BERT's own layers (Devlin et al. 2019)
FUNCTIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def _type() -> PeftType:
    """PEFT's enum of types with ours in it; it is added once, whoever asks again."""
    name = NAME.upper()
    if name not in PeftType.__members__:
        member = str.__new__(PeftType, name)
        member._name_ = member._value_ = name
        PeftType._member_names_.append(name)
        PeftType._member_map_[name] = PeftType._value2member_map_[name] = member
        type.__setattr__(PeftType, name, member)
    return PeftType[name]


@dataclass
class BottleneckConfig(PeftConfig):
    """What adapter_config.json says.

    Attributes:
        target_modules: a pattern that the whole name of a layer matches, or ends of names.
        modules_to_save: layers that are trained whole, such as a head.
        reduction_factor: the width of a layer's output divided by that of the adapter.
        non_linearity: a key of FUNCTIONS. dropout: share of the adapter's input that is switched off in training.
    """

    target_modules: str | list[str] | None = field(default=None)
    exclude_modules: str | list[str] | None = field(default=None)
    modules_to_save: list[str] | None = field(default=None)
    reduction_factor: int = field(default=16)
    non_linearity: str = field(default="relu")
    dropout: float = field(default=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = _type()


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A layer with the adapters that follow it, by name; (..., outputs) goes in and out of each."""

    adapter_layer_names = (
        "bottleneck_down",
        "bottleneck_up",
    )  # in PEFT's files a name stands before `weight` and `bias`
    other_param_names = ()

    def __init__(self, base_layer: nn.Module, name: str, config: BottleneckConfig) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bottleneck_down, self.bottleneck_up = nn.ModuleDict(), nn.ModuleDict()
        self.dropout, self.function = nn.ModuleDict(), nn.ModuleDict()
        self._disable_adapters, self._active_adapter, self.merged_adapters = False, name, list[str]()
        self.in_features, self.out_features = (
            (base_layer.nx, base_layer.nf)
            if isinstance(base_layer, Conv1D)
            else (base_layer.in_features, base_layer.out_features)
        )
        self.update_layer(name, config)

    def update_layer(self, name: str, config: BottleneckConfig) -> None:
        """Add an adapter that does nothing yet."""
        width = max(1, self.out_features // config.reduction_factor)
        down, up = nn.Linear(self.out_features, width), nn.Linear(width, self.out_features)
        nn.init.normal_(down.weight, std=INIT)
        for zero in (down.bias, up.weight, up.bias):
            nn.init.zeros_(zero)
        self.bottleneck_down[name], self.bottleneck_up[name] = down, up
        self.dropout[name], self.function[name] = nn.Dropout(config.dropout), FUNCTIONS[config.non_linearity]()
        self._move_adapter_to_device_of_base_layer(name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(
        self, x: torch.Tensor, *args: Any, adapter_names: Sequence[str] | None = None, **kwargs: Any
    ) -> torch.Tensor:
        """The layer, then its active adapters, or for each row (the first axis) the one that `adapter_names` says."""
        h = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return h
        if adapter_names is None:
            for name in self.active_adapters:
                h = self._after(name, h)
            return h
        out = h.clone()
        for name in sorted({*adapter_names} & self.bottleneck_down.keys()):
            rows = [i for i, wanted in enumerate(adapter_names) if wanted == name]
            out[rows] = self._after(name, h[rows])
        return out

    def _after(self, name: str, h: torch.Tensor) -> torch.Tensor:
        """What an adapter makes of a layer's output; the same where it does not follow this layer."""
        if name not in self.bottleneck_down:
            return h
        down, up = self.bottleneck_down[name], self.bottleneck_up[name]
        inner = self.function[name](down(self.dropout[name](h.to(down.weight.dtype))))
        return h + up(inner).to(h.dtype)


class BottleneckModel(BaseTuner):
    """A model with bottleneck adapters in it."""

    prefix = NAME + "_"
    tuner_layer_cls = BottleneckLayer
    target_module_mapping: dict[str, list[str]] = {}  # core.methods.places says where they go

    def _create_and_replace(
        self,
        config: BottleneckConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **kwargs: Any,
    ) -> None:
        """PEFT found a layer that an adapter follows."""
        if isinstance(target, BottleneckLayer):
            target.update_layer(adapter_name, config)
            return
        layer = BottleneckLayer(target, adapter_name, config)
        if adapter_name not in self.active_adapters:  # a further adapter is not trained by itself
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)

    def _check_merge_allowed(self) -> None:
        """PEFT asks before it merges."""
        raise ValueError("Bottleneck adapters have a function in their middle: they cannot be merged into the base.")

    @contextlib.contextmanager
    def _enable_peft_forward_hooks(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        """PEFT calls this around a forward pass: the names of a mixed batch are handed to the layers."""
        names = kwargs.get("adapter_names")
        if names is None:
            yield
            return
        if self.training:
            raise ValueError("A mixed batch is for answering: call model.eval() first.")
        if lacking := {*names} - {BASE} - self.peft_config.keys():
            raise ValueError(f"There is no adapter {', '.join(sorted(lacking))}.")

        def tell(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            return args, {**kwargs, "adapter_names": names}

        told = [m for m in self.modules() if isinstance(m, (BottleneckLayer, AuxiliaryTrainingWrapper))]
        hooks = [module.register_forward_pre_hook(tell, with_kwargs=True) for module in told]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


if _type() not in PEFT_TYPE_TO_CONFIG_MAPPING:
    register_peft_method(name=NAME, config_cls=BottleneckConfig, model_cls=BottleneckModel)

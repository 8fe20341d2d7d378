"""The settings of each method: which parameters are trained. Names and defaults are those of PEFT and bitsandbytes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from core.settings.base import Section, setting


class FullMethod(Section):
    """All weights are trained."""

    name: Literal["full"] = "full"


class _LowRank(Section):
    """What LoRA and QLoRA share."""

    r: int = setting(16, "Rank: how much the adapter can learn.", label="Rank r", ge=1, le=256)
    lora_alpha: int = setting(
        32, "The adapter is scaled by alpha / r; twice the rank is usual.", label="LoRA alpha", ge=1, le=1024
    )
    lora_dropout: float = setting(
        0.05,
        "Share of the adapter's input that is switched off at random.",
        label="LoRA dropout",
        advanced=True,
        ge=0,
        lt=1,
    )
    target_modules: str | tuple[str, ...] = setting(
        "all-linear",
        "Which layers get an adapter: all-linear, or names of modules.",
        label="Target modules",
        advanced=True,
    )
    modules_to_save: tuple[str, ...] | None = setting(
        None,
        "Layers that are trained whole and kept with the adapter, such as lm_head or embed_tokens.",
        label="Modules to save",
        advanced=True,
    )
    use_rslora: bool = setting(
        False,
        "Scale by alpha / sqrt(r) instead of alpha / r, for large ranks (Kalajdzievski 2023).",
        label="Rank-stabilised (rsLoRA)",
        advanced=True,
    )
    use_dora: bool = setting(
        False,
        "Train the length of each weight apart from its direction: often better at small ranks, slower "
        "(Liu et al. 2024).",
        label="Weight-decomposed (DoRA)",
        advanced=True,
    )


class LoraMethod(_LowRank):
    """Two thin matrices beside each chosen layer are trained; the base stays as it is (Hu et al. 2021)."""

    name: Literal["lora"] = "lora"


class QLoraMethod(_LowRank):
    """LoRA on a base that is held in 4 bits (Dettmers et al. 2023)."""

    name: Literal["qlora"] = "qlora"
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = setting(
        "nf4", "How a weight becomes 4 bits: nf4 suits weights that lie around zero.", label="4-bit type", advanced=True
    )
    bnb_4bit_use_double_quant: bool = setting(
        True, "The scales of the 4-bit weights are quantised, too.", label="Double quantisation", advanced=True
    )
    bnb_4bit_compute_dtype: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "What is computed in. auto: as the device does it best.", label="Compute dtype", advanced=True
    )


class AdapterMethod(Section):
    """Small networks between the layers of each block are trained; they cannot be merged (Houlsby et al. 2019)."""

    name: Literal["adapter"] = "adapter"
    placement: Literal["houlsby", "pfeiffer"] = setting(
        "pfeiffer",
        "houlsby: after attention and after the feed-forward part; pfeiffer: after the feed-forward part only.",
        label="Placement",
    )
    reduction_factor: int = setting(
        16, "The width of the model divided by that of the adapter.", label="Reduction factor", ge=1, le=256
    )
    non_linearity: Literal["relu", "gelu", "silu"] = setting(
        "relu", "The function in the middle of the adapter.", label="Non-linearity", advanced=True
    )
    dropout: float = setting(
        0.0,
        "Share of the adapter's input that is switched off at random.",
        label="Adapter dropout",
        advanced=True,
        ge=0,
        lt=1,
    )


class IA3Method(Section):
    """One factor for each key, value and feed-forward number is trained: very few parameters (Liu et al. 2022)."""

    name: Literal["ia3"] = "ia3"
    target_modules: str | tuple[str, ...] = setting(
        "auto",
        "Which layers are scaled: auto takes the keys, the values and the feed-forward part; or names of modules.",
        label="Target modules",
        advanced=True,
    )


class PromptMethod(Section):
    """Vectors in front of every input are trained; the model itself stays as it is (Lester et al. 2021)."""

    name: Literal["prompt"] = "prompt"
    num_virtual_tokens: int = setting(
        20, "How many vectors are put in front.", unit="tokens", label="Virtual tokens", ge=1, le=1024
    )
    prompt_tuning_init: Literal["sample_vocab", "random", "text"] = setting(
        "sample_vocab",
        "Where they begin: at words of the vocabulary drawn by chance, at random numbers, or at the words below.",
        label="Start from",
        advanced=True,
    )
    prompt_tuning_init_text: str | None = setting(
        None, "Words that describe the task, for a start from text.", label="Words to start from", advanced=True
    )


MethodConfig = Annotated[
    FullMethod | LoraMethod | QLoraMethod | AdapterMethod | IA3Method | PromptMethod, Field(discriminator="name")
]
METHODS: dict[str, type[Section]] = {
    "full": FullMethod,
    "lora": LoraMethod,
    "qlora": QLoraMethod,
    "adapter": AdapterMethod,
    "ia3": IA3Method,
    "prompt": PromptMethod,
}
LABELS = {
    "full": "Full fine-tuning",
    "lora": "LoRA",
    "qlora": "QLoRA",
    "adapter": "Adapter",
    "ia3": "IA³",
    "prompt": "Prompt tuning",
}


def in_words(method: Section) -> str:
    """A method for people, with its rank where it has one: "LoRA r 16"."""
    name = LABELS[str(method.model_dump()["name"])]
    return f"{name} r {method.r}" if isinstance(method, _LowRank) else name

"""Presets: each leaves a sound config sound, changes only what it names, and is at rest when applied."""

import itertools

import pytest

from core.config import METHODS, TASKS, RunConfig, build
from core.errors import ConfigError, InputError
from core.presets import PRESETS, Facts, apply, facts_of, preset

# Five, which shares no factor with the counts of the settings below: each meets each.
FACTS = [
    Facts(), Facts(0, 1), Facts(24, 3_000_000), Facts(90_000, 4_000_000_000, "cuda"),
    Facts(10**7, 10**8, "cuda", "encoder"),
]  # fmt: skip
TRAININGS = [
    {}, {"max_steps": 7, "max_minutes": 1, "eval_steps": 3}, {"batching": "packed"}, {"batching": "padding_free"},
    {"early_stopping_patience": 2, "early_stopping_threshold": 0.1, "metric_for_best_model": "accuracy"},
    {"loss": "focal", "per_device_train_batch_size": 3, "gradient_accumulation_steps": 4096},
    {"warmup_steps": 100, "max_steps": 200}, {"max_steps": 4, "early_stopping_patience": 1, "eval_steps": 3},
    {"neftune_noise_alpha": 5, "optim": "paged_adamw_8bit", "gradient_checkpointing": True},
]  # fmt: skip


def configs():
    """Every sound config of these."""
    parts = itertools.product(TASKS, (None, "lm", "task"), METHODS, TRAININGS, (0, 0.1))
    for task, head, method, training, validation in parts:
        values = {"task": task, "model": {"head": head}, "method": {"name": method}, "training": training}
        try:
            yield build(values | {"data": {"validation": validation, "max_tokens": 128}})
        except ConfigError:
            continue


def flat(config):
    return {f"{s}.{k}": v for s, values in config.model_dump().items() if isinstance(values, dict)
            for k, v in values.items()}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_a_sound_config_stays_sound_and_only_what_is_named_changes(name):
    count = 0
    for config, facts in zip(configs(), itertools.cycle(FACTS), strict=False):
        changes = PRESETS[name].changes(config, facts)
        made, count = apply(config, changes), count + 1
        before, after, named = flat(config), flat(made), {c.path for c in changes}
        switched = "method.name" in named
        differ = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
        assert {p for p in differ if not (switched and p.startswith("method."))} <= named
        assert all(after[c.path] == c.value and c.why and not c.why.endswith(".") for c in changes)
        assert all(before.get(c.path) == c.was for c in changes if not switched or c.path == "method.name")
        assert PRESETS[name].changes(made, facts) == [], (config, facts)
    assert count > 300


def test_small_memory_keeps_the_rows_of_an_update_and_lora_s_settings():
    config = build({"method": {"name": "lora", "r": 8, "lora_dropout": 0.2},
                    "training": {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 3}})  # fmt: skip
    made = apply(config, preset("small").changes(config, Facts(100, 10**9, "cuda")))
    assert (made.method.name, made.method.r, made.method.lora_dropout) == ("qlora", 8, 0.2)
    assert made.training.per_device_train_batch_size * made.training.gradient_accumulation_steps == 12
    assert made.training.gradient_checkpointing
    assert apply(config, preset("small").changes(config, Facts(100, 10**9))).method.name == "lora"


def test_small_memory_leaves_a_pair_others_to_be_told_from():
    config = build({"task": "similarity", "training": {"per_device_train_batch_size": 32}})
    made = apply(config, preset("small").changes(config, Facts())).training
    assert (made.per_device_train_batch_size, made.gradient_accumulation_steps) == (8, 4)


def test_what_presets_are_for():
    config = RunConfig()
    quick, best = (apply(config, preset(n).changes(config, Facts(5_000))).training for n in ("quick", "best"))
    assert quick.max_steps == 60 and quick.num_train_epochs == 1
    assert best.max_steps is None and best.num_train_epochs == 6 and best.early_stopping_patience == 4
    assert best.eval_steps == best.save_steps
    none_kept = build({"data": {"validation": 0}})
    assert all("early" not in c.path for c in preset("best").changes(none_kept, Facts(5_000)))


def test_facts_are_read_and_what_cannot_be_is_not_known(tiny_llama, rows_file):
    data = {"path": str(rows_file), "template": "{phrase}\n{tone}", "validation": 0.25}
    facts = facts_of(build({"model": {"path": str(tiny_llama)}, "data": data}))
    assert (facts.rows, facts.kind) == (18, "decoder") and 50_000 < facts.parameters < 200_000
    nothing = facts_of(build({"model": {"path": "no/where/at all"}, "data": {"path": "no.csv"}}))
    assert (nothing.rows, nothing.parameters, nothing.kind) == (None, None, "decoder")


def test_an_unknown_preset_is_said():
    with pytest.raises(InputError, match="There is no preset 'quik'. Did you mean 'quick'?"):
        preset("quik")

"""Predicted memory and time: what autograd keeps is counted to the number, parts add up, limits and runs are heeded."""

import dataclasses
import json
import time

import pytest

from core.config import METHODS, build
from core.data.lengths import Lengths
from core.models import memory, speed
from core.models.memory import by_cut_off, estimate, kept_numbers, peak_parts
from core.models.shapes import read_shape
from core.models.ways import WAYS, optimizer_bytes, trained_weights
from core.runs import store
from core.runs.machine import Machine
from tests import factory

MACHINE = Machine("cpu", "", 2, 1, 2**34, 2**33)
CARD = Machine("cuda", "NVIDIA L4", 8, 7, 24 * 2**30, 23 * 2**30)
LENGTHS = Lengths(tuple(range(20, 220)), 2000, 0.3)
METHOD = {
    "full": {"name": "full"},
    "lora": {"name": "lora", "r": 4},
    "plain": {"name": "lora", "r": 4, "lora_dropout": 0},
    "dora": {"name": "lora", "r": 4, "use_dora": True, "target_modules": "q_proj,c_attn,down_proj,mlp.c_proj,o_proj"},
    "qlora": {"name": "qlora", "r": 4, "modules_to_save": ["lm_head"]},
    "pfeiffer": {"name": "adapter", "dropout": 0.1},
    "houlsby": {"name": "adapter", "placement": "houlsby", "non_linearity": "gelu"},
    "ia3": {"name": "ia3"},
    "prompt": {"name": "prompt", "num_virtual_tokens": 7},
}


QUICK = ("full", "lora", "dora", "ia3", "prompt")


@pytest.fixture(autouse=True)
def known_speed(monkeypatch, tmp_path):
    """A processor of known speed, and no runs but those of the test."""
    monkeypatch.setattr(speed, "one_core", lambda: speed.REFERENCE)
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path / "runs"))


def config(method="lora", model="assets/demo-model", **sections):
    return build({"model": {"path": str(model)}, "method": METHOD[method], **sections})


def named(method, model):
    """The same with those of the named layers that the model has."""
    shape, settings = read_shape(model), dict(METHOD[method])
    if "target_modules" in settings:
        settings["target_modules"] = [n for n in settings["target_modules"].split(",") if shape.targets(n)]
    return build({"model": {"path": str(model)}, "method": settings})


# What autograd keeps


def kept_by_autograd(folder, given, rows, tokens):
    """Numbers that a forward pass keeps for the way back, weights aside; each storage once."""
    import torch

    from core.methods import method
    from core.models.load import load_base, precision
    from core.training.losses import token_loss

    way = method(given.method.name)
    model = load_base(str(folder), quantization=way.quantization(given.method, precision()))
    model = way.prepare(model, given.method, str(folder), None).train()
    if given.training.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    found = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage  # held, so that no other takes its place
        return tensor

    ids = torch.randint(5, 300, (rows, tokens), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, tokens // 2 :] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_loss(model(input_ids=ids, attention_mask=mask, use_cache=False), ids)
    return sum(storage.nbytes() for storage in found.values()) / 4


SIZES = {
    "hidden_size": 128,
    "intermediate_size": 224,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 32,
}


@pytest.mark.parametrize(
    "family", [f if f in ("llama", "gpt2") else pytest.param(f, marks=pytest.mark.slow) for f in factory.DECODERS]
)
@pytest.mark.parametrize("method", [m if m in QUICK else pytest.param(m, marks=pytest.mark.slow) for m in METHOD])
def test_what_a_block_keeps_is_counted(family, method, tmp_path):
    """Of models that differ by one block; a few numbers for each token that have no width are not counted."""
    rows, tokens, kept, counted = 2, 48, [], []
    for layers in (2, 3):
        sizes = {"n_embd": 128, "n_layer": layers} if family == "gpt2" else SIZES | {"num_hidden_layers": layers}
        sizes |= {"layer_types": ["full_attention"] * layers} if family.startswith("gemma") else {}
        folder = factory.tiny_model(family, tmp_path / str(layers), **sizes)
        given = named(method, folder)
        kept.append(kept_by_autograd(folder, given, rows, tokens))
        token, square, fixed = kept_numbers(given, read_shape(folder))
        width = tokens + memory.in_front(given)
        counted.append(rows * width * (token + square * width) + fixed)
    assert counted[1] - counted[0] == pytest.approx(kept[1] - kept[0], rel=0.025)


@pytest.mark.parametrize("method", ["full", "plain"])
def test_with_checkpointing_a_block_keeps_what_goes_in(method, tmp_path):
    rows, tokens, kept, counted = 2, 48, [], []
    for layers in (2, 3):
        folder = factory.tiny_model("llama", tmp_path / str(layers), **SIZES | {"num_hidden_layers": layers})
        given = config(method, folder, training={"gradient_checkpointing": True})
        kept.append(kept_by_autograd(folder, given, rows, tokens))
        counted.append(rows * tokens * kept_numbers(given, read_shape(folder))[0])
    assert counted[1] - counted[0] == pytest.approx(kept[1] - kept[0], rel=0.025)
    plain = config(method, folder)
    assert kept_numbers(given, read_shape(folder))[0] < kept_numbers(plain, read_shape(folder))[0]


@pytest.mark.parametrize(
    "family", [f if f in ("phi3", "t5") else pytest.param(f, marks=pytest.mark.slow) for f in factory.FAMILIES]
)
@pytest.mark.parametrize("method", METHOD)
def test_trained_weights_are_those_that_peft_makes(family, method, tiny_models):
    from core.methods import method as module
    from core.models.heads import CAUSAL, SEQ2SEQ, VECTOR
    from core.models.load import load_base, parameters

    if method == "full" and family not in factory.DECODERS:
        return  # the files of an encoder have a head that another takes the place of
    folder = tiny_models(family)
    shape, given = read_shape(folder), named(method, folder)
    if family in ("bert", "distilbert") and method == "qlora":
        given = build({"model": {"path": str(folder)}, "method": {"name": "qlora", "r": 4}})
    if method == "dora" and not given.method.target_modules:
        given = build({"model": {"path": str(folder)}, "method": {"name": "lora", "r": 3, "use_dora": True}})
    head = SEQ2SEQ if family == "t5" else VECTOR if family in ("bert", "distilbert") else CAUSAL
    way = module(given.method.name)
    tuned = way.prepare(load_base(str(folder), head=head), given.method, str(folder), None, head)
    pooler = sum(p.numel() for n, p in tuned.named_parameters() if "pooler" in n and p.requires_grad)
    assert trained_weights(given, shape) == parameters(tuned)["trained"] - pooler


@pytest.mark.parametrize("head", ["sequence_classification", "token_classification"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "llama", "gpt2"])
def test_the_weights_of_a_head_are_counted(family, head, tiny_models):
    from core.methods import method as module
    from core.models.heads import HEADS
    from core.models.load import load_base, parameters

    folder, head = tiny_models(family), HEADS[head]
    given = build({"model": {"path": str(folder)}, "method": {"name": "lora", "r": 4}})
    model = load_base(str(folder), head=head, labels=[f"label {i}" for i in range(77)])
    tuned = module("lora").prepare(model, given.method, str(folder), None, head)
    assert trained_weights(given, read_shape(folder).with_head(head, 77)) == parameters(tuned)["trained"]
    assert read_shape(folder).with_head(head, 77).outputs == 77


def test_a_head_takes_the_place_of_the_logits_of_a_vocabulary():
    given = build({"task": "classification", "model": {"path": "assets/demo-model", "head": "task"}})
    written = build({"task": "classification", "model": {"path": "assets/demo-model"}})
    few, many = estimate(given, LENGTHS, 8, MACHINE, 5), estimate(given, LENGTHS, 8, MACHINE, 77)
    assert many.trained - few.trained == 72 * read_shape("assets/demo-model").hidden
    assert many.parts["logits"] < estimate(written, LENGTHS, 8, MACHINE).parts["logits"] / 10


def test_optimisers_keep_what_their_papers_say(tmp_path):
    folder = factory.tiny_model("llama", tmp_path / "m")
    shape = read_shape(folder)

    def kept(optim, method="plain"):
        return optimizer_bytes(config(method, folder, training={"optim": optim}), shape)

    trained = trained_weights(config("plain", folder), shape)
    assert (kept("adamw_torch"), kept("paged_adamw_8bit")) == (8 * trained, 2 * trained)
    sides = sum(4 + a.inputs + a.outputs + 4 for a in shape.linears) * shape.layers
    assert kept("adafactor") == 4 * sides
    assert kept("adafactor", "full") < kept("adamw_8bit", "full") / 8


# The prediction


def test_every_method_is_known():
    assert set(METHODS) <= set(WAYS)


def test_parts_add_up_and_more_of_anything_takes_more():
    made = estimate(config(), LENGTHS, 100, MACHINE)
    assert made.peak_bytes == sum(made.parts.values()) and made.seconds == sum(made.times.values())
    assert made.fits and "GFLOP/s" in made.basis
    assert made.notes == ["Lengths are those of 200 of the 2,000 rows."]
    larger = estimate(config(training={"per_device_train_batch_size": 16}), LENGTHS, 100, MACHINE)
    assert larger.peak_bytes > made.peak_bytes and larger.steps < made.steps
    full = estimate(config("full"), LENGTHS, 100, MACHINE)
    assert full.parts["optimizer"] == 8 * full.parameters == 2 * full.parts["gradients"]
    assert full.parts["weights"] == 4 * full.parameters and full.trained == full.parameters
    tight = dataclasses.replace(MACHINE, free=made.peak_bytes - 1)
    assert not estimate(config(), LENGTHS, 100, tight).fits


def test_accumulation_costs_time_for_an_update_and_no_memory():
    one = estimate(config(), LENGTHS, 0, MACHINE)
    four = estimate(config(training={"gradient_accumulation_steps": 4}), LENGTHS, 0, MACHINE)
    assert four.parts == one.parts and (one.steps, four.steps) == (750, 3 * 63)
    assert four.times["training"] == pytest.approx(one.times["training"], rel=0.05)


def test_a_large_vocabulary_is_fullest_where_rows_are_validated(tmp_path):
    folder = factory.tiny_model("smollm", tmp_path / "m", vocab_size=100_000)
    small = {"per_device_train_batch_size": 1}
    without = estimate(config("lora", folder, training=small), Lengths((60,) * 50, 50, 0.2), 0, MACHINE)
    with_kept = estimate(config("lora", folder, training=small), Lengths((60,) * 50, 50, 0.2), 10, MACHINE)
    assert with_kept.parts["logits"] > 3 * without.parts["logits"]
    assert with_kept.parts["gradients"] == 0  # they are gone while rows are validated


def test_a_card_keeps_frozen_weights_in_half_precision_and_says_that_it_is_not_verified():
    made = estimate(config(), LENGTHS, 0, CARD)
    assert made.parts["weights"] == 2 * made.parameters + 4 * made.trained
    assert any("not verified" in note for note in made.notes) and "not verified" in made.basis


def test_four_bits_for_the_linear_layers_of_a_frozen_base():
    """On a graphics card; on a CPU they save nothing at the fullest moment."""
    shape, load = read_shape("assets/demo-model"), LENGTHS.under(128, 8)

    def weights(device, **method):
        return peak_parts(build({"method": method}), shape, load, 0.3, 0, device)["weights"]

    assert weights("cpu", name="lora") == weights("cpu", name="qlora")
    saved = weights("cuda", name="lora") - weights("cuda", name="qlora")
    assert saved == pytest.approx(shape.inside * (2 - 4.127 / 8), abs=2)
    plain = weights("cuda", name="qlora", bnb_4bit_use_double_quant=False)
    assert plain - weights("cuda", name="qlora") == pytest.approx(shape.inside * (4.5 - 4.127) / 8, abs=2)


def test_virtual_tokens_take_room_and_time():
    few, many = (
        estimate(build({"method": {"name": "prompt", "num_virtual_tokens": n}}), LENGTHS, 100, MACHINE)
        for n in (1, 200)
    )
    assert many.parts["activations"] > few.parts["activations"] and many.parts["logits"] > few.parts["logits"]
    assert many.times["training"] > few.times["training"] and many.trained == 200 * few.trained


def test_checkpointing_takes_less_memory_and_more_time():
    kept, again = (
        estimate(config("full", training={"gradient_checkpointing": on}), LENGTHS, 0, MACHINE) for on in (False, True)
    )
    assert again.parts["activations"] < kept.parts["activations"] / 2
    assert again.times["training"] > kept.times["training"]


def test_rows_that_share_a_sequence_are_fewer_updates_and_a_batch_in_one_is_as_wide_as_it():
    made = {
        way: estimate(config(training={"batching": way}), LENGTHS, 0, MACHINE)
        for way in ("grouped", "packed", "padding_free")
    }
    load = LENGTHS.under(512, 8, batching="packed")
    assert made["packed"].steps == 3 * load.batches < made["grouped"].steps == made["padding_free"].steps
    assert made["packed"].parts["logits"] == made["grouped"].parts["logits"]  # as many tokens at most, 8 x 219
    sequences, widest = LENGTHS.under(512, 8, batching="padding_free").fullest
    assert sequences == 1 and 219 < widest < 8 * 219
    share = made["padding_free"].parts["logits"] / made["grouped"].parts["logits"]
    assert share == pytest.approx(widest / (8 * 219), rel=1e-6)


def test_the_table_of_limits_is_the_estimate_at_each():
    given = config(data={"max_tokens": 96})
    table = by_cut_off(given, LENGTHS, 100, MACHINE)
    assert 35 <= len(table) <= 42 and [c.limit for c in table] == sorted({c.limit for c in table})
    here = next(c for c in table if c.limit == 96)
    made, load = estimate(given, LENGTHS, 100, MACHINE), LENGTHS.under(96, 8)
    assert (here.seconds, here.peak_bytes, here.steps, here.fits) == (made.seconds, made.peak_bytes, made.steps, True)
    assert (here.truncated, here.padding, here.tokens) == (load.truncated, load.padding, load.tokens)
    assert table[0].limit == 8 and table[-1].limit >= 219 and table[-1].truncated == 0
    assert [c.truncated for c in table] == sorted((c.truncated for c in table), reverse=True)
    assert [c.peak_bytes for c in table] == sorted(c.peak_bytes for c in table)
    assert [c.limit for c in by_cut_off(given, LENGTHS, 0, MACHINE, [64, 32, 64])] == [32, 64]


def test_where_long_rows_are_left_out_a_lower_limit_means_fewer_updates():
    table = by_cut_off(config(data={"fixes": ["drop_long"]}), LENGTHS, 0, MACHINE, [8, 100, 300])
    assert table[0].rows == table[0].steps == 0 and table[0].seconds > 0
    assert table[1].steps < table[2].steps and table[1].rows < table[2].rows == 2000


def test_a_family_that_is_not_known_is_said(tmp_path):
    folder = factory.tiny_model("llama", tmp_path / "m")
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | {"model_type": "new"}))
    assert any(
        "The family new is not known" in note for note in estimate(config(model=folder), LENGTHS, 0, MACHINE).notes
    )


# Earlier runs


def run_of(given, seconds, machine=MACHINE, disturbed=()):
    """A run whose updates took so long, with 1,000 tokens each."""
    run = store.create(given)
    known = run.environment() | {"cpus": machine.cpus, "device": {"type": "cpu", "threads": machine.threads}}
    (run.dir / "environment.json").write_text(json.dumps(known))
    events, t = [], time.time()
    for step in range(10, 60, 10):
        if step in disturbed:
            events.append({"kind": "eval", "step": step - 5, "t": t})
            t += 1000
        t += 10 * seconds
        rate = {"all_tokens_per_second": 1000 / seconds, "tokens_per_second": 300 / seconds}
        events.append({"kind": "log", "step": step, "t": t, **rate})
    (run.dir / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    return run


def test_an_earlier_run_says_how_fast_this_machine_is():
    counted = estimate(config(), LENGTHS, 0, MACHINE)
    run = run_of(config(), 2.0, disturbed=(30,))
    first = estimate(config(), LENGTHS, 0, MACHINE)
    assert run.id in first.basis
    given = config()
    update = memory.work_of(given, read_shape("assets/demo-model"), 1000, 1000 / 8, 0.3, 1)
    slower = 2.0 / speed.rate_of(MACHINE).seconds(update)
    assert first.times["training"] == pytest.approx(counted.times["training"] * slower)
    assert first.parts == counted.parts


def test_runs_of_other_models_methods_and_machines_say_nothing(tmp_path):
    run_of(config("full"), 2.0)
    run_of(config(model=factory.tiny_model("llama", tmp_path / "m")), 2.0)
    run_of(config(), 2.0, dataclasses.replace(MACHINE, threads=7))
    run_of(config(), 2.0, disturbed=(20, 30, 40, 50))
    assert "GFLOP/s" in estimate(config(), LENGTHS, 0, MACHINE).basis


@pytest.mark.slow
def test_a_real_training_takes_the_memory_that_was_predicted(tmp_path):
    from tests.bench.memory import measure

    peak, _ = measure(quick=True)
    assert peak.ours == pytest.approx(peak.theirs, rel=0.25)

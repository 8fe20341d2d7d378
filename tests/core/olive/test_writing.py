"""A config as a workflow: its shape, what it cannot say, the way back, and Olive itself where there is one."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from core.config import build, load
from core.errors import InputError
from core.export.targets import TARGETS
from core.olive import read, workflow
from tests.conftest import ROOT

# What Olive 0.13.0 takes, read off its own classes: RunConfig, DataConfig, TextGenParams, LoRA and QLoRA with
# HFTrainingArguments, and ModelBuilder. A name that is not here is refused or silently left out by it.
TOP = {
    "workflow_id", "input_model", "systems", "data_configs", "evaluators", "engine", "passes", "auto_optimizer_config",
    "search_strategy", "host", "target", "evaluator", "plot_pareto_frontier", "no_artifacts", "evaluate_input_model",
    "output_dir", "packaging_config", "cache_config", "cache_dir", "clean_cache", "clean_evaluation_cache",
    "enable_shared_cache", "log_severity_level", "ort_log_severity_level", "ort_py_log_severity_level", "log_to_file",
}  # fmt: skip
MODEL = {"type", "model_path", "task", "load_kwargs", "adapter_path"}
SET = {"name", "type", "load_dataset_config", "pre_process_data_config"}
LOADED = {"data_name", "data_files", "split", "subset", "data_dir", "sep"}
TEXT = {
    "max_samples", "max_seq_len", "pad_to_max_len", "padding_side", "drop_short_sequences", "use_attention_mask",
    "chat_template", "message_col", "add_special_tokens", "text_template", "text_cols", "strategy", "stride", "joiner",
}  # fmt: skip
LORA = {
    "type", "r", "alpha", "lora_dropout", "target_modules", "modules_to_save", "torch_dtype", "device_map",
    "train_data_config", "eval_data_config", "training_args",
}  # fmt: skip
QLORA = LORA | {"quant_type", "double_quant", "compute_dtype", "save_quant_config"}
ARGUMENTS = {
    "learning_rate", "lr_scheduler_type", "warmup_ratio", "warmup_steps", "eval_strategy", "gradient_checkpointing",
    "report_to", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps", "optim",
    "weight_decay", "max_grad_norm", "label_smoothing_factor", "neftune_noise_alpha", "logging_steps", "eval_steps",
    "save_steps", "save_total_limit", "seed",
}  # fmt: skip
BUILDER = {
    "type",
    "precision",
    "int4_block_size",
    "int4_accuracy_level",
    "int4_is_symmetric",
    "use_qdq",
    "extra_options",
}

TEXTUAL = {"path": "rows.jsonl", "template": "{a} -> {b}"}


def as_olive_takes_it(made) -> None:
    assert set(made) <= TOP and set(made["input_model"]) <= MODEL and made["input_model"]["type"] == "HfModel"
    names = [one["name"] for one in made["data_configs"]]
    assert len(names) == len(set(names))
    for one in made["data_configs"]:
        assert set(one) <= SET and one["type"] == "HuggingfaceContainer"
        assert set(one["load_dataset_config"]) <= LOADED and set(one["pre_process_data_config"]) <= TEXT
    train, merge, builder = made["passes"].values()
    assert {"LoRA": LORA, "DoRA": LORA, "QLoRA": QLORA}[train["type"]] >= set(train)
    assert train["train_data_config"] in names and train.get("eval_data_config", names[0]) in names
    assert isinstance(train.get("target_modules", []), list) and set(train["training_args"]) <= ARGUMENTS
    assert train["torch_dtype"] in ("float32", "bfloat16", "float16")
    assert merge == {"type": "MergeAdapterWeights"}
    assert set(builder) <= BUILDER and builder["precision"] in ("fp32", "fp16", "bf16", "int8", "int4")
    assert made["target"] in made["systems"]
    accelerator = made["systems"][made["target"]]["accelerators"][0]
    assert accelerator["device"] in ("cpu", "gpu", "npu") and accelerator["execution_providers"][0].endswith("Provider")
    json.dumps(made)


@pytest.mark.parametrize("name", ["fields", "instructions", "summary", "tone"])
def test_the_demo_configs_become_workflows(name):
    config = load(ROOT / "assets" / "configs" / f"{name}.yaml")
    made, notes = workflow(config, "cpu", "int4")
    as_olive_takes_it(made)
    assert made["passes"]["build"] == {
        "type": "ModelBuilder", "precision": "int4", "int4_block_size": 32, "int4_accuracy_level": 4
    }  # fmt: skip
    assert {"down_proj", "q_proj", "v_proj"} < set(made["passes"]["train"]["target_modules"])
    text = made["data_configs"][0]["pre_process_data_config"]
    assert text.get("chat_template") is True if name == "instructions" else text["text_template"].endswith("<|end|>")
    assert {"data.validation", "data.train_on", "method.target_modules"} <= {note.option for note in notes}
    assert str(ROOT) not in json.dumps(made)


@pytest.mark.parametrize("device", list(TARGETS))
def test_every_device_has_a_provider_of_olives_or_a_sentence(device):
    config = build({"data": TEXTUAL, "model": {"path": "a/b"}})
    if device in ("openvino", "qnn"):
        with pytest.raises(InputError, match="ModelBuilder pass does not build for .* take one of cpu, cuda,"):
            workflow(config, device)
        return
    made, notes = workflow(config, device)
    as_olive_takes_it(made)
    assert made["passes"]["build"]["precision"] == TARGETS[device].default
    assert ("export.device" in {note.option for note in notes}) == (device == "mobile")
    again = read(json.dumps(made))
    assert again.export["device"] == device.replace("mobile", "cpu")
    assert again.export["precision"] == TARGETS[device].default


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"method": {"name": "full"}}, "method.name"),
        ({"method": {"name": "ia3"}}, "method.name"),
        ({"task": "similarity"}, "model.head"),
        ({"task": "classification", "model": {"path": "a/b", "head": "task"}}, "model.head"),
    ],
)
def test_what_olive_cannot_train_is_said(values, field):
    with pytest.raises(InputError) as caught:
        workflow(build({"data": TEXTUAL, "model": {"path": "a/b"}} | values))
    assert caught.value.field == field and "python -m core export" in str(caught.value)
    with pytest.raises(InputError, match="Did you mean 'cuda'"):
        workflow(build({"data": TEXTUAL}), "cdua")


def test_an_encoder_is_no_decoder(tmp_path):
    from tests.factory import write_tokenizer

    folder = write_tokenizer(tmp_path / "bert", kind="wordpiece", chat=None)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    with pytest.raises(InputError, match="Olive's LoRA pass trains decoders"):
        workflow(build({"data": TEXTUAL, "model": {"path": str(folder)}}))


ELSEWHERE = {
    "task": "generation",
    "model": {"path": "meta-llama/Llama-3.2-1B-Instruct", "revision": "abc"},
    "data": {
        "path": "nampdn-ai/tiny-codes", "name": "en", "split": "train[:4096]", "validation": "train[4096:4224]",
        "template": '{{"q"}} {prompt} {"x": [{response}]}', "max_tokens": 256, "train_on": "all",
    },
    "method": {
        "name": "qlora", "r": 8, "lora_alpha": 8, "lora_dropout": 0.1, "bnb_4bit_quant_type": "fp4",
        "bnb_4bit_use_double_quant": False, "bnb_4bit_compute_dtype": "float16", "modules_to_save": ["lm_head"],
        "target_modules": ["q_proj", "v_proj"],
    },
    "training": {
        "learning_rate": 1e-4, "num_train_epochs": 2, "max_steps": 30, "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2, "lr_scheduler_type": "linear", "warmup_steps": 5, "optim": "adamw_8bit",
        "weight_decay": 0.01, "max_grad_norm": 0.5, "label_smoothing_factor": 0.1, "neftune_noise_alpha": 5,
        "mixed_precision": "bf16", "gradient_checkpointing": True, "logging_steps": 3, "eval_steps": 4, "save_steps": 6,
        "save_total_limit": 3, "report_to": ["tensorboard"], "seed": 7,
    },
}  # fmt: skip


def back(config, **kwargs):
    made, notes = workflow(config, **kwargs)
    return build(read(json.dumps(made)).config).model_dump(), {note.option for note in notes}


@pytest.mark.parametrize("precision", ["int4", "int8"])
def test_there_and_back_is_the_same_config(precision):
    """A config that a workflow can say whole; its end token is named, for the model is not here to ask."""
    config = build(ELSEWHERE)
    again, named = back(config, precision=precision)
    assert named == {"data.template"}
    assert again == config.model_dump()


@pytest.mark.parametrize("name", ["fields", "instructions", "summary", "tone"])
def test_what_does_not_come_back_was_named(name):
    config = load(ROOT / "assets" / "configs" / f"{name}.yaml")
    again, named = back(config)
    for section, values in config.model_dump().items():
        for key, value in values.items() if isinstance(values, dict) else [("", values)]:
            path = f"{section}.{key}".rstrip(".")
            if (again[section][key] if key else again[section]) != value:
                assert path in named | {"data.split"}, path  # the split is how Olive keeps rows back
    assert named - {"data.template"} <= {
        "data.validation", "data.train_on", "method.target_modules", "training.mixed_precision", "evaluation.data",
        "evaluation.max_new_tokens", "task",
    }  # fmt: skip


def test_settings_without_a_word_are_named():
    config = build(
        {
            "model": {"path": "a/b"},
            "data": TEXTUAL | {"validation": 0.2, "fixes": ["drop_duplicates"], "group_by": "a", "split": "[:50]"},
            "augmentation": {"copies": 1, "swap": 0.1},
            "method": {"name": "qlora", "use_rslora": True, "use_dora": True},
            "training": {
                "loss": "focal", "batching": "packed", "early_stopping_patience": 2, "max_minutes": 5, "sample_rows": 9,
                "metric_for_best_model": "exact_match",
            },
        }
    )  # fmt: skip
    made, notes = workflow(config)
    as_olive_takes_it(made)
    named = {note.option: note for note in notes}
    for path in (
        "data.fixes", "data.group_by", "augmentation.copies", "method.use_rslora", "method.use_dora", "training.loss",
        "training.batching", "training.early_stopping_patience", "training.max_minutes", "training.sample_rows",
        "training.metric_for_best_model", "data.validation", "training.learning_rate", "data.template",
    ):  # fmt: skip
        assert named[path].reason.endswith("."), path
    assert "none are kept back" in named["data.validation"].reason and len(made["data_configs"]) == 1


def test_files_keep_their_readers_and_rows_their_places():
    def loaded(**data):
        made, notes = workflow(build({"model": {"path": "a/b"}, "data": TEXTUAL | data}))
        return [one["load_dataset_config"] for one in made["data_configs"]], {note.option for note in notes}

    sets, _ = loaded(path="rows.csv", validation="kept.parquet")
    assert sets == [
        {"data_name": "csv", "data_files": "rows.csv", "split": "train"},
        {"data_name": "parquet", "data_files": "kept.parquet", "split": "train"},
    ]
    sets, named = loaded(path="rows.tsv[:90]", validation=0)
    assert sets == [{"data_name": "csv", "data_files": "rows.tsv", "split": "train[:90]", "sep": "\t"}]
    assert "data.validation" not in named
    sets, named = loaded(folds=5, fold=2)
    assert [one["split"] for one in sets] == ["train[:80%]", "train[80%:]"] and "data.folds" in named
    sets, named = loaded(validation="[90%:]")
    assert [one["split"] for one in sets] == ["train", "train[90%:]"] and "data.validation" in named


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not os.environ.get("TUNESMITH_OLIVE"), reason="TUNESMITH_OLIVE names no environment that has Olive")
def test_olive_itself_runs_the_workflow(tmp_path):
    """With olive-ai 0.13.0 and onnxruntime-genai 0.14.1 in the environment's folder; status 0 alone says nothing."""
    config = load(ROOT / "assets" / "configs" / "tone.yaml", ["training.max_steps=4", "training.eval_steps=2"])
    made, _ = workflow(config, "cpu", "int4")
    (tmp_path / "workflow.json").write_text(
        json.dumps(made | {"cache_dir": str(tmp_path / "c"), "output_dir": str(tmp_path / "o")})
    )
    home = Path(os.environ["TUNESMITH_OLIVE"])
    env = os.environ | {
        "CI": "1",
        "OLIVE_DISABLE_TELEMETRY": "1",
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    line = [str(home / "bin" / "olive"), "run", "--config", str(tmp_path / "workflow.json")]
    done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o" / "model.onnx").is_file(), done.stdout[-3000:]
    assert (tmp_path / "o" / "genai_config.json").is_file()

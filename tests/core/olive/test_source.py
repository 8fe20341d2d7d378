"""What the source teaches of Olive: its commands and workflows, block by block, become settings that can be used."""

import shlex

import pytest

from core.__main__ import parser
from core.config import build
from core.errors import InputError
from core.olive import read

FINETUNE = r"""
# Basic fine-tuning command
olive finetune \
  --model_name_or_path meta-llama/Llama-3.2-1B-Instruct \
  --trust_remote_code \
  --output_path models/llama/ft \
  --data_name xxyyzzz/phrase_classification \
  --text_template "<|start_header_id|>user<|end_header_id|>\n{phrase}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n{tone}" \
  --method lora \
  --max_steps 100 \
  --log_level 1
"""  # noqa: E501
AUTO_OPT = r"""
# Convert to ONNX format for optimized inference
olive auto-opt \
  --model_name_or_path models/llama/ft/model \
  --adapter_path models/llama/ft/adapter \
  --device cpu \
  --provider CPUExecutionProvider \
  --use_ort_genai \
  --output_path models/llama/onnx \
  --log_level 1
"""
WORKFLOW = r"""
model:
  type: PyTorchModel
  config:
    model_path: "microsoft/DialoGPT-medium"
    task: "text-generation"

data_configs:
  - name: "custom_dataset"
    type: "HuggingfaceContainer"
    load_dataset_config:
      data_files: "path/to/your/dataset.json"
      split: "train"
    pre_process_data_config:
      text_template: "User: {input}\nAssistant: {output}"

passes:
  lora:
    type: LoRA
    config:
      r: 16
      lora_alpha: 32
      target_modules: ["c_attn", "c_proj"]
      modules_to_save: ["ln_f", "lm_head"]
"""
QLORA = r"""
olive finetune \
  --method qlora \
  --model_name_or_path meta-llama/Meta-Llama-3-8B \
  --data_name nampdn-ai/tiny-codes \
  --train_split "train[:4096]" \
  --eval_split "train[4096:4224]" \
  --text_template "### Language: {programming_language} \n### Question: {prompt} \n### Answer: {response}" \
  --per_device_train_batch_size 16 \
  --per_device_eval_batch_size 16 \
  --max_steps 150 \
  --logging_steps 50 \
  --output_path adapters/tiny-codes
"""
ADAPTERS = r"""
# Train multiple LoRA adapters
olive finetune --method lora --task_name "classification" --output_path adapters/classifier
olive finetune --method lora --task_name "generation" --output_path adapters/generator

# Generate multi-adapter ONNX model
olive generate-adapter \
  --base_model_path models/base \
  --adapter_paths adapters/classifier,adapters/generator \
  --output_path models/multi-adapter
"""
SEARCH = """
search_strategy:
  type: "random"
  num_trials: 20

search_space:
  learning_rate:
    type: "float"
    low: 1e-6
    high: 1e-3
    log: true

  lora_r:
    type: "int"
    low: 8
    high: 64

  batch_size:
    type: "choice"
    values: [8, 16, 32]
"""
LOGGING = r"""
olive finetune \
  --logging_steps 10 \
  --eval_steps 50 \
  --save_steps 100 \
  --logging_dir ./logs \
  --report_to tensorboard
"""
REGULAR = """
passes:
  lora:
    type: LoRA
    config:
      r: 16  # Reduce rank to prevent overfitting
      lora_alpha: 16  # Lower alpha value
      lora_dropout: 0.1  # Add dropout
      weight_decay: 0.01  # L2 regularization
"""
MEMORY = r"""
olive finetune \
  --method qlora \
  --gradient_checkpointing true \
  --per_device_train_batch_size 1 \
  --gradient_accumulation_steps 16
"""
FASTER = """
training_config:
  fp16: true  # Mixed precision
  dataloader_num_workers: 4
  optim: "adamw_torch"
  lr_scheduler_type: "cosine"
"""


def options(notes) -> set[str]:
    return {note.option for note in notes}


def test_the_first_training():
    found = read(FINETUNE)
    config = build(found.config)
    assert (
        config.model.path == "meta-llama/Llama-3.2-1B-Instruct" and config.data.path == "xxyyzzz/phrase_classification"
    )
    assert config.data.template == (
        "<|start_header_id|>user<|end_header_id|>\n{phrase}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n{tone}"
    )
    assert (config.method.name, config.training.max_steps) == ("lora", 100)
    assert options(found.ignored) == {"--trust_remote_code", "--output_path", "--log_level"}
    # what the command does not say is what Olive takes, and each is named
    assert (config.method.r, config.method.lora_alpha, config.data.max_tokens) == (64, 16, 1024)
    assert (config.training.learning_rate, config.training.lr_scheduler_type) == (2e-4, "constant")
    assert config.data.train_on == "all"
    assert {"--lora_r", "--lora_alpha", "--learning_rate", "--max_seq_len", "data.train_on"} <= options(found.assumed)
    assert not found.missing and found.export is None and not found.more


def test_the_first_export():
    found = read(AUTO_OPT)
    assert found.config is None
    assert found.export == {
        "device": "cpu", "precision": "fp32", "target": "models/llama/ft/adapter", "out": "models/llama/onnx"
    }  # fmt: skip
    assert found.command == (
        "python -m core export models/llama/ft/adapter --device cpu --precision fp32 --out models/llama/onnx"
    )
    assert options(found.ignored) == {"--model_name_or_path", "--use_ort_genai"}


def test_a_training_and_its_export_are_one():
    found = read(FINETUNE + AUTO_OPT)
    assert found.config["training"]["max_steps"] == 100 and not found.more
    assert found.export == {"device": "cpu", "precision": "fp32", "target": "RUN"}
    assert found.command == "python -m core export RUN --device cpu --precision fp32"


def test_the_workflow_in_its_old_form():
    found = read(WORKFLOW)
    config = build(found.config)
    assert config.task == "generation" and config.model.path == "microsoft/DialoGPT-medium"
    assert config.data.path == "path/to/your/dataset.json" and config.data.split is None
    assert config.data.template == "User: {input}\nAssistant: {output}"
    assert (config.method.r, config.method.lora_alpha) == (16, 32)
    assert config.method.target_modules == ("c_attn", "c_proj")
    assert config.method.modules_to_save == ("ln_f", "lm_head")
    assert not found.ignored


def test_olive_run_reads_the_workflow_that_it_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "olive-config.yaml").write_text(WORKFLOW)
    found = read("# Run with custom configuration\nolive run --config olive-config.yaml --setup\n")
    assert found.config == read(WORKFLOW).config and options(found.ignored) == {"--setup"}
    with pytest.raises(InputError, match="'nothing.yaml' cannot be read: no such file"):
        read("olive run --run-config nothing.yaml")


def test_qlora_with_slices():
    found = read(QLORA)
    config = build(found.config)
    assert config.method.name == "qlora" and config.model.path == "meta-llama/Meta-Llama-3-8B"
    assert (config.data.path, config.data.split, config.data.validation) == (
        "nampdn-ai/tiny-codes", "train[:4096]", "train[4096:4224]")  # fmt: skip
    assert config.data.template == (
        "### Language: {programming_language} \n### Question: {prompt} \n### Answer: {response}"
    )
    t = config.training
    assert (t.per_device_train_batch_size, t.max_steps, t.logging_steps) == (16, 150, 50)
    assert options(found.ignored) == {"--per_device_eval_batch_size", "--output_path"}


def test_several_adapters():
    found = read(ADAPTERS)
    assert found.config["task"] == "classification" and len(found.missing) == 2
    second, package = found.more
    assert second.config["task"] == "generation"
    assert package.export["target"] == "adapters/classifier" and package.export["adapters"] == ["adapters/generator"]
    assert package.export["keep_adapter"] is True
    assert "export adapters/classifier --device cpu --adapters adapters/generator --out models/multi-adapter" in (
        package.command
    )
    assert options(package.ignored) == {"--base_model_path"}
    taken = parser(["export"]).parse_args(shlex.split(package.command)[3:])
    assert taken.adapters == "adapters/generator" and taken.out == "models/multi-adapter"


def test_the_search_is_kept_for_later_and_said_not_to_run():
    found = read(SEARCH)
    assert found.config is None
    assert found.search == {
        "strategy": "random",
        "trials": 20,
        "space": {
            "training.learning_rate": {"type": "float", "low": 1e-6, "high": 1e-3, "log": True},
            "method.r": {"type": "int", "low": 8, "high": 64, "log": False},
            "training.per_device_train_batch_size": {"type": "choice", "values": [8, 16, 32]},
        },
    }
    assert options(found.ignored) == {
        "search_strategy", "search_space.learning_rate", "search_space.lora_r", "search_space.batch_size"
    }  # fmt: skip


def test_parts_of_a_config_and_of_a_command():
    t = build(read(LOGGING).config).training
    assert (t.logging_steps, t.eval_steps, t.save_steps, t.report_to) == (10, 50, 100, ("tensorboard",))
    assert options(read(LOGGING).ignored) == {"--logging_dir"} and len(read(LOGGING).missing) == 2

    regular = build(read(REGULAR).config)
    assert (regular.method.r, regular.method.lora_alpha, regular.method.lora_dropout) == (16, 16, 0.1)
    assert regular.training.weight_decay == 0.01 and not read(REGULAR).ignored

    small = build(read(MEMORY).config)
    assert small.method.name == "qlora" and small.training.gradient_checkpointing
    assert (small.training.per_device_train_batch_size, small.training.gradient_accumulation_steps) == (1, 16)

    found = read(FASTER)
    assert found.config == {
        "training": {"mixed_precision": "fp16", "optim": "adamw_torch", "lr_scheduler_type": "cosine"}
    }
    assert options(found.ignored) == {"training_config.dataloader_num_workers"}


@pytest.mark.parametrize(
    "text", [FINETUNE, AUTO_OPT, WORKFLOW, QLORA, ADAPTERS, SEARCH, LOGGING, REGULAR, MEMORY, FASTER]
)
def test_every_note_says_why(text):
    def check(found):
        for note in (*found.ignored, *found.assumed):
            assert note.option and note.reason.endswith(".") and note.reason[0].isupper(), note
        for other in found.more:
            check(other)

    check(read(text))

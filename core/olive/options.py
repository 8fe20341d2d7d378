"""The options of Olive's commands, as its own parser declares them (olive/cli, 0.13.0), and older ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "flag", "list", "optional"]

_MODEL = {"model_name_or_path": "text", "task": "text", "trust_remote_code": "flag", "test": "optional",
          "output_path": "text"}  # fmt: skip
_ADAPTER = {"adapter_path": "text", "model_script": "text", "script_dir": "text"}
_LOGS = {"log_level": "text", "disable_telemetry": "flag"}
_SAVE = {"save_config_file": "flag", "dry_run": "flag"}
_CACHE = {"account_name": "text", "container_name": "text"}
_ROWS = {"data_name": "text", "data_files": "text", "train_subset": "text", "train_split": "text",
         "eval_subset": "text", "eval_split": "text", "text_field": "text", "text_template": "text",
         "use_chat_template": "flag", "max_seq_len": "text", "add_special_tokens": "optional", "max_samples": "text",
         "batch_size": "text", "input_cols": "list"}  # fmt: skip
_DEVICE = {"device": "text", "provider": "text", "memory": "text"}

OPTIONS: dict[str, dict[str, str]] = {
    "finetune": _MODEL | _ROWS | _LOGS | _SAVE | _CACHE
    | {"task_name": "text", "method": "text", "lora_r": "text", "lora_alpha": "text", "target_modules": "text",
       "torch_dtype": "text"},
    "auto-opt": _MODEL | _ADAPTER | _DEVICE | _LOGS | _SAVE | _CACHE
    | {"data_name": "text", "split": "text", "subset": "text", "input_cols": "list", "batch_size": "text",
       "precision": "text", "use_dynamo_exporter": "flag", "use_model_builder": "flag", "use_qdq_encoding": "flag",
       "dynamic_to_fixed_shape_dim_param": "list", "dynamic_to_fixed_shape_dim_value": "list", "num_splits": "text",
       "cost_model": "text", "mixed_precision_overrides_config": "list", "use_ort_genai": "flag",
       "providers_list": "list", "enable_search": "optional", "seed": "text"},
    "optimize": _MODEL | _ADAPTER | _DEVICE | _LOGS | _SAVE
    | {"precision": "text", "act_precision": "text", "num_split": "text", "exporter": "text", "dim_param": "text",
       "dim_value": "text", "use_qdq_format": "flag", "surgeries": "list", "block_size": "text", "modality": "text",
       "enable_aot": "flag", "qnn_env_path": "text", "extra_mb_options": "text"},
    "generate-adapter": _MODEL | _LOGS | _SAVE | _CACHE
    | {"adapter_type": "text", "adapter_format": "text", "base_model_path": "text", "adapter_paths": "list"},
    "convert-adapters": _LOGS
    | {"adapter_path": "text", "adapter_format": "text", "output_path": "text", "dtype": "text",
       "quantize_int4": "flag", "int4_block_size": "text", "int4_quantization_mode": "text"},
    "quantize": _MODEL | _ADAPTER | _ROWS | _LOGS | _SAVE | _CACHE
    | {"precision": "text", "act_precision": "text", "algorithm": "text", "implementation": "text",
       "use_qdq_encoding": "flag", "split": "text", "subset": "text"},
    "capture-onnx-graph": _MODEL | _ADAPTER | _LOGS | _SAVE | _CACHE
    | {"model_variant": "text", "use_mobius_builder": "flag", "fixed_param_dict": "text",
       "past_key_value_name": "text", "extra_mb_options": "text",
       "conversion_device": "text", "use_dynamo_exporter": "flag", "torch_dtype": "text", "target_opset": "text",
       "use_ort_genai": "flag", "use_model_builder": "flag", "precision": "text", "int4_block_size": "text",
       "int4_accuracy_level": "text", "exclude_embeds": "flag", "exclude_lm_head": "flag",
       "enable_cuda_graph": "flag"},
    "run": _MODEL | _ADAPTER | _LOGS
    | {"run_config": "text", "config": "text", "list_required_packages": "flag", "tempdir": "text",
       "package_config": "text", "setup": "flag"},
}  # fmt: skip
SHORT = {"m": "model_name_or_path", "t": "task", "o": "output_path", "a": "adapter_path", "d": "data_name"}
OTHERS = ("init", "run-pass", "tune-session-params", "generate-cost-model", "extract-adapters",
          "generate-model-package", "benchmark", "shared-cache",
          "configure-qualcomm-sdk", "diffusion-lora")  # fmt: skip


@dataclass(frozen=True)
class Given:
    """An option of a command line: its name with underscores, what was written, and its value (True for a flag)."""

    name: str
    option: str
    value: str | list[str] | bool

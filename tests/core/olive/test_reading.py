"""Workflows old and new, command lines however they are pasted, wrong values and hostile input."""

import json
import shlex

import pytest

from core.__main__ import parser
from core.config import build
from core.errors import InputError
from core.olive import read
from core.olive.shell import commands
from core.olive.templates import olives, ours, unescaped


def note(found, option):
    return next(n for n in found.ignored if n.option == option)


# Command lines


@pytest.mark.parametrize(
    "line",
    [
        "olive finetune -m a/b -d c/d --lora_r 8",
        "$ olive finetune --model_name_or_path=a/b --data_name=c/d --lora_r=8",
        "python -m olive finetune -m 'a/b' -d \"c/d\" --lora_r 8 # eight",
        "olive finetune \\\r\n  -m a/b \\\r\n  -d c/d \\\r\n  --lora_r 8\r\n",
        "olive finetune `\n  -m a/b `\n  -d c/d --lora_r 8",
        "olive finetune ^\n  -m a/b ^\n  -d c/d --lora_r 8",
        "MODEL=a/b\nexport DATA=c/d\nolive finetune -m $MODEL -d ${DATA} --lora_r 8",
        "cd somewhere\nolive finetune -m a/b \\  \n -d c/d --lora-r 8",
    ],
)
def test_a_command_is_read_as_it_is_pasted(line):
    config = build(read(line).config)
    assert (config.model.path, config.data.path, config.method.r) == ("a/b", "c/d", 8)


def test_a_variable_of_the_shell_is_not_looked_up(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = read("olive finetune -m $HF_TOKEN -d c/d")
    assert "path" not in found.config.get("model", {}) and "hf_secret" not in json.dumps(found.values())
    assert note(found, "-m").value == "$HF_TOKEN" and "write its value out" in note(found, "-m").reason
    quoted = read("olive finetune -m a/b -d c/d --text_template '{a} $5 {b}'")
    assert quoted.config["data"]["template"] == "{a} $5 {b}"


@pytest.mark.parametrize(
    "tail", ["; rm -rf /", "&& rm -rf /", "| sh", "> /etc/passwd", "`rm -rf /`", "$(rm -rf /)", "& rm x"]
)
def test_shell_is_refused_and_nothing_is_run(tail, tmp_path):
    with pytest.raises(InputError, match="nothing (of it is|was) run"):
        read(f"olive finetune -m a/b -d c/d {tail}")


def test_two_commands_may_be_joined():
    found = read(
        "olive finetune -m a/b -d c/d && olive auto-opt -m ft/model -a ft/adapter --precision int4 --device cpu"
    )
    assert found.command == "python -m core export RUN --device cpu --precision int4"


def test_marks_between_quotes_are_text():
    found = read("olive finetune -m a/b -d c/d --text_template 'a; {x} | `b` > $(c) {y}'")
    assert found.config["data"]["template"] == "a; {x} | `b` > $(c) {y}"


def test_options_that_nobody_knows_are_named_with_the_nearest():
    found = read("olive finetune -m a/b -d c/d --lerning_rate 1e-4 --warmup_ratio 0.1 --bogus")
    assert note(found, "--lerning_rate").reason.endswith("Did you mean --learning_rate?")
    assert note(found, "--bogus").value is True
    assert found.config["training"]["warmup_steps"] == 0.1


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("olive finetune -m a/b --lora_r many", "--lora_r 'many' is not a number"),
        ("olive finetune -m a/b --lora_r 8.5", "--lora_r '8.5' is not a whole number: give one such as 8"),
        (f"olive finetune -m a/b --lora_r {'9' * 400}", "is not a number"),
        ("olive finetune -m a/b --lora_r 1000", r"--lora_r \(method.r\): "),
        ("olive finetune -m a/b --learning_rate -1", r"--learning_rate \(training.learning_rate\): "),
        ("olive finetune -m a/b --torch_dtype float23", "Did you mean float32"),
        ("olive finetune -m a/b --method loar", "Did you mean 'lora'"),
        ("olive finetune -m a/b --gradient_checkpointing maybe", "neither true nor false"),
        ("olive finetune -m a/b --text_template 'no column'", "names no column"),
        ("olive finetune -m a/b --text_template '{a'", "is no template"),
        ("olive finetune -m", "-m has no value"),
        ("olive finetune -m a/b stray", "'stray' after -m belongs to no option"),
        ("olive finetune -m 'a/b", "never closed"),
        ('olive finetune -m "a/b', "never closed"),
        ("olive fintune -m a/b", "Did you mean 'finetune'"),
        ("olive shared-cache --delete", "Nothing of `olive shared-cache` has a place here"),
        ("olive --help", "trains and exports nothing"),
        ("olive run", "needs --run-config"),
        ("rm -rf /", "neither a workflow nor a command of Olive's"),
        ("", "is empty"),
        ("olive: finetune", "holds olive"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(line, sentence):
    with pytest.raises(InputError, match=sentence):
        read(line)


def test_hugging_face_arguments_have_their_places():
    found = read(
        "olive finetune -m a/b -d c/d --eval_split validation --num_train_epochs 2 --lr_scheduler_type polynomial "
        "--optim adamw_bnb_8bit --bf16 --max_steps -1 --evaluation_strategy epoch --report_to wandb,mlflow "
        "--save_total_limit 3 --metric_for_best_model eval_loss --seed 7 --deepspeed ds.json"
    )
    t = build(found.config).training
    assert (t.num_train_epochs, t.optim, t.mixed_precision, t.max_steps) == (2, "adamw_8bit", "bf16", None)
    assert (t.report_to, t.save_total_limit, t.metric_for_best_model, t.seed) == (("wandb",), 3, "loss", 7)
    assert found.config["data"]["validation"] == "validation"
    assert {"--lr_scheduler_type", "--evaluation_strategy", "--report_to", "--deepspeed"} == {
        n.option for n in found.ignored
    }


def test_rows_of_files_fields_and_chats():
    found = read("olive finetune -m a/b -d json --data_files rows.jsonl --text_field text --max_samples 100")
    assert found.config["data"] == {
        "path": "rows.jsonl", "split": "[:100]", "template": "{text}", "max_tokens": 1024, "train_on": "all"
    }  # fmt: skip
    chat = read("olive finetune -m a/b -d x/y --train_subset en --train_split train[10:] --max_samples 5 --use_chat")
    assert chat.config["data"]["name"] == "en" and chat.config["data"]["split"] == "train[10:15]"
    assert chat.config["data"]["template"] is None


# Exports


@pytest.mark.parametrize(
    ("line", "export"),
    [
        ("olive optimize -m a/b --provider CUDAExecutionProvider --precision int4 --device gpu",
         {"device": "cuda", "precision": "int4", "target": "a/b"}),
        ("olive optimize -m a/b --precision int4 --block_size 64",
         {"device": "cpu", "precision": "int4", "target": "a/b", "block_size": 64}),
        ("olive auto-opt -m a/b --device gpu", {"device": "cuda", "precision": "fp16", "target": "a/b"}),
        ("olive quantize -m a/b --precision uint8", {"device": "cpu", "precision": "int8", "target": "a/b"}),
        ("olive convert-adapters -a x -o y --dtype float32",
         {"device": "cpu", "precision": "fp32", "target": "x", "adapters": [], "keep_adapter": True, "out": "y"}),
        ("olive generate-adapter -m model.onnx", {"device": "cpu", "keep_adapter": True}),
    ],
)  # fmt: skip
def test_an_export_of_olives_is_one_of_ours(line, export):
    found = read(line)
    assert found.config is None and found.export == export
    words = shlex.split(found.command)
    taken = parser(["export"]).parse_args(words[3:])  # our own command line takes it as it stands
    assert words[:4] == ["python", "-m", "core", "export"] and taken.device == export["device"]
    assert taken.precision == export.get("precision") and taken.target == export.get("target", "RUN")


def test_a_provider_that_we_lack_is_named():
    found = read("olive auto-opt -m a/b --provider ROCMExecutionProvider --precision int4")
    assert "Packages are made for CPUExecutionProvider" in note(found, "--provider").reason
    assert found.export["device"] == "cpu"
    near = read("olive optimize -m a/b --provider CUDAExecutionProvder")
    assert "Did you mean CUDAExecutionProvider?" in note(near, "--provider").reason


def test_a_precision_that_the_device_lacks_becomes_its_own():
    found = read("olive optimize -m a/b --provider CUDAExecutionProvider --precision int16")
    assert found.export["precision"] == "fp16" and "nearest" in note(found, "--precision").reason
    found = read("olive optimize -m a/b --provider OpenVINOExecutionProvider --precision bf16 --device npu")
    assert found.export["precision"] == "int8" and "int8 is taken" in note(found, "--precision").reason
    found = read("olive optimize -m a/b --provider WebGpuExecutionProvider --precision int4 --block_size 16")
    assert "block_size" not in found.export and "blocks of 32, 64, 128" in note(found, "block_size").reason


# Workflows

NEW = {
    "input_model": {"type": "HfModel", "model_path": "MODEL", "load_kwargs": {"attn_implementation": "eager"}},
    "data_configs": [
        {
            "name": "train",
            "type": "HuggingfaceContainer",
            "load_dataset_config": {"data_name": "json", "data_files": "train.jsonl", "split": "train"},
            "pre_process_data_config": {
                "text_template": "### Phrase: {phrase} ### Tone: {tone}",
                "strategy": "line-by-line",
                "max_seq_len": 64,
            },
        },
        {
            "name": "kept",
            "type": "HuggingfaceContainer",
            "load_dataset_config": {"data_name": "json", "data_files": "kept.jsonl", "split": "train"},
        },
    ],
    "passes": {
        "lora": {
            "type": "LoRA",
            "r": 8,
            "alpha": 16,
            "lora_dropout": 0.0,
            "target_modules": ["q_proj", "v_proj"],
            "torch_dtype": "float32",
            "train_data_config": "train",
            "eval_data_config": "kept",
            "training_args": {"max_steps": 10, "per_device_train_batch_size": 4, "learning_rate": 0.001},
        },
        "merge": {"type": "MergeAdapterWeights"},
        "builder": {"type": "ModelBuilder", "precision": "int4", "int4_block_size": 32, "int4_accuracy_level": 4},
    },
    "systems": {
        "local_system": {
            "type": "LocalSystem",
            "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}],
        }
    },
    "target": "local_system",
    "no_artifacts": True,
    "cache_dir": "CACHE",
    "output_dir": "OUT",
    "log_severity_level": 1,
}


def test_a_workflow_of_today():
    found = read(json.dumps(NEW, indent="\t"))
    config = build(found.config)
    assert (config.model.path, config.data.path, config.data.validation) == ("MODEL", "train.jsonl", "kept.jsonl")
    assert config.data.template == "### Phrase: {phrase} ### Tone: {tone}" and config.data.max_tokens == 64
    assert config.method.target_modules == ("q_proj", "v_proj") and config.method.lora_dropout == 0
    assert (config.training.max_steps, config.training.learning_rate) == (10, 0.001)
    assert config.training.mixed_precision == "no"
    assert found.export == {
        "keep_adapter": False, "precision": "int4", "block_size": 32, "accuracy_level": 4, "device": "cpu",
        "target": "RUN",
    }  # fmt: skip
    assert {n.option for n in found.ignored} == {"cache_dir", "output_dir"}


def test_a_model_whose_path_no_file_system_takes_is_still_a_name():
    given = {"input_model": "x" * 5000, "data_configs": NEW["data_configs"], "passes": {"l": NEW["passes"]["lora"]}}
    assert read(json.dumps(given)).config["model"]["path"] == "x" * 5000


def test_a_workflow_that_only_converts():
    found = read(
        "input_model: {type: HfModel, model_path: a/b, adapter_path: x/adapter}\n"
        "passes: {c: {type: OnnxConversion, target_opset: 17}, q: {type: OnnxDynamicQuantization}}\n"
        "engine: {search_strategy: false, evaluator: mine, cache_dir: c}\n"
        "systems: {g: {type: LocalSystem, accelerators: [{device: gpu, execution_providers: [DmlExecutionProvider]}]}}"
    )
    assert found.config is None
    assert (found.export["target"], found.export["device"]) == ("x/adapter", "dml")
    assert {"passes.c.target_opset", "engine.evaluator", "engine.cache_dir", "precision"} <= {
        n.option for n in found.ignored
    }


def test_a_search_in_a_pass_is_kept():
    found = read(
        "passes:\n  t:\n    type: LoRA\n    r: {type: Categorical, support: [8, 16]}\n    alpha: SEARCHABLE_VALUES\n"
        "search_strategy: {execution_order: joint, sampler: tpe, max_samples: 5, seed: 1}"
    )
    assert found.search == {
        "space": {"method.r": {"type": "choice", "values": [8, 16]}}, "strategy": "tpe", "trials": 5, "seed": 1
    }  # fmt: skip
    assert "list them" in note(found, "passes.t.alpha").reason


def test_what_a_workflow_says_wrongly_is_said_in_a_sentence():
    with pytest.raises(InputError, match=r"Did you mean 'train'\? There is: train, kept"):
        read(json.dumps(NEW).replace('"train_data_config": "train"', '"train_data_config": "tran"'))
    with pytest.raises(InputError, match="passes.lora.r 'x' is not a number"):
        read(json.dumps(NEW).replace('"r": 8', '"r": "x"'))
    with pytest.raises(InputError, match="This is no workflow of Olive's: it holds pases, b. Did you mean passes?"):
        read("pases: {}\nb: 1")
    assert "no such part. Did you mean passes" in note(read("passes: {}\npases: {x: 1}"), "pases").reason


# Hostile input


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\npasses: *b", "an alias"),
        ("passes: !!python/object/apply:os.system [ls]", "cannot be read as YAML"),
        ("input_model: {a: 1, a: 2}", "twice"),
        ('{"passes": {}, "passes": {}}', "twice"),
        ("{" * 5000, "cannot be read as YAML"),
        ("passes: " + "[" * 50 + "]" * 50, "nested too deeply"),
        ('{"passes": ' + "[" * 100_000 + "]" * 90_000 + "}", "cannot be read as YAML|nested too deeply"),
        ("x" * 300_000, "too long"),
        ("olive finetune " + "--lora_r 8 " * 40_000, "too long"),
        ("\x7fELF\0\0olive", "no text"),
        ("[1, 2, 3]", "is a list"),
        ("- a\n- b", "is a list"),
        ("passes: 3", "passes 3 is no mapping"),
        ("passes: {l: {type: LoRA, training_args: [1]}}", "is no mapping"),
        ("input_model: [1]", "is no mapping"),
        ("data_configs: 7", "is no list of data sets"),
    ],
)
def test_hostile_input_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence):
        read(text)


# Templates


@pytest.mark.parametrize(
    ("olive", "our", "lost"),
    [
        ("{a}\n{b}", "{a}\n{b}", 0),
        ('{{"x": {a}}} {{word}}', '{"x": {a}} {{word}}', 0),
        ("{a!r:>10} {b.c}", "{a} {b}", 2),
        ("[[{a}]] {b}", "[ [{a}] ] {b}", 2),
    ],
)
def test_templates_are_turned(olive, our, lost):
    made = ours(olive, "--text_template")
    assert made.text == our and bool(made.lost) == bool(lost)


def test_templates_go_there_and_back_as_rows_are_filled():
    from core.data.segments import fill
    from core.data.template import parse
    from core.models.tokenizer import load_tokenizer, traits
    from core.paths import ROOT

    tokenizer = load_tokenizer(ROOT / "assets" / "demo-model")
    row = {"a": "one {b}", "b c": "two"}
    for template in ('{a} {{"k": {b c}}}', "{a}: {{b}} {b c}", "### {a}\n{b c}.", "{a}{{}}{b c}"):
        there = olives(template)
        wanted = "".join(s.text for s in fill(row, parse(template, tuple(row)), traits(tokenizer), "all"))
        assert there.text.format(**row) in (wanted, wanted.removesuffix("<|end|>")), template
        assert ours(there.text, "x").columns == there.columns


def test_escapes_on_a_command_line_are_decoded_and_letters_stay():
    assert unescaped(r"a\nb\tc \é 東京 \d") == "a\nb\tc \\é 東京 \\d"
    assert commands(r'olive "a\nb" "c\"d" e\ f')[0].texts == ["olive", r"a\nb", 'c"d', "e f"]


# What an export says


def test_an_export_alone_names_the_rows_that_it_leaves_out():
    found = read(
        json.dumps(
            {
                "input_model": {"type": "HfModel", "model_path": "a/b", "load_kwargs": {"revision": "v2"}},
                "data_configs": [
                    {
                        "name": "rows",
                        "load_dataset_config": {"data_name": "glue", "subset": "mrpc", "split": "train"},
                        "pre_process_data_config": {"max_samples": 100, "max_seq_len": 64},
                    }
                ],
                "passes": {"c": {"type": "OnnxConversion"}, "q": {"type": "OnnxQuantization", "data_config": "rows"}},
                "output_dir": "models/out",
            }
        )
    )
    assert found.config is None
    assert found.command == "python -m core export a/b --device cpu --precision int8 --out models/out"
    at = "data_configs.rows.load_dataset_config"
    assert note(found, f"{at}.data_name").value == "glue" and note(found, f"{at}.subset").value == "mrpc"
    assert note(found, f"{at}.split").value == "train[:100]"
    assert "--data FILE" in note(found, "data_configs.rows.pre_process_data_config.max_seq_len").reason
    assert "revision" in note(found, "input_model.load_kwargs.revision").reason


def test_an_export_command_needs_a_folder_where_it_names_no_run():
    assert read("olive quantize -m a/b --precision int8").command.endswith(" --out DIR")
    assert "--out" not in read("olive generate-adapter -m x.onnx").command
    several = read("olive generate-adapter --adapter_paths one,two --output_path out")
    assert several.command.endswith("export one --device cpu --adapters two --out out")
    assert several.missing == ("Several adapters come from runs: write the run of each in the place of its folder.",)


def test_options_that_olive_has_are_not_called_unknown():
    found = read("olive quantize -m a/b -d c/d --max_samples 8 --text_template {x} --account_name me")
    found = [*found.ignored, *read("olive capture-onnx-graph -m a/b --extra_mb_options a=1").ignored]
    assert found and not [n for n in found if "no such option" in n.reason]


def test_several_values_of_an_option_are_a_search():
    lora = {
        "type": "LoRA",
        "r": [8, 16],
        "target_modules": ["q_proj"],
        "training_args": {"learning_rate": [1e-4, 2e-4]},
    }
    passes = {"l": lora, "m": {"type": "ModelBuilder", "precision": ["int4", "int8"], "int4_block_size": [16, 32]}}
    found = read(json.dumps({"passes": passes, "search_strategy": True}))
    assert {path: one["values"] for path, one in found.search["space"].items()} == {
        "method.r": [8, 16], "training.learning_rate": [1e-4, 2e-4],
    }  # fmt: skip
    assert found.config["method"]["target_modules"] == ["q_proj"]
    assert "--precision all" in note(found, "passes.m.precision").reason and "precision" not in found.export
    assert note(found, "passes.m.int4_block_size").value == [16, 32]


def test_one_of_several_alternatives_is_taken_whole():
    fork = [{"type": "QLoRA", "r": 8, "alpha": 32, "training_args": {"num_train_epochs": 2}}, {"type": "LoRA", "r": 16}]
    quantised = [
        {"type": "OnnxMatMul4Quantizer", "block_size": 16},
        {"type": "OnnxDynamicQuantization"},
        {"type": "OnnxQuantization", "quant_mode": "static"},
    ]
    found = read(json.dumps({"passes": {"ft": fork, "q": quantised}}))
    assert (found.config["method"]["name"], found.config["method"]["r"]) == ("qlora", 8)
    assert found.config["training"]["num_train_epochs"] == 2
    assert (found.export["precision"], found.export["block_size"], "calibration" in found.export) == ("int4", 16, False)
    assert note(found, "passes.ft[1]").value == fork[1] and "the first is taken" in note(found, "passes.ft[1]").reason
    assert note(found, "passes.q[1]") and note(found, "passes.q[2]")
    turned = read(json.dumps({"passes": {"ft": fork[::-1], "q": quantised[::-1]}}))
    assert (turned.config["method"]["name"], turned.config["method"]["r"]) == ("lora", 16)
    assert turned.config["method"]["lora_alpha"] == 16 and "num_train_epochs" not in turned.config["training"]
    assert (turned.export["calibration"], "block_size" in turned.export) == ("static", False)


def test_one_of_several_trainings_or_flows_is_taken_whole():
    passes = {
        "a": {"type": "QLoRA", "r": 8, "alpha": 32},
        "b": {"type": "LoRA", "r": 16},
        "q4": {"type": "OnnxMatMul4Quantizer", "block_size": 16},
        "q8": {"type": "OnnxDynamicQuantization"},
    }
    found = read(json.dumps({"passes": passes}))
    assert (found.config["method"]["r"], found.config["method"]["lora_alpha"]) == (8, 32)
    assert "one training" in note(found, "passes.b").reason
    assert (found.export["precision"], "block_size" in found.export) == ("int8", False)  # the last, without the other's
    flows = read(json.dumps({"passes": passes, "pass_flows": [["b", "q4"], ["a", "q8"]]}))
    assert (flows.config["method"]["name"], flows.config["method"]["r"]) == ("lora", 16)
    assert (flows.export["precision"], flows.export["block_size"]) == ("int4", 16)
    assert note(flows, "pass_flows[1]").value == ["a", "q8"]
    assert note(flows, "passes.a") and note(flows, "passes.q8")
    with pytest.raises(InputError, match="pass_flows names 'c'"):
        read(json.dumps({"passes": passes, "pass_flows": [["c"]]}))


def test_names_of_a_few_versions_ago():
    rows = {"name": "t", "user_script": "s.py", "load_dataset_config": {"data_name": "a/b"}}
    rows["pre_process_data_config"] = {"dataset_type": "corpus", "source_max_len": 96, "text_template": "{x} {y}"}
    found = read(json.dumps({"data_configs": [rows], "passes": {"l": {"type": "LoRA", "train_data_config": "t"}}}))
    assert found.config["data"]["max_tokens"] == 96
    assert "is not run" in note(found, "data_configs.t.user_script").reason

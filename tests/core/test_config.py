"""RunConfig: defaults, YAML that comes back byte by byte, and a sentence for everything that can be wrong."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import config as c
from core.config import RunConfig, build, dumps, field_errors, load, loads
from core.errors import ConfigError, InputError

# Defaults


def test_defaults_are_a_valid_run():
    config = RunConfig()
    assert (config.task, config.method.name, config.data.validation) == ("generation", "lora", 0.1)
    assert build({}) == config == loads(dumps(config))


def test_every_setting_is_described_for_the_form():
    sections = [c.ModelConfig, c.DataConfig, c.LoraMethod, c.TrainingConfig, c.EvaluationConfig]
    for section in sections:
        for name, field in section.model_fields.items():
            if name == "name" and section is c.LoraMethod:
                continue
            assert field.description and field.description.endswith("."), (section, name)
            assert (field.json_schema_extra or {}).get("label"), (section, name)


def test_configs_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().training.seed = 1


# YAML

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)
PATHS = TEXT.filter(bool)


def optional(strategy):
    return st.none() | strategy


TRAINING = {
    "learning_rate": optional(st.floats(1e-12, 1)),
    "num_train_epochs": st.floats(1e-6, 1000),
    "max_steps": optional(st.integers(1, 10**9)),
    "per_device_train_batch_size": st.integers(1, 4096),
    "lr_scheduler_type": st.sampled_from(["linear", "cosine", "constant", "constant_with_warmup", "inverse_sqrt"]),
    "warmup_steps": st.floats(0, 0.999) | st.integers(1, 10**6).map(float),
    "weight_decay": st.floats(0, 1),
    "seed": st.integers(0, 2**31 - 1),
}
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from(c.TASKS),
        "model": st.fixed_dictionaries({"path": PATHS}, optional={"revision": optional(TEXT)}),
        "data": st.fixed_dictionaries(
            {"path": PATHS},
            optional={
                "template": optional(TEXT),
                "validation": st.floats(0, 0.5),
                "max_tokens": st.integers(8, 131072),
            },
        ),
        "method": st.just({"name": "full"})
        | st.fixed_dictionaries(
            {"name": st.just("lora")},
            optional={
                "r": st.integers(1, 256),
                "lora_dropout": st.floats(0, 1, exclude_max=True),
                "target_modules": TEXT | st.lists(TEXT, min_size=1, max_size=4),
            },
        ),
        "training": st.fixed_dictionaries({}, optional=TRAINING),
        "evaluation": st.fixed_dictionaries({}, optional={"data": optional(TEXT), "max_rows": st.integers(1, 1000)}),
    },
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(CONFIGS)  # 5,000 examples were tried by hand
def test_yaml_comes_back_byte_by_byte(values):
    config = build(values)
    text = dumps(config)
    assert loads(text) == config
    assert dumps(loads(text)) == text
    assert loads(text.encode().decode()) == config


@pytest.mark.parametrize(
    "template",
    ["### {a}\n{b}", " \n", "a\r\nb\rc", "\ufeff{a}", "x: y # z", "- 1", "2e-4", "null", "\x85\u2028", "[[{a}]]"],
)
def test_templates_come_back(template, tmp_path):
    path = tmp_path / "with space ü.yaml"
    path.write_bytes(dumps(build({"data": {"template": template}})).encode())
    assert load(path).data.template == template


def test_a_template_reads_as_the_page_shows_it():
    assert 'template: "### {phrase}\\n{tone}"\n' in dumps(build({"data": {"template": "### {phrase}\n{tone}"}}))


def test_numbers_without_a_dot_are_numbers():
    config = loads("training: {learning_rate: 2e-4, max_steps: 1e3, warmup_steps: 5E-2}")
    assert (config.training.learning_rate, config.training.max_steps, config.training.warmup_steps) == (
        2e-4,
        1000,
        0.05,
    )


def test_text_that_looks_like_a_number_or_a_date_stays_text():
    model = loads("model: {path: 1e5, revision: 12e4567}").model
    assert (model.path, model.revision) == ("1e5", "12e4567")
    assert loads("model: {revision: 2024-11-24}").model.revision == "2024-11-24"


def test_a_section_with_nothing_below_it_keeps_its_defaults():
    assert loads("training:\n  # learning_rate: 1\ndata:\nmethod:\ntask:\n") == RunConfig()


# What is wrong, and where

WRONG = [
    ("training: {learning_rate: -1}", "training.learning_rate", "-1 is too small: it must be above 0."),
    ("training: {learning_rate: 2}", "training.learning_rate", "2 is too large: at most 1."),
    ("training: {learning_rate: fast}", "training.learning_rate", "'fast' is not a number."),
    ("training: {learning_rate: .nan}", "training.learning_rate", "nan is not a number."),
    ("training: {learning_rate: .inf}", "training.learning_rate", "inf is not a number."),
    ("training: {seed: yes}", "training.seed", "'true' is not a whole number."),
    ("training: {seed: 1.5}", "training.seed", "1.5 is not a whole number."),
    ("training: {seed: 99999999999}", "training.seed", "99999999999 is too large: at most 2,147,483,647."),
    ("training: {warmup_steps: 1.5}", "training.warmup_steps", "1.5 is neither a share below 1"),
    ("training: {warmup_steps: 40, max_steps: 40}", "training.warmup_steps", "40 steps of warm-up, and the training"),
    (
        "training: {early_stopping_patience: 2, max_steps: 40}",
        "training.eval_steps",
        "validation comes every 50 steps, and the training ends after 40",
    ),
    ("training: {early_stopping_threshold: 0.1}", "training.early_stopping_threshold", "early stopping is off"),
    ("training: {report_to: [wandb, wandb]}", "training.report_to", "a name is there twice (wandb, wandb)"),
    (
        "training: {lr_scheduler_type: cosin}",
        "training.lr_scheduler_type",
        "Did you mean 'cosine'? Choose one of linear, ",
    ),
    ("training: {learning_rte: 1}", "training.learning_rte", "there is no such setting. Did you mean 'learning_rate'?"),
    ("training: {per_device_batch: 1}", "training.per_device_batch", "Did you mean 'per_device_train_batch_size'?"),
    ("training: 3", "training", "3 is not a section"),
    ("learning_rate: 1", "learning_rate", "Did you mean training.learning_rate?"),
    ("trainng: {}", "trainng", "Did you mean 'training'?"),
    ("zzz: 1", "zzz", "Known: task, model, data, augmentation, method, training, evaluation."),
    ("1: 2", "1", "there is no such setting"),
    ("task: extracton", "task", "'extracton' is not known. Did you mean 'extraction'? Choose one of generation, "),
    ("model: {path: ''}", "model.path", "this cannot be empty."),
    ("model: {revision: 1234567}", "model.revision", "1234567 is not text: put it in quotes."),
    ('training: {loss: "\\ud800"}', "training.loss", "half of a character"),
    ("training: {report_to: tensorboard}", "training.report_to", "is not a list: write it in brackets, such as [tens"),
    ("training: {gradient_checkpointing: maybe}", "training.gradient_checkpointing", "'maybe' is neither true nor "),
    ("data: {validation: 0.6}", "data.validation", "0.6 is too large: at most 0.5."),
    ("data: {max_tokens: 7}", "data.max_tokens", "7 is too small: at least 8."),
    ("data: {template: [a]}", "data.template", "['a'] is not text"),
    ('data: {template: "\\ud800"}', "data.template", "half of a character"),
    (
        "method: {name: lorra}",
        "method.name",
        "'lorra' is not known. Did you mean 'lora'? Choose one of full, lora, qlora, adapter, ia3, prompt.",
    ),
    ("method: {r: 3}", "method.name", "this is missing: choose one of full, lora, qlora, adapter, ia3, prompt."),
    ("method: {name: full, r: 3}", "method.r", "it belongs to method lora; method full has no such setting."),
    ("method: {name: full, zzz: 3}", "method.zzz", "method full has none."),
    ("method: {name: lora, r: 0}", "method.r", "0 is too small: at least 1."),
    ("method: {name: lora, lora_dropout: 1}", "method.lora_dropout", "1 is too large: it must be below 1."),
    ("method: {name: lora, target_modules: [1]}", "method.target_modules", "a list of texts such as [q_proj, v_proj]"),
    ("method: lora", "method", "'lora' is not a section"),
    (
        "data: {validation: 0}\ntraining: {early_stopping_patience: 2}",
        "training.early_stopping_patience",
        "keep some rows",
    ),
]


@pytest.mark.parametrize(("text", "field", "sentence"), WRONG, ids=[w[0][:40] for w in WRONG])
def test_each_mistake_is_said_at_its_field(text, field, sentence):
    with pytest.raises(ConfigError) as caught:
        loads(text)
    assert sentence in caught.value.errors[field]
    assert caught.value.errors[field].endswith((".", "?"))
    assert caught.value.field == next(iter(caught.value.errors))


def test_all_mistakes_come_at_once():
    values = {
        "training": {"learning_rate": -1, "seed": "x"},
        "data": {"max_tokens": 1},
        "method": {"name": "lora", "r": 0},
    }
    assert list(field_errors(values)) == ["data.max_tokens", "method.r", "training.learning_rate", "training.seed"]
    with pytest.raises(ConfigError) as caught:
        build(values)
    assert str(caught.value).count("\n") == 3


def test_settings_that_contradict_each_other_are_all_said():
    errors = field_errors({"data": {"validation": 0}, "training": {"early_stopping_patience": 1, "warmup_steps": 2.5}})
    assert list(errors) == ["training.early_stopping_patience", "training.warmup_steps"]
    for targets in (("q_proj", "lm_head"), "q_proj, lm_head"):
        both = {"name": "qlora", "target_modules": targets, "modules_to_save": ["norm", "lm_head"]}
        assert "lm_head would be trained whole" in field_errors({"method": both})["method.modules_to_save"]


def test_a_huge_value_makes_a_short_sentence():
    bomb = ["x" * 100_000]
    for _ in range(60):
        bomb = [bomb, bomb]
    for value in (bomb, 10**5000, "9" * 100_000, {i: i for i in range(10_000)}):
        for path in ("training.seed", "model.path", "method.target_modules"):
            section, name = path.split(".")
            extra = {"name": "lora"} if section == "method" else {}
            errors = field_errors({section: {name: value} | extra})
            if isinstance(value, str) and section != "training":
                continue  # text is allowed there
            assert len(errors[path]) < 400, path


# Text that is no config


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The config is empty"),
        ("# only a comment", "The config is empty"),
        ("[1, 2]", "is a mapping of sections"),
        ("just words", "is a mapping of sections"),
        ("training:\n  seed: [1", "cannot be read as YAML (line 2)"),
        ("a: b: c", "cannot be read as YAML (line 1): mapping values are not allowed here."),
        ("\tx: 1", "cannot be read as YAML (line 1)"),
        ("x: \x00", "special characters are not allowed"),
        ("task: generation\ntask: extraction", "(line 2): 'task' is there twice; keep one of them."),
        ("a: &a [1]\nb: *a", "(line 2): an alias (*name) stands for another part; write that part out."),
        ("a: &a {x: *a}", "an alias"),
        ("---\na: 1\n---\nb: 1", "(line 3): expected a single document in the stream, but found another document."),
        ("[" * 5000, "nested too deeply"),
        ("x: !!int ''", "(line 1): the value '' makes no sense"),
        ("a: 1\n[b, c]: 2", "(line 2): a setting's name is one word, not a list or a mapping."),
        ("x: " + "9" * 5000, "makes no sense"),
        ("x: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("x" * 300_000, "too long to be a config"),
    ],
)
def test_text_that_is_no_config_gets_one_sentence(text, sentence):
    with pytest.raises(InputError) as caught:
        loads(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_an_alias_bomb_ends_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(InputError, match="an alias"):
        loads("\n".join(lines))


PIECES = st.sampled_from(
    ["task", "model", "data", "method", "training", "name", "lora", "r", ": ", "\n", "  ", "- ", "[", "]", "{", "}",
     ",", "&a ", "*a", "!!int ", "!!binary ", "!!set ", "!!timestamp ", "!x ", "? ", "|", ">", '"', "'", "#", "%", "@",
     "1e3", "~", "yes", "0x1", "1:30", ".nan", "<<", "---", "...", "\t", "\\", "é", "\ud800", "=", "2024-01-01"]
)  # fmt: skip


@settings(max_examples=120)
@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=80))
def test_no_text_raises_anything_but_an_input_error(text):
    try:
        assert isinstance(loads(text), RunConfig)
    except InputError as error:
        assert str(error)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["task", "model", "data", "method", "training", "evaluation", "path", "name", "r", "seed", "template"]
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=4), max_size=5))
def test_no_draft_raises_anything_but_an_input_error(values):
    errors = field_errors(values)
    assert all(isinstance(text, str) and text for text in errors.values())
    if not errors:
        assert loads(dumps(build(values))) == build(values)


# Files and overrides


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("training: {seed: 7}\n", encoding="utf-8")
    return path


def test_overrides_are_applied_in_turn(file):
    config = load(
        file,
        ["training.max_steps=20", "training.learning_rate=2e-3", "task=extraction", "training.max_steps=30",
         "training.early_stopping_patience=null", "method.target_modules=[q_proj, v_proj]"],
    )  # fmt: skip
    assert (config.training.seed, config.training.max_steps, config.training.learning_rate) == (7, 30, 2e-3)
    assert config.task == "extraction" and config.method.target_modules == ("q_proj", "v_proj")


def test_another_method_begins_with_its_own_settings(file):
    assert load(file, ["method.r=4", "method.name=full"]).method.model_dump() == {"name": "full"}
    file.write_text("method: {name: full}")
    assert load(file, ["method.name=lora", "method.r=4"]).method.r == 4
    assert load(file, ["method.name=full"]).method.name == "full"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("### {a}: {b}", "### {a}: {b}"),
        ("{a} [[{b}]]", "{a} [[{b}]]"),
        ('"{a}\\n{b}"', "{a}\n{b}"),
        ("null", None),
        ("", None),
        ("1e5", "1e5"),
    ],
)
def test_a_text_setting_takes_an_override_as_it_stands(file, given, want):
    assert load(file, [f"data.template={given}"]).data.template == want


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("training.max_steps", "is not an override: write it as section.key=value"),
        ("=3", "is not an override"),
        ("trainng.seed=3", "There is no section 'trainng' in a config. Did you mean 'training'?"),
        ("a.b.c=3", "There is no section 'a.b'"),
        ("training.sede=3", "training.sede: there is no such setting. Did you mean 'seed'?"),
        ("training.seed=[", "cannot be read as YAML"),
        ("training.seed=-1", "training.seed: -1 is too small"),
        ("training=3", "training: 3 is not a section"),
        ("seed=3", "Did you mean training.seed?"),
        ("method.name=lorra", "method.name: 'lorra' is not known. Did you mean 'lora'?"),
    ],
)
def test_a_wrong_override_gets_a_sentence(file, override, sentence):
    with pytest.raises(InputError) as caught:
        load(file, [override])
    assert sentence in str(caught.value)


def test_files_that_cannot_be_read_get_a_sentence(tmp_path):
    latin, big = tmp_path / "latin.yaml", tmp_path / "big.yaml"
    latin.write_bytes("data: {path: café.csv}".encode("latin-1"))
    big.write_bytes(b"#" * 1_000_000)
    for path, sentence in [
        (tmp_path / "none.yaml", "no such file or directory"),
        (tmp_path, "is a directory"),
        (latin, "it is not UTF-8 text"),
        (big, "too long to be a config"),
        ("a\0b", "a character that no path has"),
    ]:
        with pytest.raises(InputError) as caught:
            load(path)
        assert sentence in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_config(tmp_path):
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbftask: extraction\r\n")
    assert load(tmp_path / "bom.yaml").task == "extraction"

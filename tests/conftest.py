"""What every test may ask for: a tiny model, its tokenizer, rows, a folder of runs; and a guard against the network."""

from __future__ import annotations

import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.telemetry import OFF

_SESSION = Path(tempfile.mkdtemp(prefix="tunesmith-tests-"))
os.environ.update(
    OFF,
    HF_HUB_OFFLINE="1",
    HF_HOME=str(_SESSION / "hf"),
    OMP_NUM_THREADS="1",
    TOKENIZERS_PARALLELISM="false",
    TUNESMITH_RUNS=str(_SESSION / "runs"),  # no test writes into the project's own runs
    TUNESMITH_CACHE=str(_SESSION / "cache"),  # a tokenizer is tried once, not in every test (core.limited)
)
for _name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_ROOT_PATH", "SPACE_ID"):
    os.environ.pop(_name, None)

import hypothesis  # noqa: E402
import pytest  # noqa: E402 - the environment is set first, since gradio and transformers read it when imported

from tests import factory  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

# Further cases of what other tests hold: not in every run, which has 25 minutes. TUNESMITH_THOROUGH=1 asks for all.
THOROUGH = (
    "test_bench.py::test_it_measures_and_prints_json_alone",
    "test_decoders.py::test_half_precision_for_a_gpu",
    "test_decoders_families.py::test_families_of_the_builder[ernie4_5-",
    "test_decoders_families.py::test_families_of_the_builder[gemma-",
    "test_decoders_families.py::test_families_of_the_builder[granite-",
    "test_decoders_families.py::test_families_of_the_builder[hunyuan_v1_dense-",
    "test_decoders_families.py::test_families_of_the_builder[qwen2-",
    "test_decoders_families.py::test_families_of_the_exporter[bloom-",
    "test_demo.py::test_fields_on_known_and_on_new_names",
    "test_demo.py::test_summary",
    "test_demo.py::test_tone",
    "test_devices_readers.py::test_openvino_says_what_onnxruntime_says[",
    "test_faults.py::test_a_signal_in_the_middle_of_the_build[15-",
    "test_folds.py::test_a_fold_is_the_run_of_its_own_settings",
    "test_graph_adapters.py::test_adapters_of_other_ranks_and_layers_on_one_base[Bloom",
    "test_graph_adapters.py::test_adapters_of_other_ranks_and_layers_on_one_base[phi3-",
    "test_graph_adapters.py::test_adapters_of_other_ranks_and_layers_on_one_base[qwen2-",
    "test_make.py::test_every_family_in_fp32[qwen2]",
    "test_make.py::test_every_family_in_fp32[smollm]",
    "test_make.py::test_packages_for_other_devices_are_built_and_labelled[dml]",
    "test_make.py::test_texts_longer_than_the_sliding_window[gemma2]",
    "test_make.py::test_texts_longer_than_the_sliding_window[mistral]",
    "test_methods_tasks.py::test_a_run_of_each_method_and_each_task[fields-",
    "test_methods_tasks.py::test_a_run_of_each_method_and_each_task[labels-classification-demo",
    "test_methods_tasks.py::test_a_run_of_each_method_and_each_task[prompts-",
    "test_methods_tasks.py::test_a_run_of_each_method_and_each_task[summaries-summarization-demo",
    "test_play.py::test_models_that_read_answer_in_figures[",
    "test_readers.py::test_a_package_says_what_pytorch_says[gpt2-",
    "test_readers.py::test_a_package_says_what_pytorch_says[llama-",
    "test_readers.py::test_half_precision_for_a_gpu",
    "test_rewriters.py::test_bart_in_every_precision",
    "test_rewriters.py::test_what_cannot_be_merged_is_exported_as_it_is[prompt",
    "test_standby.py::test_a_spare_becomes_the_job[False",
    "test_standby.py::test_a_wrong_command_ends_as_ever",
    "test_store.py::test_a_large_file_is_opened_and_gone_through_in_bounded_memory[array",
    "test_store.py::test_a_large_file_is_opened_and_gone_through_in_bounded_memory[conversations",
    "test_train_evaluate_export.py::test_a_run_outlives_the_page_and_the_server",
    "test_weights.py::test_a_run_in_every_format[safetensors",
    "test_weights_kinds.py::test_runs_of_every_kind[bert-extraction",
    "test_weights_kinds.py::test_runs_of_every_kind[qwen2",
)

# The same examples at every run, however slow the machine: a red test is a red test. Fuzzing at length is done by hand.
hypothesis.settings.register_profile("tunesmith", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("tunesmith")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lies in tests/browser is a browser test; further cases wait until they are asked for."""
    seldom = pytest.mark.skip(reason="a further case of what other tests hold: TUNESMITH_THOROUGH=1 asks for it")
    for item in items:
        if item.nodeid.rpartition("/")[2].startswith(THOROUGH) and not os.environ.get("TUNESMITH_THOROUGH"):
            item.add_marker(seldom)
    for item in items:
        if item.path.is_relative_to(ROOT / "tests" / "browser"):
            item.add_marker("browser")


def pytest_unconfigure() -> None:
    """Leave nothing behind, and do not look through it all once more."""
    shutil.rmtree(_SESSION, ignore_errors=True)
    gc.freeze()


# The network


class NetworkError(OSError):
    """A test tried to leave this machine."""


def _is_local(host: Any) -> bool:
    return (
        host is None or str(host).startswith("127.") or host in ("localhost", "::1", "0.0.0.0", "::", "", b"localhost")
    )


@pytest.fixture(scope="session", autouse=True)
def _network_guard() -> Iterator[list[str]]:
    """Replaces connect and name look-up: anything but loopback raises and is noted."""
    attempts: list[str] = []
    names = ("connect", "connect_ex")
    before = {name: getattr(socket.socket, name) for name in names}
    look_up = socket.getaddrinfo

    def refuse(what: Any) -> None:
        attempts.append(str(what))
        raise NetworkError(f"Tests use no network, and this one asked for {what!r}.")

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
                refuse(address)
            return real(self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_local(host):
            refuse(host)
        return look_up(host, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    for name in names:
        patch.setattr(socket.socket, name, guarded(before[name]))
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield attempts
    patch.undo()


@pytest.fixture(autouse=True)
def no_network(_network_guard: list[str]) -> Iterator[list[str]]:
    """Fails the test that tried to leave this machine, even where a library swallowed the error.

    A test that means to be refused clears the list: `no_network.clear()`.
    """
    _network_guard.clear()
    yield _network_guard
    if _network_guard:
        pytest.fail(f"This test asked the network for {', '.join(_network_guard)}.")


# Rows, tokenizers, models


@pytest.fixture
def rows() -> list[dict[str, str]]:
    """24 rows {"phrase", "tone"} with four tones."""
    return factory.tone_rows()


@pytest.fixture
def rows_file(tmp_path: Path, rows: list[dict[str, str]]) -> Path:
    """The rows as a JSON Lines file."""
    return factory.write_jsonl(tmp_path / "rows.jsonl", rows)


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a byte-level BPE tokenizer and a chat template that marks the assistant's turns."""
    return factory.write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def tokenizer(tokenizer_dir: Path) -> Any:
    """That tokenizer as transformers' PreTrainedTokenizerFast (which does not import torch)."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(tokenizer_dir)


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama of about 100,000 parameters. Read only: it serves the whole session."""
    return factory.tiny_model("llama", tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function from a family's name (see factory.FAMILIES) to its folder, made once a session. Read only."""
    base, made = tmp_path_factory.mktemp("families"), dict[str, Path]()

    def get(family: str) -> Path:
        if family not in made:
            made[family] = factory.tiny_model(family, base / family)
        return made[family]

    return get


# Runs and the command line


@pytest.fixture
def runs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs, for this process and those that it starts."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("TUNESMITH_RUNS", str(folder))
    return folder


class Answer:
    """What a command did: `.status`, `.out`, `.err`, and `.json` (the last line of `.out`, parsed)."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output; fails where anything else was printed there."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"standard output holds more than one line:\n{self.out}\n{self.err}"
        value: dict[str, Any] = json.loads(lines[0])
        return value


@pytest.fixture
def command() -> Callable[..., Answer]:
    """Run `python -m core ARGS...` in a process of its own: `command("check", path, "--json").json["rows"]`."""

    def run(*args: str | Path, timeout: float = 300, cwd: Path = ROOT, **env: str) -> Answer:
        line = [sys.executable, "-m", "core", *map(str, args)]
        done = subprocess.run(
            line, cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)} | env, capture_output=True, text=True,
            encoding="utf-8", timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Answer(done)

    return run

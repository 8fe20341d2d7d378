"""The command line: exit statuses, the answer alone on standard output, one sentence alone on standard error."""

import errno
import json
import os
import subprocess
import sys
import types

import pytest

from core import __main__ as core_main
from core.errors import ConfigError, InputError
from tests.conftest import ROOT


@pytest.fixture
def run(monkeypatch, capfd):
    """Run `check` with a `work` of the test's own, in this process: (status, standard output, standard error)."""

    def call(work, *args: str) -> tuple[int, str, str]:
        fake = types.SimpleNamespace(
            HELP="x",
            add_arguments=lambda p: p.add_argument("data"),
            run=lambda args: work(),
            show=lambda r: f"shown {r['a']}",
        )
        monkeypatch.setitem(sys.modules, "core.cli.check", fake)
        status = core_main.main(["check", "file", *args])
        out, err = capfd.readouterr()
        return status, out, err

    return call


def fail(error: BaseException):
    def work():
        raise error

    return work


def test_a_person_reads_what_show_says(run):
    assert run(lambda: {"a": 1}) == (0, "shown 1\n", "")


def test_json_is_one_object_and_alone(run):
    def noisy():
        print("from Python")
        os.write(1, b"from native code\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        return {"a": 1, "ü": "東京"}

    status, out, err = run(noisy, "--json")
    assert (status, out) == (0, '{"a": 1, "ü": "東京"}\n')
    assert all(who in err for who in ("from Python", "from native code", "from a child"))


def test_json_has_no_nan(run):
    out = run(
        lambda: {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": (-float("inf"), "x", None, True)}}, "--json"
    )[1]
    assert json.loads(out, parse_constant=pytest.fail) == {
        "a": None,
        "b": [None, 1.5],
        "c": {"d": [None, "x", None, True]},
    }


def test_wrong_input_is_status_2_and_one_sentence(run):
    assert run(fail(InputError("There is no file 'x'.", "data.path"))) == (2, "", "There is no file 'x'.\n")
    both = run(fail(ConfigError({"data.path": "gone.", "model.path": "gone too."})), "--json")
    assert both == (2, "", "data.path: gone.\nmodel.path: gone too.\n")


def test_a_full_disk_is_said_and_is_status_2(run):
    status, out, err = run(fail(OSError(errno.ENOSPC, "No space left on device", "/x/y")))
    assert (status, out) == (2, "") and err.startswith("The disk is full") and "Traceback" not in err


def test_too_little_memory_is_said_and_is_status_1(run):
    status, out, err = run(fail(MemoryError()))
    assert (status, out) == (1, "") and "not enough memory" in err and "Traceback" not in err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG])
def test_a_file_that_may_not_be_used_is_said_and_is_status_2(run, number):
    status, out, err = run(fail(OSError(number, os.strerror(number), "/x/y")))
    assert (status, out) == (2, "") and err == f"'/x/y' cannot be used: {os.strerror(number).lower()}.\n"


def test_what_is_a_bug_is_raised(run):
    with pytest.raises(ZeroDivisionError):
        run(fail(ZeroDivisionError()))
    assert os.fstat(1)  # standard output was given back


def test_an_interrupt_is_no_traceback(run):
    assert run(fail(KeyboardInterrupt()))[0] == 130


def test_a_result_may_bring_its_own_status(run):
    assert run(lambda: {"a": 1, "exit": 1})[0] == 1


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ([], "The following arguments are required: COMMAND. See: python -m core --help"),
        (
            ["chek"],
            "There is no command 'chek'. Did you mean 'check'? Known: check, estimate, presets, train, evaluate, "
            "merge, export, play, push, runs, adapters, olive.",
        ),
        (["check"], "The following arguments are required: DATA. See: python -m core check --help"),
        (["check", "x", "--jsn"], "Unrecognized arguments: --jsn. See: python -m core"),
        (["runs", "shw"], "See: python -m core runs --help"),
        (["train", "no.yaml"], "The config 'no.yaml' cannot be read: no such file or directory."),
        (["check", "no.csv"], "no.csv"),
        (["runs", "show", "../../etc"], "../../etc"),
    ],
)
def test_wrong_words_are_status_2_and_one_sentence(args, sentence, capfd):
    assert core_main.main(args) == 2
    out, err = capfd.readouterr()
    assert out == "" and sentence in err and err.count("\n") == 1 and "Traceback" not in err


def test_help_is_status_0(capfd):
    with pytest.raises(SystemExit) as caught:
        core_main.main(["--help"])
    assert not caught.value.code
    assert all(command in capfd.readouterr().out for command in core_main.COMMANDS[:1])


def test_as_a_process(command, tmp_path, runs_dir):
    listed = command("runs", "--json")
    assert (listed.status, listed.err) == (0, "") and listed.json["runs"] == []
    wrong = command("train", tmp_path / "naïve 東京.yaml", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert wrong.status == 2 and wrong.out == "" and "naïve 東京.yaml" in wrong.err and wrong.err.count("\n") == 1


def test_a_reader_that_goes_away_gets_no_traceback(runs_dir):
    line = f"{sys.executable} -m core runs --json | true"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr

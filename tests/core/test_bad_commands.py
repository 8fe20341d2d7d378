"""Bad command lines, drawn by a grammar: each ends in a sentence and status 2, and leaves nothing behind."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import __main__ as core_main
from tests import damage
from tests.conftest import ROOT

COUNT = 300
CONFIG = str(ROOT / "assets" / "configs" / "tone.yaml")
DATA = str(ROOT / "assets" / "data" / "tone" / "heldout.jsonl")
LONG = "9" * 3000
NO_COUNT = (
    "-3",
    "0",
    "-0",
    LONG,
    "9" * 5000,
    "-" + LONG,
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1.5",
    "x",
    "",
    " ",
    "\u0663x",
    "0x10",
)
NO_PATH = (  # whatever it is given for
    "~nosuchuser/x",
    "x" * 5000,
    "a/" + "b" * 300,
    "a\0b",
    "",
    "   ",
    "\ud800x",
    "~nosuchuser",
    "/x" * 2500,
    "c" * 256,
)
NOTHING = (
    "/proc/nosuch/x",
    "no-such",
    "../../../nowhere/at/all",
    "README.md/x",
    "{loop}/x",
    "{loop}",
    "a\nb",
    "CON",
    "*",
)
NO_FILE = (
    *NOTHING,
    "{pipe}",
    "/dev/null",
    "{folder}",
    "{binary}",
    "{deep}",
    "{bomb}",
    "{aliases}",
    "{twice}",
    "{empty}",
)
NO_SET = (
    "training.max_steps=" + LONG,
    "training.max_steps=-3",
    "training.max_steps=nan",
    "training.learning_rate=.inf",
    "training.learning_rate=" + LONG,
    "training.seed=" + LONG,
    "training.num_train_epochs=" + LONG,
    "a",
    "=",
    "a=",
    "a.b=1",
    "training=1",
    "training.=1",
    ".x=1",
    "method.r=" + LONG,
    "method.r=-0",
    "method.name=x",
    "data.roles=[[[[[",
    "data.fixes=x",
    "training.warmup_steps=1e300",
    "data.roles=&a [*a]",
    "data.validation=1e999",
    "x" * 5000 + "=1",
    "training.max_minutes=" + LONG,
    "data.max_tokens=" + "[" * 5000,
    "training.loss=[",
    "data.fold=\0",
    "data.folds=-3",
    "model.path=",
    "data.path=''",
    "training.optim=" + "x" * 5000,
    "data.max_tokens=!!int x",
    "data.max_tokens={a: {a: {}}}",
    "evaluation.max_rows=" + LONG,
    "training.save_steps=" + LONG,
    "training.eval_steps=1e30",
    "training.report_to=1",
)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An empty working directory, a folder with a whole run, and things that are no config, no run and no data."""
    for name in ("runs", "here", "things"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path / "here")
    things = tmp_path / "things"
    (things / "loop").symlink_to(things / "loop")
    os.mkfifo(things / "pipe")
    (things / "binary").write_bytes(bytes(range(256)) * 99)
    (things / "deep").write_text("a: " + "[" * 50_000)
    (things / "aliases").write_text("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    (things / "bomb").write_text("data: {path: " + "{a: " * 30_000)
    (things / "twice").write_text("task: generation\ntask: generation\n")
    (things / "empty").write_text("")
    (things / "folder").mkdir()
    run = damage.whole_run()
    return {name.name: str(name) for name in things.iterdir()} | {"run": run.id}


def line(draw: random.Random, places: dict[str, str]) -> list[str]:
    """One command line with at least one thing wrong in it that needs no model to be seen."""

    def one(*values: str) -> str:
        text = draw.choice(values)
        return places.get(text.partition("}")[0][1:], "") + text.partition("}")[2] if text.startswith("{") else text

    def some(*options: tuple[str, ...]) -> list[str]:
        chosen = draw.sample(options, draw.randint(1, min(2, len(options))))
        return [word for name, *values in chosen for word in (name, one(*values))]

    no_run = (*NO_PATH, *NOTHING, "{pipe}", "{empty}", "..", ".", "/", "-", "x/../..")
    no_out = (*NO_PATH, "/proc/x", "/proc/self/x/y", f"{CONFIG}/x", "{loop}/x", "{pipe}/x", "{pipe}")
    bad_config: list[list[str]] = [[one(*NO_PATH, *NO_FILE)], [CONFIG, "--set", one(*NO_SET)]]
    bad_config += [
        [CONFIG, "--set", f"{field}.path={one(*NO_PATH[:4], *NO_PATH[6:], *NOTHING)}"] for field in ("model", "data")
    ]
    refused = [
        [CONFIG, "--set", f"{field}={one(*NO_PATH[:4], *NO_PATH[6:])}"]
        for field in ("model.path", "data.path", "evaluation.data")
    ]
    match draw.choice(core_main.COMMANDS):
        case "check":
            wrong = some(
                ("--max-tokens", *NO_COUNT),
                ("--split", "[x]", "nan", "-1", LONG, "[" + "9" * 5000 + ":]", "[::]"),
                ("--task", "x" * 5000, ""),
                ("--fix", "x", ""),
                ("--template", "{nosuch}", "{", ""),
                ("--model", *NO_PATH),
                ("--group-by", "nosuch", "\0"),
            )
            return ["check", *draw.choice([[one(*NO_PATH, *NO_FILE[:-2], "{empty}")], [DATA, *wrong]])]
        case "estimate" | "presets" as name:
            more = bad_config if name == "estimate" else bad_config[:2]
            return [name, *draw.choice(more)]
        case "train":
            wrong = some(("--folds", *NO_COUNT), ("--preset", "x" * 5000, ""), ("--run-dir", *no_out))
            wrong = ["--folds", one(*NO_COUNT)] if "" in wrong else wrong  # no preset is no mistake
            return ["train", *draw.choice([*bad_config[:2], *refused, [CONFIG, *wrong], ["--resume", one(*no_run)]])]
        case "evaluate":
            wrong = some(
                ("--rows", *NO_COUNT),
                ("--max-new-tokens", *NO_COUNT),
                ("--metrics", "", ","),
            )
            return ["evaluate", one(*NO_PATH, "no such"), *wrong]
        case "export":
            wrong = some(
                ("--rows", *NO_COUNT),
                ("--device", "x" * 5000, "\0", ""),
                ("--block-size", *NO_COUNT),
                ("--out", *no_out),
                ("--accuracy-level", "-1", LONG, "nan"),
                ("--format", "x", ""),
            )
            return ["export", one("{run}", *no_run), *wrong]
        case "play":
            return [
                "play",
                *draw.choice([[one(*no_run), "x"], ["{run}", "x", *some(("--max-new-tokens", *NO_COUNT))], []]),
            ]
        case "push":
            wrong = ["--repo", one("x", "a/b/c", "x" * 5000, "", "\0", "a/..", "../x", "a b/c")]
            return [
                "push",
                *draw.choice(
                    [
                        [one(*no_run), "--repo", "a/b"],
                        [places["run"], *wrong],
                        [one(*no_run), *wrong],
                        [places["run"], "--repo", "a/b", "--what", one("x", "../..", "", LONG)],
                    ]
                ),
            ]
        case "merge":
            return ["merge", one("{run}", *no_run), "--out", one(*no_out)]
        case "runs":
            words = [[one("shw", "", LONG)], ["list", "x"], *([what] for what in ("show", "stop", "resume", "delete"))]
            words += [[what, one(*no_run)] for what in ("show", "stop", "resume", "delete")]
            return ["runs", *draw.choice(words)]
        case "adapters":
            words = [
                ["rename"],
                ["rename", places["run"], one("", "x" * 5000, "a\nb", "\ud800")],
                ["rename", one(*no_run), "x"],
            ]
            words += [["ask"], ["ask", "--runs", "x", *some(("--max-new-tokens", *NO_COUNT))], ["x"]]
            return [
                "adapters",
                *draw.choice(words),
                *draw.choice([[], ["--idle-minutes", one("nan", "x", "-1", LONG)]]),
            ]
        case _:
            text = "olive finetune -m assets/demo-model -d json --data_files rows.jsonl"
            words = [["import", one(*NO_PATH[:4], *NO_PATH[6:], *NO_FILE)], ["import", text, "--out", one(*no_out)]]
            words += [["export", one(*no_run, *NO_FILE)], ["export", CONFIG, "--device", one("x", LONG)], ["x"], []]
            return ["olive", *draw.choice(words), *draw.choice([[], ["--json"]])]


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """Everything below a folder but the cache, with sizes and times of change."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != "cache"]
        for name in (*folders, *files):
            stat = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (stat.st_size, stat.st_mtime_ns if name in files else 0)
    return found


def test_300_bad_command_lines(places: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    draw, before, seen, wrong = random.Random(12), tree(tmp_path), set[str](), list[str]()
    for number in range(COUNT):
        words = [places["run"] if word == "{run}" else word for word in line(draw, places)]
        seen.add(words[0])
        shown = f"{number}: {[word if len(word) < 80 else f'{word[:40]}... ({len(word)})' for word in words]}"
        try:
            status = core_main.main(words)
        except BaseException as error:
            wrong.append(f"{shown} raised {type(error).__name__}: {str(error)[:300]}")
            status = 2
        out, err = capfd.readouterr()
        if status != 2 or out or "Traceback" in err or not err.strip():
            wrong.append(f"{shown} ended with {status}: {out[-300:]}{err[-300:]}")
        after = tree(tmp_path)
        if after != before:
            wrong.append(f"{shown} left {sorted(set(after.items()) ^ set(before.items()))[:5]}")
            before = after
    assert not wrong, "\n".join(wrong)
    assert seen == set(core_main.COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["estimate", CONFIG, "--set", f"training.max_steps={LONG}"],
            "training.max_steps: a number of about 300",
        ),
        (["train", CONFIG, "--folds", "-3"], "Argument --folds: -3 is too small: at least 2"),
        (["push", "~nosuchuser/x", "--repo", "a/b"], "is no path: there is no user 'nosuchuser' here"),
        (["merge", "no-such", "--out", "/proc/x"], "--out: the folder /proc/x cannot be used"),
    ],
)
def test_as_processes(command: Callable[..., Any], places: dict[str, str], words: list[str], said: str) -> None:
    done = command(*words)
    assert done.status == 2 and said in done.err and "Traceback" not in done.err and not done.out

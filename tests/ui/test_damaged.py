"""A damaged run is a row that says so, and takes no other with it: in the list, in each tab, on the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from core.export import exports
from core.export.push import exported
from core.runs import checkpoints, playing, store
from core.runs.adapters import by_base
from core.runs.listing import Listing
from core.runs.store import Run
from tests import damage
from ui import chooser, header, live
from ui.shared import first_draft
from ui.tabs import evaluate, train
from ui.tabs import export as export_tab
from ui.tabs.export import hub
from ui.tabs.runs import adapters, table

SLOTS = dict.fromkeys([*live.SLOTS, "table"], "")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with two whole runs: (the good one, the one that is damaged, a copy of it as it was)."""
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("damaged")
    (home / "runs").mkdir()
    patch.setenv("TUNESMITH_RUNS", str(home / "runs"))
    good, bad = damage.whole_run("good"), damage.whole_run("damaged")
    shutil.copytree(bad.dir, home / "whole")
    yield good, bad, home / "whole"
    patch.undo()


def look(run: Run) -> dict[str, Any]:
    """Everything that somebody may look at of all runs, and of this one; what is found is compared by the caller."""
    rows = {row.id: row for row in Listing().summaries()}
    drawn = "".join(table.cells(row, "") for row in rows.values())
    found = [chooser.choices(run.id), train.show(run.id, first_draft()), evaluate.show(run.id, "All")]
    found += [evaluate.answers(run.id, "All", "", 0), evaluate.file_of({"run": run.id, "kind": "csv"})]
    found += [
        export_tab.show(run.id, "cpu", "int8"),
        live.news({"run": run.id, "turns": 0, "log": 0, "val": 0, "seen": SLOTS}),
    ]
    found += [live.job_news({"run": run.id, "kind": kind}) for kind in ("evaluation", "push", "export/cpu-int8")]
    found += [
        hub.ended(run.id),
        header._marks(run.id),
        adapters.listed(None, []),
        exports(run),
        exported(run),
        run.damage(),
    ]
    found += [checkpoints.newest(run.dir / "checkpoints"), run.curve(4), run.exports(), run.resumable]
    return {"rows": rows, "drawn": drawn, "bases": by_base(), "found": found}


def refused_or_not(work: Callable[[], Any]) -> None:
    """It may refuse, in a sentence; nothing else may come of it."""
    try:
        work()
    except store.InputError as error:
        assert str(error).strip()


def checked(good: Run, bad: Run) -> dict[str, Any]:
    """All looks at the damaged run and at the good one: nothing raises, and the good one is as it was."""
    seen = look(bad)
    assert set(seen["rows"]) == {good.id, bad.id} and f'data-run="{good.id}"' in seen["drawn"]
    assert seen["rows"][good.id].state.state == "done" and seen["rows"][good.id].title == "good"
    assert any(info.run.id == good.id for infos in seen["bases"].values() for info in infos)
    assert "delete" in table.acts(seen["rows"][bad.id])
    for work in (bad.config, bad.pinned, lambda: playing.form(bad.export_dir("cpu", "int8"))):
        refused_or_not(work)
    return seen


@settings(max_examples=120)
@given(edit=damage.edits())
def test_any_value_in_any_file(two: tuple[Run, Run, Path], edit: tuple[str, Callable[[Path], None]]) -> None:
    good, bad, whole = two
    try:
        edit[1](bad.dir)
        checked(good, bad)
    finally:
        shutil.rmtree(bad.dir)
        shutil.copytree(whole, bad.dir)


THINGS = damage.odd_things()


def put(whole: Path, bad: Run, thing: str, files: tuple[str, ...]) -> None:
    """Put a thing in the place of some files of the damaged run, which is whole otherwise."""
    shutil.rmtree(bad.dir)
    shutil.copytree(whole, bad.dir)
    for file in files:
        (bad.dir / file).unlink()
        THINGS[thing](bad.dir / file)


@pytest.mark.parametrize("thing", THINGS)
def test_anything_under_the_names_of_all_files(two: tuple[Run, Run, Path], thing: str) -> None:
    good, bad, whole = two
    put(whole, bad, thing, damage.EVERY)
    assert bad.id in checked(good, bad)["rows"]
    put(whole, bad, thing, damage.EVERY[1::2])
    checked(good, bad)


@pytest.mark.parametrize(
    "file", [name for name in damage.EVERY if name.endswith((".json", ".yaml")) and "job" not in name]
)
def test_it_says_which_file_is_damaged(two: tuple[Run, Run, Path], file: str) -> None:
    good, bad, whole = two
    put(whole, bad, "cut off", (file,))
    seen = checked(good, bad)
    said = str(seen["found"]) + seen["drawn"] + "".join(str(seen["rows"][bad.id]))
    name = "/".join(Path(file).parts[-2:]) if "/" in file and not file.endswith("state.json") else Path(file).name
    told = (f"{name} cannot be read", f"{name} of this run", f"its {Path(file).name} cannot be read")
    silent = ("best.json", "failed.json", "push/result.json", "tunesmith.json")  # nobody says what they would say
    assert file.endswith(silent) or any(words in said for words in told)

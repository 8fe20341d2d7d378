"""The rows of all runs: true at every moment, and read no more often than they change."""

import json
import os
import time

import orjson
import pytest

from core import yamltext
from core.config import RunConfig
from core.errors import InputError
from core.runs import about as abouts
from core.runs import eventlog, store
from core.runs.about import about
from core.runs.adapters import rename
from core.runs.files import write_json
from core.runs.listing import LISTING, Listing, index_file
from core.runs.state import State, StateFile
from core.runs.store import Run


@pytest.fixture
def reads(monkeypatch):
    """What was read from now on: {"yaml": parses, "events": logs, "state": looks at a state}."""
    count = {"yaml": 0, "events": 0, "state": 0}

    def counted(where, name, what):
        real = getattr(where, name)

        def call(*args, **kw):
            count[what] += 1
            return real(*args, **kw)

        monkeypatch.setattr(where, name, call)

    counted(yamltext, "quick", "yaml")
    counted(yamltext, "read", "yaml")
    counted(eventlog, "read", "events")
    counted(Run, "state", "state")
    return count


def make(name, state="done", losses=(3.0, 2.0), **more):
    """A run that has ended ten seconds ago, as its files say."""
    run = store.create(RunConfig(), name)
    write_json(run.dir / "state.json", {"state": state, "started": 1e9, "ended": 1e9 + 60} | more)
    with open(run.dir / "events.jsonl", "w") as file:
        for step, loss in enumerate(losses, 1):
            file.write(json.dumps({"kind": "eval", "step": step, "validation_loss": loss, "max_steps": 9}) + "\n")
    return settle(run)


def settle(run):
    for path in run.dir.rglob("*"):
        os.utime(path, (time.time() - 10,) * 2)
    return run


def forget():
    """As in a new process: nothing is remembered but the index."""
    abouts.KNOWN.clear()
    return Listing()


def test_a_row_says_what_the_files_say(runs_dir):
    run = make("mine")
    [row] = Listing().summaries()
    assert (row.run, row.id, row.title, row.about.name) == (run, run.id, "mine", "mine")
    assert (row.about.task, row.about.method, row.about.base, row.about.data) == (
        "generation", "LoRA r 16", "demo-model", "fields",
    )  # fmt: skip
    assert (row.state.state, row.course.losses, row.course.best, row.course.best_step) == ("done", (3.0, 2.0), 2.0, 2)
    assert row.created == run.created and not row.has_model and row.damage == "" and row.resumable is None
    (run.dir / "model").mkdir()
    (run.dir / "model" / "config.json").write_text("{}")
    assert Listing().summary(run).has_model


def test_a_second_look_reads_nothing_and_a_changed_run_alone(runs_dir, reads):
    runs = [make(f"run {number}") for number in range(5)]
    listing = Listing()
    first = listing.summaries()
    assert reads == {"yaml": 5, "events": 5, "state": 5}
    assert listing.summaries() == first and reads == {"yaml": 5, "events": 5, "state": 5}
    rename(runs[2], "another")
    os.utime(runs[2].dir / "environment.json", (time.time() - 5,) * 2)
    assert [row.title for row in listing.summaries()].count("another") == 1
    assert reads == {"yaml": 6, "events": 5, "state": 5}
    (runs[3].dir / "config.yaml").write_text("task: [")  # edited where it stands
    assert "config.yaml" in listing.summary(runs[3]).damage and reads["events"] == 5
    make("a sixth")
    before = reads["events"]
    assert len(listing.summaries()) == 6 and reads["events"] == before + 1


def test_a_log_that_grows_is_read_on(runs_dir, monkeypatch):
    began = []
    real = eventlog.read
    monkeypatch.setattr(eventlog, "read", lambda path, at=0: began.append(at) or real(path, at))
    run, listing = store.create(RunConfig()), Listing()
    with StateFile(run.dir / "state.json").working("training"):
        log = eventlog.EventLog(run.dir / "events.jsonl")
        for step in range(1, 4):
            log.add("log", step, loss=1.0 / step, max_steps=9)
            assert listing.summary(run).course.step == step
    size = (run.dir / "events.jsonl").stat().st_size
    assert began[0] == 0 and 0 < began[1] < began[2] < size
    (run.dir / "events.jsonl").write_text('{"kind":"log","step":1,"loss":7.0}\n')  # written anew
    assert listing.summary(run).course.loss == 7.0


def test_a_process_that_died_is_seen_and_an_end_is_not_looked_at_again(runs_dir, reads, monkeypatch):
    run, listing = store.create(RunConfig()), Listing()
    monkeypatch.setattr("core.runs.listing.JUDGED_S", 0.0)
    with StateFile(run.dir / "state.json").working("training"):
        assert listing.summary(run).state.state == "running"
        values = json.loads((run.dir / "state.json").read_text())
    write_json(run.dir / "state.json", values | {"pid": 2**22 + 5})
    settle(run)
    assert listing.summary(run).state.reason == "killed"
    seen = reads["state"]
    assert listing.summary(run).state.state == "failed" and reads["state"] == seen
    (run.dir / "stop").touch()  # it had been asked to stop, it turns out
    assert listing.summary(run).state.state == "stopped"


def test_viewers_within_a_second_judge_once(runs_dir, reads, monkeypatch):
    monkeypatch.setattr("core.runs.listing.JUDGED_S", 60.0)
    run, listing = store.create(RunConfig()), Listing()
    with StateFile(run.dir / "state.json").working("training"):
        settle(run)
        monkeypatch.setattr("core.runs.state.BEAT_S", 60.0)
        for _ in range(5):
            listing.summary(run)
    assert reads["state"] <= 3  # once, and again where a heartbeat came between


def test_a_run_that_makes_no_sense_takes_no_other_with_it(runs_dir, monkeypatch):
    good, bad = make("good"), make("bad")
    real = Run.state

    def state(self):
        if self == bad:
            raise TypeError("'<' not supported")
        return real(self)

    monkeypatch.setattr(Run, "state", state)
    rows = {row.id: row for row in Listing().summaries()}
    assert rows[good.id].state.state == "done"
    assert rows[bad.id].state.reason == "unreadable" and "TypeError" in rows[bad.id].damage


def test_the_index_saves_a_new_process_the_reading(runs_dir, reads):
    for number in range(20):
        make(f"run {number}")
    rows = forget().summaries()
    assert index_file(runs_dir).is_file()
    reads.update(yaml=0, events=0, state=0)
    assert forget().summaries() == rows and reads == {"yaml": 0, "events": 0, "state": 0}
    index_file(runs_dir).unlink()  # it can be deleted at any time
    assert forget().summaries() == rows and reads["yaml"] == 20


def test_what_changed_since_the_index_was_written_is_read(runs_dir, reads):
    runs = [make(f"run {number}") for number in range(20)]
    forget().summaries()
    write_json(runs[7].dir / "state.json", {"state": "failed", "error": "It broke.", "reason": "error"})
    with open(runs[8].dir / "events.jsonl", "a") as file:
        file.write('{"kind":"eval","step":3,"validation_loss":0.5}\n')
    store.delete(runs[9])
    rows = {row.id: row for row in forget().summaries()}
    assert rows[runs[7].id].state.error == "It broke." and rows[runs[8].id].course.best == 0.5
    assert len(rows) == 19


@pytest.mark.parametrize(
    "damage",
    [
        lambda said: b"",
        lambda said: b"\xff{",
        lambda said: b"[1, 2]",
        lambda said: orjson.dumps(said | {"format": 0}),
        lambda said: orjson.dumps(said | {"root": "/elsewhere"}),
        lambda said: orjson.dumps(said | {"runs": 5}),
        lambda said: orjson.dumps(said | {"runs": dict.fromkeys(said["runs"], "x")}),
        lambda said: orjson.dumps(said | {"runs": dict.fromkeys(said["runs"], {"about": 1, "course": [], "standing": {}})}),
        lambda said: orjson.dumps(mutated(said, "about", "title", 7)),
        lambda said: orjson.dumps(mutated(said, "course", "losses", ["x"])),
        lambda said: orjson.dumps(mutated(said, "course", "best", [])),
        lambda said: orjson.dumps(mutated(said, "standing", "started", "x")),
    ],
)
def test_a_damaged_index_is_passed_over(runs_dir, damage):
    for number in range(20):
        make(f"run {number}")
    rows = forget().summaries()
    path = index_file(runs_dir)
    path.write_bytes(damage(orjson.loads(path.read_bytes())))
    assert forget().summaries() == rows


def mutated(said, part, key, value):
    for row in said["runs"].values():
        next(item for item in row[part] if isinstance(item, dict))[key] = value
    return said


def test_a_cache_that_cannot_be_written_does_no_harm(runs_dir, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "file" / "cache"))
    for number in range(20):
        make(f"run {number}")
    assert len(forget().summaries()) == 20


def test_states_keep_their_types_in_the_index():
    """A new field of State must be one that the index can hold, or every row would be read anew in silence."""
    from core.runs.course import Course
    from core.runs.listing import KINDS

    for kind in (State, Course, abouts.About):
        for field in kind.__dataclass_fields__.values():
            assert {part.strip() for part in field.type.split("|")} <= set(KINDS), field.name


@pytest.mark.parametrize(
    "text",
    [
        "task: classification\ndata: {path: a/b/train.jsonl}",
        "task: generation\ndata:\n  path: '2024-01-01'\nmethod: {name: full}",
        "task: generation\ntask: extraction",
        "task: [",
        "",
        "- 1",
        "data: &a {path: x}\nmodel: *a",
        "data: {path: 'a & b *.jsonl'}",
        "task: nonsense",
        "task: !!python/object:os.system x",
    ],
)
def test_the_words_are_those_of_the_config(runs_dir, text):
    run = store.create(RunConfig())
    (run.dir / "config.yaml").write_text(text)
    found = about(run.dir)
    try:
        config = run.config()
    except InputError as error:
        assert (found.title, found.method, found.damage) == (run.id, "", " ".join(str(error).split()))
    else:
        assert found.title == store.describe_config(config) and (found.task, found.damage) == (config.task, "")


def test_an_unknown_id_is_compared_with_those_like_it(runs_dir, monkeypatch):
    for number in range(150):
        (runs_dir / f"2025010{number % 9 + 1}-00{number:04d}-run").mkdir()
        (runs_dir / f"2025010{number % 9 + 1}-00{number:04d}-run" / "state.json").touch()
    compared = []
    real = store.nearest
    monkeypatch.setattr(store, "nearest", lambda word, known: compared.append(len(known)) or real(word, known))
    with pytest.raises(InputError, match="Did you mean '20250101-000009-run'"):
        store.open_run("20250101-000009-rn")
    assert compared == [100]


def test_one_listing_for_all():
    assert isinstance(LISTING, Listing)

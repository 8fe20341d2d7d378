"""An export to the Hub, against a small server of our own: what is shown first, what arrives, and who is told what."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import config as configs
from core.errors import InputError
from core.export import push
from core.paths import ROOT
from core.runs import rights, store
from core.runs.files import write_json
from core.visitors import Visitor
from tests import factory
from tests.core.export.push_server import GOOD, PushHub, serve

WEIGHTS = bytes(range(256)) * 40


@pytest.fixture
def run(tmp_path, runs_dir):
    """A finished run with two exports, whose files a test need not be able to run."""
    rows = factory.write_jsonl(tmp_path / "rows.jsonl", factory.tone_rows(8))
    config = configs.build({"task": "generation", "data": {"path": str(rows), "template": "{phrase}\n{tone}"}})
    made = store.create(config, "tone of voice")
    export(made, "cpu-int8", {"model.onnx": WEIGHTS, "run.py": b"print(1)\n"}, made=1.0)
    export(made, "gguf-q8_0", {"tone-Q8_0.gguf": WEIGHTS, "Modelfile": b"FROM x\n"}, made=2.0)
    return made


def export(run, name: str, files: dict[str, bytes], made: float = 3.0, status: str = "verified") -> Path:
    folder = run.dir / "export" / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    hashes = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    write_json(folder / "tunesmith.json", {"files": hashes})
    (folder / "README.md").write_text("---\ntags: [tunesmith]\n---\n\n# tone\n", encoding="utf-8")
    write_json(folder / "report.json", {"status": status, "message": "All the same.", "made": made})
    write_json(folder / "state.json", {"state": "done"})
    (folder / "output.log").write_text("what a job printed", encoding="utf-8")
    return folder


@pytest.fixture
def hub() -> Iterator[PushHub]:
    made = PushHub()
    with serve(made):
        yield made


def there(hub: PushHub, token: str = GOOD) -> dict[str, str]:
    """The environment of a command that is to find this hub."""
    return {"HF_ENDPOINT": hub.address, "HF_TOKEN": token, "HF_HUB_OFFLINE": "0"}


# What is shown first


def test_a_dry_run_shows_all_and_sends_nothing(run, hub, command):
    done = command("push", run.dir, "--repo", "me/tone", "--what", "gguf", "--dry-run", "--json", **there(hub))
    assert done.status == 0, done.err
    said = done.json
    assert said["dry_run"] and said["private"] and said["repo"] == "me/tone" and said["export"] == "gguf-q8_0"
    sizes = {file["name"]: file["bytes"] for file in said["files"]}
    assert sizes["tone-Q8_0.gguf"] == len(WEIGHTS) and sum(sizes.values()) == said["bytes"]
    assert set(sizes) == {"Modelfile", "README.md", "tone-Q8_0.gguf", "tunesmith.json"}, "what a job keeps stays here"
    assert said["card"].endswith("# tone\n") and "made with Tunesmith" in said["message"]
    assert hub.asked == [] and not (run.dir / "export" / "push").exists()
    shown = command("push", run.dir, "--repo", "me/tone", "--dry-run", **there(hub)).out
    assert (
        shown.startswith("Nothing was sent.") and "private" in shown and "# tone" in shown and "10,240 bytes" in shown
    )


def test_the_newest_of_a_kind_or_the_one_that_is_named(run):
    export(run, "gguf-f16", {"tone-F16.gguf": WEIGHTS}, made=9.0)
    assert push.plan(run, "package", "me/tone").name == "cpu-int8"
    assert push.plan(run, "gguf", "me/tone").name == "gguf-f16"
    assert push.plan(run, "gguf-q8_0", "me/tone").name == "gguf-q8_0"
    assert list(push.exported(run)) == ["gguf-f16", "gguf-q8_0", "cpu-int8"]


def test_what_is_not_there_says_how_to_make_it(run):
    with pytest.raises(InputError, match="no export of the kind 'adapter'.*gguf-q8_0, cpu-int8.*--format adapter"):
        push.plan(run, "adapter", "me/tone")
    with pytest.raises(InputError, match="no export 'cpu-int4'.*name a kind: package, safetensors"):
        push.plan(run, "cpu-int4", "me/tone")


@pytest.mark.parametrize("name", ["tone", "me/", "/tone", "a/b/c", "me/to--ne", "me/tone.git", "me/-tone", "me/to ne",
                                  "me/" + "x" * 95, "../x", "me/tone."])  # fmt: skip
def test_names_that_the_hub_has_not(run, name):
    with pytest.raises(InputError, match="owner/name") as caught:
        push.plan(run, "package", name)
    assert caught.value.field == "export.repo"


def test_an_export_that_was_changed_is_not_sent(run):
    (run.dir / "export" / "cpu-int8" / "model.onnx").write_bytes(WEIGHTS[:-1] + b"x")
    with pytest.raises(InputError, match="model.onnx of the export cpu-int8 is not what was compared any more"):
        push.plan(run, "package", "me/tone")


def test_only_what_was_compared_is_sent(run):
    folder = run.dir / "export" / "cpu-int8"
    (folder / "node_modules").mkdir()
    for name in ("node_modules/x.js", "private.txt"):
        (folder / name).write_text("mine")
    made = push.plan(run, "package", "me/tone")
    assert list(made.files) == ["README.md", "model.onnx", "run.py", "tunesmith.json"]
    (folder / "README.md").unlink()
    with pytest.raises(InputError, match=r"README\.md of the export cpu-int8 is not what was compared any more"):
        push.plan(run, "package", "me/tone")
    (folder / "tunesmith.json").write_text("{")
    with pytest.raises(InputError, match=r"tunesmith\.json of the export cpu-int8 is damaged: export it again"):
        push.plan(run, "package", "me/tone")


def test_a_token_in_a_file_is_not_sent(run):
    (run.dir / "export" / "cpu-int8" / "README.md").write_text(f"# tone\n{GOOD}", encoding="utf-8")
    with pytest.raises(InputError, match="looks like a token") as caught:
        push.plan(run, "package", "me/tone")
    assert GOOD not in str(caught.value)


def test_a_loss_is_told_before(run):
    export(run, "cpu-int4", {"model.onnx": b"x"}, status="verified with loss")
    made = push.plan(run, "cpu-int4", "me/tone", public=True)
    assert not made.private and made.notes[0].startswith("It is public: everybody")
    assert any("'verified with loss'" in note for note in made.notes) and "(verified with loss)" in made.message


# What arrives


@pytest.mark.slow
def test_all_files_arrive_in_a_private_repository(run, hub, command):
    done = command("push", run.dir, "--repo", "me/tone", "--what", "gguf", "--json", **there(hub))
    assert done.status == 0, done.err
    repo = hub.repos["me/tone"]
    folder = run.dir / "export" / "gguf-q8_0"
    names = ("Modelfile", "README.md", "tone-Q8_0.gguf", "tunesmith.json")
    assert repo["files"] == {name: (folder / name).read_bytes() for name in names}
    assert repo["private"] is True
    assert repo["commits"] == ["tone of voice: gguf-q8_0 (verified), made with Tunesmith"]
    assert done.json["url"] == f"{hub.address}/me/tone" and done.json["created"] and done.json["files"] == 4
    assert any(line.startswith("PUT /lfs/") for line in hub.asked), "the weights went by Git LFS"
    everything = [done.out, done.err, *(p.read_text("utf-8") for p in (run.dir / "export" / "push").glob("*.json"))]
    assert all(GOOD not in text for text in everything), "the token is written nowhere"
    state = json.loads((run.dir / "export" / "push" / "state.json").read_text("utf-8"))
    assert state["state"] == "done" and state["done"] == state["total"] == done.json["bytes"]
    again = command("push", run.dir, "--repo", "me/tone", "--what", "package", "--json", **there(hub))
    assert again.status == 0 and not again.json["created"] and len(repo["commits"]) == 2
    assert {"model.onnx", "tone-Q8_0.gguf"} <= set(repo["files"]), "an earlier export in the same place stays"


@pytest.mark.slow
def test_public_only_when_asked(run, hub, command):
    done = command("push", run.dir, "--repo", "me/open", "--public", "--json", **there(hub))
    assert done.status == 0 and hub.repos["me/open"]["private"] is False
    refused = command("push", run.dir, "--repo", "me/open", "--json", **there(hub))
    assert refused.status == 2 and "'me/open' is on the Hub already, and public; this was to be private" in refused.err
    assert len(hub.repos["me/open"]["commits"]) == 1


# Who is told what: in this process, where the library reads its environment again


@pytest.fixture
def here(hub, monkeypatch):
    import huggingface_hub.constants as constants

    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)  # where the library looks for a list of its own
    return hub


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"GET /api/models": 401}, "does not accept the token"),
        ({"POST /api/repos/create": 403}, "may not write to 'me'"),
        ({"POST /api/repos/create": 404}, "knows no 'me'"),
        ({"POST /api/repos/create": 402}, "wants a paid account.*It says: No, since \\[token\\] is wrong"),
        ({"POST /api/models/me/tone/preupload": 403}, "may not write to 'me'"),
        ({"POST /me/tone.git/info/lfs": 413}, "does not take files of this size"),
        ({"PUT /lfs/": 403}, "answered 403 while files were sent"),
        ({"POST /api/models/me/tone/commit": 412}, "answered 412 for 'me/tone'"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(run, here, broken, said):
    here.broken = broken
    with pytest.raises(InputError, match=said) as caught:
        push.push(push.plan(run, "package", "me/tone"), GOOD)
    assert caught.value.field == "export.repo" and "\n" not in str(caught.value) and "hf_" not in str(caught.value)


def test_others_and_nobody_may_not_write(run, here):
    with pytest.raises(InputError, match="may not write to 'other'"):
        push.push(push.plan(run, "package", "other/tone"), GOOD)
    with pytest.raises(InputError, match="does not accept the token"):
        push.push(push.plan(run, "package", "me/tone"), "hf_wrongwrongwrongwrongwrong")
    with pytest.raises(InputError, match="without a token that may write"):
        push.push(push.plan(run, "package", "me/tone"), "")
    assert not here.repos


def test_a_hub_that_is_not_there(run, here, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="cannot be reached"):
        push.push(push.plan(run, "package", "me/tone"), GOOD)


def test_what_did_not_arrive_is_told(run, here):
    here.losing = "run.py"
    with pytest.raises(InputError, match="lists run.py of 'me/tone' otherwise than it was sent"):
        push.push(push.plan(run, "package", "me/tone"), GOOD)


# Stopped


def test_a_stop_in_the_middle_leaves_no_commit(run, hub):
    hub.slow.clear()
    line = [sys.executable, "-m", "core", "push", str(run.dir), "--repo", "me/tone", "--json"]
    process = subprocess.Popen(
        line, cwd=ROOT, env=os.environ | there(hub), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert hub.uploading.wait(60), "the weights were never sent"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and out == ""
    assert hub.repos["me/tone"]["commits"] == [] and hub.repos["me/tone"]["files"] == {}
    assert json.loads((run.dir / "export" / "push" / "state.json").read_text("utf-8"))["state"] == "stopped"
    hub.slow.set()


def test_from_the_page_it_is_a_job(run, hub, monkeypatch):
    from core.runs import jobs

    for name, value in there(hub, "").items():
        monkeypatch.setenv(name, value)
    (run.dir / "model").mkdir()
    jobs.start_push(run, "gguf", "me/tone", token=GOOD)
    end = time.monotonic() + 60
    while (state := jobs.push_state(run)) is not None and state.under_way and time.monotonic() < end:
        time.sleep(0.05)
    assert state is not None and state.state == "done", state
    assert hub.repos["me/tone"]["private"] is True
    assert GOOD not in (run.dir / "export" / "push" / "output.log").read_text("utf-8")
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    visitor = Visitor("a" * 32, False)
    rights.sign(run, visitor)
    with pytest.raises(InputError, match="token of your own"):
        jobs.start_push(run, "gguf", "me/tone", visitor=visitor)

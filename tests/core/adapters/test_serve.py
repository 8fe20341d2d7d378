"""The model worker: asked through its client, from the command line, and what becomes of it when things go wrong."""

import json
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from core.__main__ import main
from core.errors import InputError
from core.runs.asking import ModelWorker
from tests.conftest import ROOT


@pytest.fixture
def worker():
    made = ModelWorker(idle_minutes=2)
    yield made
    made.close()


def gone(pid, seconds=30):
    """Whether a process ends within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_a_worker_answers_stays_warm_and_is_started_again(made, worker, tiny_llama):
    a, b = made("lora", 1), made("lora", 2)
    states = []
    first = worker.ask("go away", [a.id, "base", b.id], 6, on_state=states.append)
    assert states == ["starting", "loading the model", "answering"]
    assert [said.name for said in first.said] == [a.id, "base", b.id]
    assert first.batches == [[a.id, "base", b.id]] and first.seconds > 0 and first.loading > 0
    assert all(0 < said.tokens <= 6 for said in first.said)
    states.clear()
    pid = worker._process.pid
    again = worker.ask("go away", [b.id], 6, on_state=states.append)
    assert states == ["answering"] and again.said == [first.said[2]] and worker._process.pid == pid
    # what is wrong is said, and the next question is answered
    for names, words in (
        (["nobody"], "no run 'nobody'"),
        ([], "name 1 to"),
        ([a.id, "nobody-at-all"], "nobody-at-all"),
        ([a.id] * 17, "name 1 to 16"),
    ):
        with pytest.raises(InputError, match=words):
            worker.ask("go away", names, 6)
    with pytest.raises(InputError, match="1 to 2,048"):
        worker.ask("go away", [a.id], 0)
    assert worker.ask("go away", ["base", a.id], 6).said == first.said[1::-1]
    # killed: said in a sentence, and started anew
    results = []

    def ask():
        try:
            worker.ask("so glad", [a.id], 6)
        except InputError as error:
            results.append(str(error))

    asking = threading.Thread(target=ask)
    psutil.Process(pid).suspend()  # so that it is killed in the middle of a question
    asking.start()
    time.sleep(0.2)
    psutil.Process(pid).kill()
    asking.join(60)
    assert results and "killed" in results[0] and "Ask again" in results[0] and not worker.alive
    states.clear()
    assert worker.ask("go away", ["base"], 6, base=str(tiny_llama), on_state=states.append).said[0].tokens
    assert states == ["starting", "loading the model", "answering"]
    pid = worker._process.pid
    psutil.Process(pid).suspend()
    threading.Timer(0.3, worker.close).start()
    with pytest.raises(InputError, match="withdrawn"):
        worker.ask("go away", ["base"], 6)
    assert gone(pid) and not worker.alive


@pytest.mark.slow
def test_the_worker_ends_with_the_process_that_started_it(made, runs_dir):
    """A page that is killed says nothing to anybody: its worker's input ends."""
    run = made("lora", 1)
    code = (
        "import sys, time; from core.runs.asking import shared; w = shared(); "
        f"w.ask('go', ['{run.id}'], 4); print(w._process.pid, flush=True); time.sleep(600)"
    )
    page = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pid = int(page.stdout.readline())
    assert psutil.pid_exists(pid)
    page.kill()
    page.wait()
    page.stdout.close()
    assert gone(pid)


@pytest.mark.slow
def test_a_worker_that_nobody_asks_ends(tiny_llama, runs_dir):
    """And it speaks JSON lines and nothing else, whatever the libraries print."""
    line = [sys.executable, "-m", "core", "adapters", "serve", "--base", str(tiny_llama), "--idle-minutes", "0.05"]
    worker = subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ)
    question = {"prompt": "go away", "names": ["base"], "max_new_tokens": 4, "base": None, "revision": None}
    worker.stdin.write(json.dumps(question).encode() + b"\n")
    worker.stdin.flush()
    said = [json.loads(worker.stdout.readline()) for _ in range(2)]
    assert said[0] == {"state": "answering"} and said[1]["said"][0]["name"] == "base"
    assert worker.wait(60) == 0
    worker.stdin.close(), worker.stdout.close()


def test_the_command_line(made, capfd):
    def run(*args):
        status = main(["adapters", *args])
        said = capfd.readouterr()
        return json.loads(said.out) if status == 0 and "--json" in args else (status, said.out, said.err)

    a, b = made("lora", 1, r=4), made("lora", 2, r=4)
    bases = run("list", "--json")["bases"]
    assert len(bases) == 1 and {one["run"] for one in bases[0]["adapters"]} == {a.id, b.id}
    assert run("rename", a.id, "The first", "--json") == {"run": a.id, "title": "The first"}
    asked = ["ask", "--runs", f"{a.id},{b.id},base", "--prompt", "go", "--max-new-tokens", "4"]
    assert [one["name"] for one in run(*asked, "--json")["said"]] == [a.id, b.id, "base"]
    assert run(*asked)[1].startswith(a.id)
    both = run("combine", "--runs", f"{a.id},{b.id}", "--weights", "0.7,0.3", "--name", "Both", "--json")
    assert both["title"] == "Both" and "Both" in run()[1]
    for wrong, words in (
        (["ask"], "--runs and --prompt"),
        (["ask", "--runs", "nobody", "--prompt", "x"], "no run 'nobody'"),
        (["rename", a.id, ""], "is empty"),
        (["rename"], "needs the id"),
        (["combine", "--runs", a.id], "two or more"),
        (["combine", "--runs", f"{a.id},{b.id}", "--weights", "a,b"], "no list of numbers"),
    ):
        status, out, err = run(*wrong)
        assert status == 2 and words in err and not out

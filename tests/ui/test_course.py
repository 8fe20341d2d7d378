"""ui.course: samples, checkpoints and losses in tables."""

from __future__ import annotations

from collections.abc import Callable

from core.runs import checkpoints
from core.runs.state import State
from core.runs.store import Run
from tests.ui.conftest import log, validated
from ui import course
from ui.curve import Digest


def said(step: int, answer: str) -> dict[str, object]:
    return {"kind": "sample", "step": step, "answer": answer}


def test_samples_stay_few_and_keep_their_place() -> None:
    d = Digest(max_steps=1000)
    for step in range(0, 1001, 50):
        d.add(validated(step, 5 - step / 300))
        d.add(said(step, f"answer {step}"))
    assert [int(d.samples[i]["step"]) for i in course.chosen(d)] == [0, 250, 500, 750, 1000]
    assert course.chosen(Digest()) == []


def test_the_best_answer_is_marked() -> None:
    d = Digest()
    for step, loss in ((0, 3.0), (10, 1.0), (20, 2.0)):
        d.add(validated(step, loss))
        d.add(said(step, "" if step == 0 else "x"))
    html = course.samples(d)
    assert html.count("class=on") + html.count('class="on"') == 1 and "(nothing)" in html


def test_checkpoints_that_are_whole(new_run: Callable[..., Run]) -> None:
    run = new_run("running", log(10, 1.0), validated(10, 1.0))
    d = Digest()
    d.add(validated(10, 1.0))
    assert "first save" in course.checkpoints(run, d, run.state())
    folder = run.dir / "checkpoints" / "step-10"
    folder.mkdir(parents=True)
    (folder / "weights").write_text("x")
    assert "first save" in course.checkpoints(run, d, run.state())
    checkpoints.write_manifest(folder)
    assert "Best so far" in course.checkpoints(run, d, run.state())


def test_the_best_weights_are_listed_though_no_checkpoint_was_saved_there(new_run: Callable[..., Run]) -> None:
    run = new_run("running", log(10, 1.0), validated(10, 1.0))
    d = Digest()
    d.add(validated(10, 1.0))
    (run.dir / "checkpoints" / "best-10").mkdir(parents=True)
    html = course.checkpoints(run, d, run.state())
    assert "Best so far" in html and ">10<" in html


def test_the_table_says_what_the_plot_says() -> None:
    assert "No step" in course.as_table(Digest())
    d = Digest()
    for event in (log(5, 2.0), log(10, 1.5), validated(10, 1.25)):
        d.add(event)
    html = course.as_table(d)
    assert "1.500" in html and "1.250" in html


def test_the_log_is_its_last_lines(new_run: Callable[..., Run]) -> None:
    run = new_run("running")
    assert course.log(run, run.state()) == "Nothing has been printed yet."
    assert "terminal" in course.log(run, State("done"))
    (run.dir / "output.log").write_text("\n".join(f"line {n} <" for n in range(500)), encoding="utf-8")
    text = course.log(run, run.state())
    assert text.splitlines()[-1] == "line 499 &lt;" and len(text.splitlines()) == 200


def test_several_rows_are_asked_and_each_has_its_own_table() -> None:
    d = Digest()
    for step, loss in ((0, 3.0), (10, 1.0)):
        asked = {"prompt": "<b>how", "want": "well"} if not step else {}
        d.add(validated(step, loss))
        d.add({"kind": "sample", "step": step, "answers": [{"row": r, "answer": f"a{r}", **asked} for r in (4, 7)]})
    html = course.samples(d)
    assert (
        html.count("<table") == 2
        and html.count("&lt;b&gt;how") == 2
        and "Asked row 5" in html
        and "Asked row 8" in html
    )
    assert html.count(">a7<") == 2


def test_what_else_validation_found_has_its_column() -> None:
    d = Digest()
    d.add(log(10, 1.0))
    d.add(validated(10, 2.0) | {"accuracy": 0.75, "perplexity": float("inf")})
    d.add(validated(20, 2.0))
    html = course.as_table(d)
    assert "Accuracy" in html and "0.75" in html and "Perplexity" not in html

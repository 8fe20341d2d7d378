"""The grown demo model answers as the demo does, and its own commands are watched as they are."""

import sys

import pytest

from tests.bench import grown
from tests.bench.watched import watch
from tests.conftest import ROOT


@pytest.mark.slow
def test_a_grown_model_answers_as_the_demo_does(tmp_path, monkeypatch):
    import torch

    from core.models.load import load_base

    monkeypatch.setitem(grown.SHAPES, 9, (384, 768, 6))
    large = load_base(str(grown.model(9, tmp_path)), None, torch.float32).eval()
    small = load_base(str(grown.DEMO), None, torch.float32).eval()
    assert large.num_parameters() > 2 * small.num_parameters()
    ids = torch.tensor([[1, 50, 700, 8, 2222, 90]])
    with torch.no_grad():
        ours, theirs = large(ids).logits, small(ids).logits
    assert torch.allclose(ours, theirs, atol=2e-4) and theirs.std() > 0.5


def test_a_command_is_watched_to_its_end():
    code = "import subprocess, sys, time; x = b'x' * 200_000_000; subprocess.run([sys.executable, '-c', 'pass']); "
    taken = watch([sys.executable, "-c", code + "time.sleep(0.3); print('done')"], ROOT)
    assert taken.out == "done\n" and taken.peak > 200_000_000 and taken.seconds > 0.3 and taken.cpu > 0
    with pytest.raises(RuntimeError, match="no such thing"):
        watch([sys.executable, "-c", "raise SystemExit('no such thing')"], ROOT)

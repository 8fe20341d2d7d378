"""A command in a process of its own: its answer, and its refusal as a sentence."""

import pytest

from core.errors import InputError
from core.runs.commands import command


@pytest.mark.slow
def test_an_answer_is_what_the_command_says_and_a_refusal_its_sentence(runs_dir):
    assert command("runs", "list") == {"runs": []} or "runs" in command("runs", "list")
    with pytest.raises(InputError, match="no-such-run"):
        command("runs", "show", "no-such-run")

"""Whose token and cache a process has: in processes of their own, against a server that notes every token it gets."""

import json
import os
import subprocess
import sys

import pytest

from core.models import hub_access
from core.models.hub import session_token, token_mark
from core.models.hub_access import environment_for, home, of_one_person, of_visitor
from core.paths import ROOT
from core.visitors import LOCAL, NOBODY, Visitor
from tests.core.models.fake_hub import GOOD, FakeHub, commit_of, serve

STRANGER, OWNER = Visitor("a" * 32, False), Visitor("b" * 32, True)
FILES = {"config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}", "model.safetensors": b"x"}
HUB = {
    "own/open": {"files": {"main": FILES}},
    "own/private": {"files": {"main": FILES}, "private": True},
    "own/gated": {"files": {"main": FILES}, "gated": True},
}
# The library itself, as transformers and PEFT ask it, beside what is our own.
CHILD = """
import json, sys
from huggingface_hub import HfApi, get_token, hf_hub_download, try_to_load_from_cache
from core.errors import InputError
from core.models.catalog import describe_model
name, revision = sys.argv[1:3]
said = {"token": get_token(), "kept": isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str)}
def tried(what):
    try:
        what()
        return True
    except (InputError, OSError) as error:
        return type(error).__name__
said["file"] = tried(lambda: hf_hub_download(name, "config.json", revision=revision))
said["branch"] = tried(lambda: hf_hub_download(name, "config.json"))
said["listed"] = tried(lambda: HfApi().model_info(name))
said["ours"] = tried(lambda: describe_model(name, revision))
print(json.dumps(said))
"""
MAIN = commit_of("main")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A machine that is logged in in every way that there is: the server, what it was asked, and the environment."""
    folder, hub = tmp_path_factory.mktemp("house"), FakeHub({}, HUB)
    (folder / "hf").mkdir()
    for file in (folder / "hf" / "token", folder / "elsewhere"):
        file.write_text(GOOD)
    env = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")}
    with serve(hub) as address:
        env |= {
            "HF_ENDPOINT": address,
            "HF_HOME": str(folder / "hf"),
            "TUNESMITH_RUNS": str(folder / "runs"),
            "NO_PROXY": "*",
        }
        env |= {"HF_TOKEN": GOOD, "HUGGING_FACE_HUB_TOKEN": GOOD, "HF_TOKEN_PATH": str(folder / "elsewhere")}
        env |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TUNESMITH_PUBLIC": "1"}
        yield hub, env


@pytest.fixture
def ask(house, monkeypatch):
    """What a process of a visitor's finds of a model, and the tokens that the server saw meanwhile."""
    hub, env = house
    for name in ("TUNESMITH_RUNS", "TUNESMITH_PUBLIC"):
        monkeypatch.setenv(name, env[name])
    monkeypatch.delenv("TUNESMITH_CACHE", raising=False)

    def ask(visitor, model, token="", **more):
        before = len(hub.asked)
        given = environment_for(visitor, token, {k: v for k, v in (env | more).items() if v is not None})
        line = [sys.executable, "-c", CHILD, model, MAIN]
        done = subprocess.run(line, cwd=ROOT, env=given, capture_output=True, text=True, timeout=100, check=True)
        return json.loads(done.stdout), {
            line.split(" ")[2] if line.count(" ") > 1 else "" for line in hub.asked[before:]
        }

    return ask


def test_what_the_owner_has_fetched_is_for_no_stranger(ask):
    said, tokens = ask(OWNER, "own/private")
    assert (said["file"], said["branch"], said["listed"], said["ours"]) == (True, True, True, True) and GOOD in tokens
    ask(OWNER, "own/gated")
    for model, visitor in (("own/private", STRANGER), ("own/gated", NOBODY)):
        said, tokens = ask(visitor, model)
        assert said["token"] is None and said["kept"] is False
        assert True not in (said["file"], said["branch"], said["ours"]) and tokens == {""}


def test_the_trap_is_one(ask, house):
    """The cache does serve what the Hub refuses, where it is the same cache: without a home of its own this is red."""
    ask(OWNER, "own/gated")
    gone = dict.fromkeys(("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
    said, tokens = ask(OWNER, "own/gated", HF_TOKEN_PATH=os.devnull, HF_HUB_DISABLE_IMPLICIT_TOKEN="1", **gone)
    assert said["file"] is True and said["kept"] is True and tokens <= {""}


def test_a_typed_token_is_the_visitors_and_what_it_fetched_too(ask):
    said, tokens = ask(STRANGER, "own/gated", GOOD)
    assert said == {"token": GOOD, "kept": False, "file": True, "branch": True, "listed": True, "ours": True}
    assert GOOD in tokens
    assert ask(STRANGER, "own/gated", GOOD)[0]["kept"] is True
    said, tokens = ask(STRANGER, "own/gated")
    assert said["kept"] is False and said["file"] is not True and tokens == {""}
    said, tokens = ask(STRANGER, "own/open")
    assert said["ours"] is True and said["file"] is True and tokens == {""}


def test_no_secret_of_the_machine_and_nothing_that_leads_to_one(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    secret = dict.fromkeys(
        ("HF_TOKEN", "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY", "OAUTH_CLIENT_SECRET", "hf_token",
         "HF_OIDC_RESOURCE", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "DB_PASSWORD", "HF_HUB_CACHE",
         "HUGGINGFACE_HUB_CACHE", "WANDB_MODE", "TRACKIO_SPACE_ID", "GITHUB_TOKEN", "OPENAI_APIKEY"),
        "planted",
    )  # fmt: skip
    plain = {
        "PATH": "/bin",
        "TOKENIZERS_PARALLELISM": "false",
        "TUNESMITH_RUNS": "r",
        "HF_HUB_OFFLINE": "1",
        "KEYBOARD": "x",
    }
    found = environment_for(STRANGER, "", secret | plain | {"HF_HOME": "/owners"})
    assert (
        found.items() >= plain.items()
        and "planted" not in found.values()
        and found["HF_HOME"] == str(tmp_path / "hub" / "open")
    )
    assert found["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1" and found["NETRC"] == os.devnull
    typed = environment_for(STRANGER, "hf_typed", secret | {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"})
    assert typed["HF_TOKEN"] == "hf_typed" and "HF_HUB_DISABLE_IMPLICIT_TOKEN" not in typed
    assert typed["HF_HOME"] == str(home("hf_typed")) and "hf_typed" not in typed["HF_HOME"]
    assert environment_for(OWNER, "", secret).items() >= secret.items()
    assert environment_for(None, "", secret)["HF_HOME"] == str(home(""))  # nobody was named
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")
    assert environment_for(None, "", secret).items() >= secret.items()
    assert environment_for(LOCAL, "hf_typed", secret)["HF_TOKEN"] == "hf_typed"


def test_whom_a_process_works_for(monkeypatch):
    monkeypatch.delenv(hub_access.FOR, raising=False)
    monkeypatch.setenv("HF_TOKEN", "machine")
    assert of_one_person() and not of_visitor() and token_mark() != ""
    monkeypatch.setenv("SPACE_ID", "a/b")
    assert not of_one_person() and not of_visitor() and token_mark() == ""  # the page's own process
    with session_token(None, owner=True):
        assert token_mark() != ""
    monkeypatch.setenv(hub_access.FOR, hub_access.VISITOR)
    assert of_one_person() and of_visitor()
    monkeypatch.setenv(hub_access.FOR, hub_access.OWNER)
    assert of_one_person() and not of_visitor()

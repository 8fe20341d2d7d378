"""Who a visitor is: cookies that cannot be made or changed, a key that nobody else reads, the owner's link."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from core import visitors as module
from core.errors import InputError
from core.visitors import LOCAL, NOBODY, Visitors, key, of_cookie, visitors


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_ours", None)
    return tmp_path / "cache"


def test_a_cookie_says_who_it_was_issued_to() -> None:
    ours = Visitors(b"k" * 32, "the owner's secret")
    first, second = (ours.read(ours.issue()) for _ in "ab")
    assert first and second and first.id != second.id and not first.owner
    same = ours.read(ours.issue(first, owner=True))
    assert same and same.id == first.id and same.owner
    assert first.owns(first.id) and not first.owns(second.id) and same.owns(second.id) and not first.owns("")
    assert not NOBODY.owns("") and not NOBODY.owns(first.id) and LOCAL.owns(first.id) and LOCAL.owns("")


def test_no_cookie_can_be_made_or_changed() -> None:
    ours = Visitors(b"k" * 32, "the owner's secret")
    mine, other, owners = ours.issue(), ours.issue(), ours.issue(owner=True)
    id, signed = mine.split(".")
    other_id, other_signed = other.split(".")
    owner_signed = owners.split(".")[2]
    for forged in ("", None, ".", "..", id, f"{id}.", f"{other_id}.{signed}", f"{id}.{other_signed}", mine[:-1],
                   mine + "0", mine.upper(), f"{id}\n.{signed}", "a" * 100_000, "é\udcff.\udcff",
                   f"{id}.{owner_signed}", Visitors(b"K" * 32, "the owner's secret").issue()):  # fmt: skip
        assert ours.read(forged) is None, forged
    for stranger in (mine + ".", mine + ".1", f"{mine}.{signed}", f"{mine}.{owner_signed}", f"{owners}.x"):
        read = ours.read(stranger)
        assert read and not read.owner, stranger


def test_with_a_new_secret_of_the_owner_the_old_owner_is_an_ordinary_visitor() -> None:
    before, after = (Visitors(b"k" * 32, secret) for secret in ("yesterday's", "today's"))
    cookie = before.issue(owner=True)
    was, now = before.read(cookie), after.read(cookie)
    assert was and now and was.owner and not now.owner and was.id == now.id
    assert after.opens("today's") and not any(after.opens(x) for x in ("yesterday's", "", "today's ", "today\udce9"))


def test_the_key_is_made_once_and_only_its_user_reads_it(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(key(tmp_path / "cache"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1 and len(found[0]) == 32
    path = tmp_path / "cache" / "visitors.key"
    assert [p.name for p in path.parent.iterdir()] == ["visitors.key"]
    os.chmod(path, 0o644)
    assert key(path.parent) == found[0]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")  # such as a disk that was full leaves
    assert len(key(path.parent)) == 32 and key(path.parent) != b"short"


def test_a_key_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match="TUNESMITH_CACHE"):
        key(tmp_path / "cache")


def test_on_ones_own_machine_everybody_is_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TUNESMITH_PUBLIC", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    assert of_cookie(None) == of_cookie("nonsense") == LOCAL


def test_on_a_public_page_the_cookie_says_it(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_OWNER", "a secret of one's own")
    assert of_cookie(None) == of_cookie("nonsense") == NOBODY
    assert "TUNESMITH_OWNER" not in os.environ, "the jobs that are started have the secret"
    assert visitors().opens("a secret of one's own") and of_cookie(visitors().issue(owner=True)).owner
    assert b"a secret of" not in (public / "visitors.key").read_bytes()


def test_a_secret_that_can_be_guessed_is_refused(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_OWNER", "hunter2")
    with pytest.raises(InputError, match="7 characters") as caught:
        visitors()
    assert "hunter2" not in str(caught.value)


def test_without_one_the_secret_is_another_at_every_start(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = []
    for _ in range(2):
        monkeypatch.setattr(module, "_ours", None)
        secrets.append(visitors().link_secret)
    assert secrets[0] != secrets[1] and min(map(len, secrets)) >= 32

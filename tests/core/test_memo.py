"""Results are remembered by key, the oldest forgotten, and made once for those who ask at once."""

import threading
import time

import pytest

from core.memo import Memo


def test_the_last_few_are_remembered():
    memo, made = Memo[int](2), []

    def make(value):
        made.append(value)
        return value

    for key in (1, 2, 1, 3, 1, 2):
        assert memo.get(key, lambda key=key: make(key)) == key
    assert made == [1, 2, 3, 2]  # 1 was used again before 3 came, so 2 was forgotten


def test_an_error_is_not_remembered():
    memo = Memo[int](2)
    with pytest.raises(ZeroDivisionError):
        memo.get("key", lambda: 1 // 0)
    assert memo.get("key", lambda: 5) == 5


def test_who_asks_at_once_waits_for_one_making_and_others_do_not():
    memo, made, go = Memo[str](4), [], threading.Event()

    def slow():
        made.append(1)
        assert go.wait(10)
        return "slow"

    answers = []
    threads = [threading.Thread(target=lambda: answers.append(memo.get("a", slow))) for _ in range(4)]
    for thread in threads:
        thread.start()
    while not made:
        time.sleep(0.001)
    assert memo.get("b", lambda: "quick") == "quick"
    go.set()
    for thread in threads:
        thread.join(10)
    assert answers == ["slow"] * 4
    assert made == [1]

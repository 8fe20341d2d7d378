"""What went wrong, in words."""

import errno
from types import SimpleNamespace

import pytest

from core.errors import InputError
from core.runs.failures import explain, last_error, of_dead


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("The data is empty.", "data.path"), "input"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "disk_full"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out_of_memory"),
        (ImportError("libscipy.so: failed to map segment from shared object"), "out_of_memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory"),
        (RuntimeError("can't start new thread"), "out_of_memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out_of_memory"),
        (ImportError("libgomp.so: cannot allocate memory in static TLS block"), "error"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "no_access"),
        (OSError(errno.EROFS, "Read-only file system", "/x/y"), "no_access"),
        (RuntimeError("I/O error: Permission denied (os error 13)"), "no_access"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x/y"), "error"),
        (KeyError("x"), "error"),
    ],
)
def test_reasons(error, reason, tmp_path):
    found, sentence = explain(error, tmp_path)
    assert found == reason
    assert sentence and "\n" not in sentence and "Traceback" not in sentence


def test_the_cause_behind_an_error_counts(tmp_path):
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as cause:
            raise RuntimeError("could not save") from cause
    except RuntimeError as error:
        assert explain(error, tmp_path)[0] == "disk_full"


def test_a_torn_write_of_numpy_is_a_full_disk_where_little_is_free(tmp_path, monkeypatch):
    torn = OSError("3200 requested and 992 written")  # without an errno
    for free, reason in ((1000, "disk_full"), (2**40, "error")):
        monkeypatch.setattr("core.runs.failures.shutil.disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        assert explain(torn, tmp_path)[0] == reason


def test_a_dead_process_is_judged_by_exit_code_and_log():
    log = ["loading", "Traceback (most recent call last):", '  File "x.py", line 1', "ImportError: no such thing"]
    assert of_dead(-9, [], "training", False, True) == (
        "killed",
        "The training process was killed (perhaps out of memory).",
    )
    assert of_dead(None, ["step 1"], "training", False, True)[0] == "killed"
    assert "SIGSEGV" in of_dead(-11, [], "training", False, True)[1]
    assert "ImportError: no such thing" in of_dead(1, log, "training", False, False)[1]
    assert of_dead(2, ["The config 'x' cannot be read."], "export", False, False) == (
        "input",
        "The config 'x' cannot be read.",
    )
    assert of_dead(None, log, "training", True, True)[0] == "restarted"


def test_a_process_that_had_no_memory_says_so_in_its_log():
    aborted = ["step 3", "terminate called after throwing an instance of 'std::bad_alloc'", "  what():  std::bad_alloc"]
    assert of_dead(-6, aborted, "export", False, True)[0] == "out_of_memory"
    rust = ["memory allocation of 99 bytes failed"]
    assert of_dead(134, rust, "training", False, False)[0] == "out_of_memory"
    assert of_dead(-9, ["step 3"], "training", False, True)[0] == "killed"
    assert of_dead(1, ["ImportError: libc10.so: failed to map segment"], "training", False, False)[0] == "out_of_memory"


def test_warnings_are_no_errors():
    assert last_error(["FutureWarning: old", "ValueError: handled earlier", "step 3"]) == ""

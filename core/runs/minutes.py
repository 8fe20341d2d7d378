"""The minutes that one job may take on a page that is open to everybody: then it is stopped as by hand, with words."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from core import limits

GRACE_S = 300.0  # for what a job still does when its time is up: saving its weights and loading them back


class Minutes:
    """Watches over the job of this process, where core.limits gives it only so many minutes.

    Args:
        stop_file: asks the job to stop.
    """

    def __init__(self, stop_file: Path) -> None:
        self._stop_file, self._most = stop_file, limits.here("minutes")
        self._until = time.monotonic() + self._most * 60 if self._most else None
        self._asked = False

    def look(self, values: dict[str, Any]) -> None:
        """Ask it to stop when its time is up, and write why into the values of its state; later, end it by force.

        Raises:
            OSError: it cannot be asked; the next look asks again.
        """
        if self._until is None or time.monotonic() < self._until:
            return
        if not self._asked:
            self._stop_file.touch()
            values.update(
                reason="time_limit",
                error=f"Stopped after {self._most:,.0f} minutes, the most for one job on this page.",
            )
            self._asked = True
        elif time.monotonic() > self._until + GRACE_S:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

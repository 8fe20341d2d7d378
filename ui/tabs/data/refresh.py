"""What is drawn anew after a change of the draft: the quick parts first, then those that read every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# For events that bring data of their own (a row, a page, a limit): each is taken, in their order. With "always_last"
# Gradio repeats the data of the event before instead of the last one's.
EACH: dict[str, Any] = QUIET | {"trigger_mode": "multiple", "concurrency_limit": 1}


@dataclass(frozen=True)
class Refresh:
    """The steps of drawing, each a handler with its inputs and outputs; a part's events end in one of the methods."""

    overview: tuple[Any, list[Any], list[Any]]
    looked_at: tuple[Any, list[Any], list[Any]]
    measured: tuple[Any, list[Any], list[Any]]
    doctor: tuple[Any, list[Any], list[Any]]
    template: gr.Textbox

    def slow(self, event: Any) -> Any:
        """Lengths and split, then the doctor."""
        return event.then(*self.measured, **QUIET).then(*self.doctor, **QUIET)

    def quick(self, event: Any) -> Any:
        """The row in view, then the slow parts."""
        return self.slow(event.then(*self.looked_at, **QUIET))

    def everything(self, event: Any) -> Any:
        """Source and table first."""
        return self.quick(event.then(*self.overview, **QUIET))

    def opened(self, event: Any) -> Any:
        """The same for other data: what is drawn already is shown, and what follows stays hidden until then."""
        event = _stage(event.then(*self.overview, **QUIET), "words")
        event = _stage(event.then(*self.looked_at, **QUIET), "lengths")
        event = _stage(event.then(*self.measured, **QUIET), "doctor")
        return _stage(event.then(*self.doctor, **QUIET), "")


def _stage(event: Any, name: str) -> Any:
    """What is the next to be drawn, for style.css; "" when all is."""
    return event.then(None, js=f"() => tune.opening('{name}')", api_visibility="private")

"""The loss plot of one run: a Plotly figure made once in the page, extended in place by what a poll brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ui.theme import ASSETS, PLOTLY

JS = (ASSETS / "js" / "live_plot.js").read_text(encoding="utf-8")


class LivePlot(gr.HTML):
    """Value: {"run": id or "", "state": its state when the page was drawn}.

    Once a second the page calls `source({"run", "turns", "log", "val", "seen"})`, which is `ui.live.news`: what is new
    since so many points. It asks a fifth as often for a run that has ended, and never while it is hidden or an answer
    is awaited. The event `moved` says that the state of the run is another than the page knows.
    """

    def __init__(self, source: Callable[[dict[str, Any]], dict[str, Any]], label: str, **kw: Any) -> None:
        def news(request: dict[str, Any]) -> dict[str, Any]:
            return source(request)

        super().__init__(
            {"run": "", "state": ""},
            html_template=f'<div class="plot"><div class="live-plot" role="figure" aria-label="{label}"></div>'
            '<button type="button" class="scale" aria-pressed="false">Log scale</button></div>',
            js_on_load=JS,
            server_functions=[news],
            apply_default_css=False,
            head=f"<script src='/gradio_api/file={PLOTLY}'></script>",
            **kw,
        )

    def api_info(self) -> dict[str, Any]:
        """The value is an object, not text."""
        return {"type": "object"}

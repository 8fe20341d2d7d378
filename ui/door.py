"""The front door: who asks, in event handlers."""

from __future__ import annotations

import gradio as gr

from core.paths import is_public
from core.visitors import LOCAL, NOBODY, Visitor

VISITOR = "tunesmith.visitor"  # in a request's scope: who asks


def visitor(request: gr.Request | None) -> Visitor:
    """Who asks, in an event handler with `request: gr.Request`. Never fails: without a cookie of ours it is NOBODY."""
    if not is_public():
        return LOCAL
    inner = request.request if request is not None else None
    found = inner.scope.get(VISITOR) if inner is not None else None
    return found if isinstance(found, Visitor) else NOBODY

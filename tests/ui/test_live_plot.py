"""ui.live_plot: the component as Gradio sees it."""

from __future__ import annotations

import pytest

from ui import live, live_plot


def test_it_polls_one_server_function_and_is_a_figure() -> None:
    plot = live_plot.LivePlot(live.news, "Loss by step")
    assert [fn.__name__ for fn in plot.server_fns] == ["news"]
    assert 'role="figure"' in plot.html_template and 'aria-label="Loss by step"' in plot.html_template
    assert "plotly.min.js" in (plot.head or "") and "http" not in (plot.head or "")


def test_it_speaks_up_when_the_state_moved() -> None:
    plot = live_plot.LivePlot(live.news, "Loss")
    assert callable(plot.moved)
    with pytest.raises(AttributeError, match="no_such_event"):
        plot.no_such_event  # noqa: B018


def test_the_script_extends_in_place_and_waits_while_hidden() -> None:
    for words in ("Plotly.extendTraces", "document.hidden", "uirevision", "isConnected", "tune-theme"):
        assert words in live_plot.JS

"""What the page's tests stand on: the server comes back at its address; the watch sees what it should."""

import pytest

from tests.browser.conftest import axe_violations, open_page
from tests.watched import Collector


def test_page_opens_and_says_where_it_is(page, server):
    assert "Tunesmith" in page.title()
    assert f"Tunesmith is at {server.url}" in server.text()


def test_server_comes_back_at_its_address(own_server, new_page):
    own_server.stop(kill=True)
    assert own_server.start().jobs() == []
    open_page(new_page(), own_server.url)


def test_watch_sees_requests_and_errors(new_page, watch, server):
    page = open_page(new_page(), server.url)
    page.evaluate("fetch('http://192.0.2.1/x', {signal: AbortSignal.timeout(300)}).catch(() => 0)")
    page.evaluate("console.error('a complaint')")
    with pytest.raises(AssertionError, match="192.0.2.1"):
        watch.check()
    watch.outside.clear()
    with pytest.raises(AssertionError, match="a complaint"):
        watch.check()
    watch.allow("a complaint|ERR_|Content Security Policy")
    watch.check()


def test_the_page_speaks_to_its_own_server_alone(new_page, server):
    """All that leaves this machine would go to the collector, whatever part of the browser asks for it."""
    collector = Collector()
    try:
        page = open_page(new_page(proxy={"server": collector.url, "bypass": "127.0.0.1"}), server.url)
        page.click("role=tab[name='Train']")
        assert collector.of_pages() == []
    finally:
        collector.close()


def test_axe_finds_what_is_wrong(new_page):
    page = new_page()
    page.set_content("<html lang=en><title>x</title><main><h1>x</h1><img src='data:,'></main></html>")
    assert [v.split()[0] for v in axe_violations(page)] == ["image-alt"]

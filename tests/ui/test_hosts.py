"""Names and addresses that the page answers to, in all the spellings that somebody may send."""

from __future__ import annotations

import pytest

from core.errors import InputError
from ui.hosts import Host, Hosts, parse, parse_origin


@pytest.mark.parametrize(("text", "name", "port"), [
    ("localhost", "localhost", None), ("LOCALHOST:7860", "localhost", 7860), ("localhost.", "localhost", None),
    ("127.0.0.1:80", "127.0.0.1", 80), ("127.0.0.1.", "127.0.0.1", None), ("[::1]", "::1", None),
    ("[0:0:0:0:0:0:0:1]:7860", "::1", 7860), ("[::FFFF:7f00:1]", "::ffff:127.0.0.1", None),
    ("xn--bcher-kva.example", "xn--bcher-kva.example", None), ("my_box-1.lan:65535", "my_box-1.lan", 65535),
])  # fmt: skip
def test_a_host_is_read(text: str, name: str, port: int | None) -> None:
    host = parse(text)
    assert host is not None and (host.port, host.address or host.name) == (port, Host(name).address or name)


@pytest.mark.parametrize("text", [
    "", ".", "..", "localhost..", ".localhost", "a..b", "localhost:", "localhost:x", "localhost:99999", "localhost:1:2",
    "localhost:123456", "localhost:٧٨", "user@localhost", "localhost@evil.example", "localhost/evil", "localhost evil",
    "localhost,evil.example", "localhost\tx", "localhost\n", "localhost#", "localhost?x", "localhost\\x",
    "http://localhost",
    "::1", "[::1", "::1]", "[::1]x", "[::1%25lo]", "[fe80::1%eth0]", "[127.0.0.1]", "[]", "[localhost]",
    "2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.01", "127.0.0.1.1", "256.0.0.1",
    "127.0.0.0x1",
    "bücher.example", "localhost\u3002", "ｌocalhost", "-a.example", "a-.example", "*.example", "a" * 64 + ".example",
    "a." * 127 + "toolong", "%6cocalhost", "*",
])  # fmt: skip
def test_what_is_no_host_is_not_read(text: str) -> None:
    assert parse(text) is None


HERE = ["localhost", "127.0.0.1", "127.9.8.7:5", "[::1]:7860", "localhost.", "[::ffff:127.0.0.1]"]
FOREIGN = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.localhost", "localhostx",
"8.8.8.8",
           "[2001:4860:4860::8888]", "224.0.0.1", "[ff02::1]"]  # fmt: skip
NETWORK = ["192.168.1.5:7860", "10.0.0.1", "172.17.0.2", "100.64.0.9", "169.254.1.1", "[fe80::1]", "[fd00::5]:7860"]


@pytest.mark.parametrize("listens", ["", "127.0.0.1", "localhost", "::1", "[::1]"])
def test_on_loopback_only_loopback_is_answered(listens: str) -> None:
    hosts = Hosts(listens)
    for text in HERE:
        assert hosts.allows(parse(text)), text
    for text in FOREIGN + NETWORK + ["0.0.0.0", "[::]"]:
        assert not hosts.allows(parse(text)), text


@pytest.mark.parametrize("listens", ["0.0.0.0", "::", "[::]"])
def test_on_all_addresses_those_of_the_network_are_answered_too(listens: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(listens)
    for text in HERE + NETWORK:
        assert hosts.allows(parse(text)), text
    for text in FOREIGN:
        assert not hosts.allows(parse(text)), text
    monkeypatch.setattr("ui.hosts._of_this_machine", lambda: {parse("8.8.8.8").address})
    assert hosts.allows(parse("8.8.8.8:7860")) and not hosts.allows(parse("8.8.4.4"))


def test_the_address_that_it_listens_on_is_answered() -> None:
    hosts = Hosts("192.168.1.5")
    assert hosts.allows(parse("192.168.1.5:1")) and hosts.allows(parse("[::ffff:192.168.1.5]"))
    assert not hosts.allows(parse("192.168.1.6"))
    assert Hosts("MyBox.lan").allows(parse("mybox.LAN.:7860"))


def test_names_that_the_owner_says() -> None:
    said = "Lab.Example.org, *.tunes.example,192.168.7.7 [fd00::7]:80,https://a.example:8443/x,bücher.example ::2"
    hosts = Hosts.of({"TUNESMITH_HOSTS": said, "GRADIO_SERVER_NAME": "127.0.0.1"})
    for text in ("lab.example.org", "LAB.example.org.:7860", "a.tunes.example", "a.b.tunes.example:1", "192.168.7.7",
                 "[fd00::7]", "a.example", "xn--bcher-kva.example", "[::2]", "localhost"):  # fmt: skip
        assert hosts.allows(parse(text)), text
    for text in (
        "tunes.example",
        "eviltunes.example",
        "x.lab.example.org",
        "lab.example.org.evil.example",
        "[fd00::8]",
    ):
        assert not hosts.allows(parse(text)), text
    for origin, ours in (
        ("https://lab.example.org", True), ("http://lab.example.org:3000", False), ("https://a.example:8443", True),
        ("https://a.example", False), ("https://x.tunes.example", True), ("https://evil.example", False),
    ):  # fmt: skip
        assert hosts.says(parse_origin(origin)) is ours, origin


@pytest.mark.parametrize(
    "said", ["*", "*.org", "*.", "a b/c, localhost/x", "*.10.0.0.1", "x..y", "127.1", "a:b", "straße.example"]
)
def test_what_is_no_name_is_refused_at_the_start(said: str) -> None:
    with pytest.raises(InputError, match="TUNESMITH_HOSTS"):
        Hosts.of({"TUNESMITH_HOSTS": said})


def test_a_space_answers_to_its_own_name() -> None:
    hosts = Hosts.of({"SPACE_ID": "Some_One/My.Space", "SPACE_HOST": "some-one-my-space.hf.space,tunes.example",
                      "GRADIO_SERVER_NAME": "0.0.0.0"})  # fmt: skip
    for text in ("some-one-my-space.hf.space", "tunes.example", "localhost:7860", "10.1.2.3:7860"):
        assert hosts.allows(parse(text)), text
    for text in ("other-space.hf.space", "hf.space", "huggingface.co"):
        assert not hosts.allows(parse(text)), text


def test_an_origin_has_the_port_that_its_scheme_means() -> None:
    assert parse_origin("https://A.example") == Host("a.example", 443) and parse_origin("http://a") == Host("a", 80)
    for text in (
        "null",
        "",
        "file://",
        "chrome-extension://abc",
        "http://",
        "http://a/b",
        "http://a:1:2",
        "//a",
        "a",
        "http://a#",
    ):
        assert parse_origin(text) is None, text

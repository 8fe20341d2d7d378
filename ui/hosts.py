"""Under which names the page may be asked for: not under a foreign one that points here (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from core.errors import InputError

HOSTS = "TUNESMITH_HOSTS"
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # as the last label, a browser takes the whole for an address
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Host:
    """A name or an address (lower case, no final dot, addresses in their shortest form), and a port."""

    name: str
    port: int | None = None

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The address that the name is, or None: an IPv4 address in an IPv6 one is the IPv4 address."""
        try:
            address = ipaddress.ip_address(self.name)
        except ValueError:
            return None
        return getattr(address, "ipv4_mapped", None) or address


def parse(text: str) -> Host | None:
    """What a Host header says, or None where it is not well written. Spellings that no browser sends are not."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(?::([0-9]{1,5}))?", text.lower(), re.ASCII)
    if not found or int(found[2] or 0) > 65535:
        return None
    name, port = found[1], int(found[2]) if found[2] else None
    if name.startswith("["):
        try:
            return Host(str(ipaddress.IPv6Address(name[1:-1])), port)
        except ValueError:
            return None
    name = name.removesuffix(".")
    if not NAME.fullmatch(name):
        return None
    if NUMBER.fullmatch(name.rpartition(".")[2]) and Host(name).address is None:
        return None  # 2130706433, 127.1, 0177.0.0.1
    return Host(name, port)


def parse_origin(text: str) -> Host | None:
    """Whose origin it is, with the port that its scheme means; None for `null` and what is no web origin."""
    scheme, separator, rest = text.lower().partition("://")
    host = parse(rest) if separator and scheme in PORTS else None
    return host and Host(host.name, host.port or PORTS[scheme])


class Hosts:
    """The names and addresses that this page may be asked for.

    Always the machine's own loopback; the name or address that the server listens on; where it listens on all
    addresses, every address of a private network and of this machine (an address in the place of a name cannot be
    rebound); the Space's own name; and what the owner says.

    Args:
        listens: GRADIO_SERVER_NAME. said: names that the owner says, `*.` before one for all below it.

    Raises:
        InputError: something said is not a name, or a wildcard for too much.
    """

    def __init__(self, listens: str = "", said: tuple[str, ...] = ()) -> None:
        own = parse(f"[{listens.strip('[]')}]" if ":" in listens else listens)
        self.everywhere = bool(own and own.address is not None and own.address.is_unspecified)
        self.names = {own.name} if own else set()
        self.suffixes: tuple[str, ...] = ()
        self.declared: set[Host] = set()
        for entry in said:
            self._declare(entry)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Hosts:
        """What the environment says: GRADIO_SERVER_NAME, TUNESMITH_HOSTS, and on a Space SPACE_HOST and SPACE_ID."""
        said = re.split(r"[\s,]+", environ.get(HOSTS, "") + "," + environ.get("SPACE_HOST", ""))
        if space := environ.get("SPACE_ID", ""):
            said.append(re.sub(r"[^a-z0-9]+", "-", space.lower()).strip("-") + ".hf.space")
        return cls(environ.get("GRADIO_SERVER_NAME", ""), tuple(filter(None, said)))

    def _declare(self, entry: str) -> None:
        text = (urlsplit(entry).netloc if "://" in entry else entry).strip()
        wildcard, text = text.startswith("*."), text.removeprefix("*.")
        if text.count(":") > 1 and not text.startswith("["):
            text = f"[{text}]"
        host = parse(text if text.isascii() else _ascii(text))
        if host is None or (wildcard and ("." not in host.name or host.address is not None)):
            raise InputError(
                f"{HOSTS} has {entry!r}, which is no name of a host: give names or addresses under which the page is "
                "opened, with commas between them, such as lab.example.org, *.lab.example.org or 192.168.1.5."
            )
        if wildcard:
            self.suffixes += (f".{host.name}",)
        else:
            self.names.add(host.name)
            self.declared.add(host)

    def allows(self, host: Host) -> bool:
        """Whether this page answers to that name."""
        if host.name == "localhost" or host.name in self.names or host.name.endswith(self.suffixes):
            return True
        address = host.address
        if address is None or address.is_multicast:
            return False
        if address.is_loopback or str(address) in self.names:
            return True
        return self.everywhere and (not address.is_global or address in _of_this_machine())

    def says(self, origin: Host) -> bool:
        """Whether the owner says that this is an origin of the page, which a proxy that changes Host hides."""
        standard = origin.port in PORTS.values()
        named = Host(origin.name) in self.declared or origin.name.endswith(self.suffixes)
        return origin in self.declared or (standard and named)


def _ascii(name: str) -> str:
    """A name of other letters as browsers send it, or as it stands where there are two ways to write it."""
    try:
        written = name.lower().encode("idna").decode()
        return written if written.encode().decode("idna") == name.lower() else name
    except UnicodeError:
        return name


def _of_this_machine() -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses of this machine's interfaces."""
    found = [a.address.partition("%")[0] for all_of in psutil.net_if_addrs().values() for a in all_of
             if a.family in (socket.AF_INET, socket.AF_INET6)]  # fmt: skip
    return {ipaddress.ip_address(text) for text in found}

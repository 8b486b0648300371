"""What people read of a request that brought no answer: plain words, never a class name, never an address."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
import requests
from urllib3 import PoolManager
from urllib3 import exceptions as transport

from connectors.transport import BROKEN_OFF, in_plain_words


@contextmanager
def listening() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def by_requests(url: str) -> None:
    requests.get(url, timeout=0.2)


def by_urllib3(url: str) -> None:
    PoolManager(retries=False, timeout=0.2).request("GET", url)


@pytest.mark.parametrize("ask", [by_requests, by_urllib3])
class TestRealRequests:
    def test_nothing_listens(self, ask: Callable[[str], None]) -> None:
        with pytest.raises((requests.RequestException, transport.HTTPError)) as error:
            ask(f"http://127.0.0.1:{free_port()}/secret")
        assert in_plain_words(error.value) == "nothing listens at that address now"

    def test_no_answer_in_time(self, ask: Callable[[str], None]) -> None:
        with listening() as port, pytest.raises((requests.RequestException, transport.HTTPError)) as error:
            ask(f"http://127.0.0.1:{port}/secret")
        assert in_plain_words(error.value) == "no answer came in time"

    def test_a_name_that_nobody_has(self, ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises((requests.RequestException, transport.HTTPError)) as error:
            ask("http://no-such-host.invalid/secret")
        assert in_plain_words(error.value).startswith("nothing of that name was found")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (transport.ProtocolError("Connection aborted."), BROKEN_OFF),
        (requests.exceptions.ChunkedEncodingError("secret"), BROKEN_OFF),
        (transport.SSLError(ssl.SSLCertVerificationError("secret")), "its certificate is not one for this address"),
        (transport.SSLError("WRONG_VERSION_NUMBER"), "no encrypted connection could be made there"),
        (transport.LocationParseError("secret"), "the address is none"),
    ],
)
def test_others(error: Exception, words: str) -> None:
    assert in_plain_words(error).startswith(words)
    assert "secret" not in in_plain_words(error)

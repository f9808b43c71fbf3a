"""What the operator serves over HTTP, and how it leaves."""

import asyncio
import ssl

import pytest
from aiohttp import web
from support.certificates import self_signed
from tunewright.controller.kube.serving import serving


@pytest.fixture
def pair(tmp_path):
    return self_signed(tmp_path)


@pytest.fixture
def secured(pair):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    return context


@pytest.fixture
def trusting(pair):
    return ssl.create_default_context(cafile=str(pair[0]))


def left(says, *, secured=None, **caller):
    """Return what a caller hears that does not hang up, once the server has left."""

    async def play():
        async with serving(web.Application(), "127.0.0.1", 0, secured=secured) as port:
            reader, writer = await asyncio.open_connection("localhost", port, **caller)
            if says:
                writer.write(says)
                await reader.readuntil(b"404: Not Found")
        async with asyncio.timeout(10):
            heard = await reader.read()
        writer.close()
        return heard

    return asyncio.run(play())


ASKS = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("says", [ASKS, b""], ids=["asked", "silent"])
def test_a_caller_that_does_not_hang_up_is_left(says):
    assert left(says) == b""


def test_a_caller_that_asked_over_tls_and_does_not_hang_up_is_left(secured, trusting):
    assert left(ASKS, secured=secured, ssl=trusting) == b""


def test_a_caller_that_has_yet_to_agree_on_tls_is_left(secured):
    assert left(b"", secured=secured) == b""

import asyncio

import pytest
from support.certificates import self_signed
from support.search import Log, problem, whole
from tunewright.api.errors import PluginUnavailable
from tunewright.proto.serving import Tls
from tunewright.suggestion.client import RemoteSuggester
from tunewright.suggestion.service import start_service

TASK = problem(whole("n", 1, 9))


@pytest.fixture
def tls(tmp_path):
    return Tls(*self_signed(tmp_path))


@pytest.mark.needs("openssl")
def test_the_service_speaks_tls_when_asked(tls):
    async def ask(endpoint, authority):
        remote = RemoteSuggester(endpoint, Log().after, timeout=5, authority=authority)
        try:
            return await remote.suggest(TASK, 0, 1, position=0)
        finally:
            await remote.close()

    server, address = start_service("localhost:0", tls=tls)
    try:
        answer = asyncio.run(ask(f"grpcs://{address}", tls.certificate.read_bytes()))
        assert len(answer.proposals) == 1
        with pytest.raises(PluginUnavailable):
            asyncio.run(ask(address, None))
    finally:
        server.stop(0).wait()

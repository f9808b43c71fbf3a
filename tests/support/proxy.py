"""The way to an API server, which a test can freeze or cut."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from .apiserver import ApiServer


class Proxy:
    """Hands bytes on, both ways; what comes and goes stays encrypted."""

    def __init__(self, server: ApiServer) -> None:
        self._to = urlsplit(server.url).port
        self._config = json.loads(server.kubeconfig.read_text())
        self.kubeconfig: Path = server.folder / f"proxied-{id(self)}"
        self._flowing = asyncio.Event()
        self._port = 0
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._flowing.set()
        await self.serve()
        self._config["clusters"][0]["cluster"]["server"] = f"https://localhost:{self._port}"
        self.kubeconfig.write_text(json.dumps(self._config))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()
        self.kubeconfig.unlink()

    async def serve(self) -> None:
        """Listen, after a cut on the same port as before it."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._listening.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        """Hand nothing on any more, and close nothing."""
        self._flowing.clear()

    async def cut(self) -> None:
        """Close all connections, and refuse others."""
        self._listening.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)
        beyond, back = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            await self._greet(reader, writer)
            await asyncio.gather(self._hand_on(reader, back), self._hand_on(beyond, writer))
        except asyncio.CancelledError:
            pass  # cut
        finally:
            for each in (writer, back):
                each.transport.abort()
                with contextlib.suppress(ConnectionError):
                    await each.wait_closed()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say nothing: nobody knows that it stands between."""

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            writer.close()


class WebProxy(Proxy):
    """A proxy as HTTPS_PROXY names it, to a server whose name only it knows."""

    HOST = "api.example.org"

    def __init__(self, server: ApiServer) -> None:
        super().__init__(server)
        self.asked_for: list[str] = []

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        cluster = {"server": f"https://{self.HOST}:6443", "tls-server-name": "localhost"}
        self._config["clusters"][0]["cluster"] |= cluster
        self.kubeconfig.write_text(json.dumps(self._config))
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        verb, host, *_ = asked.decode().split()
        assert verb == "CONNECT"
        self.asked_for.append(host)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

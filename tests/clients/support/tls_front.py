"""TLS in front of a PostgreSQL that was built without.

Owns a port that answers SSLRequest, and passes on to a server in the clear what comes through TLS.
Promises that nothing but TLS gets through.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading

SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
PART_BYTES = 65_536


class TlsFront:
    """Passes on to `port` of this machine; `port` of its own is where TLS is spoken."""

    def __init__(self, port: int, certificate: str, key: str):
        self._behind = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._loop = asyncio.new_event_loop()
        self.connections = 0
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(30)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever leaves in the middle of it has left.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return writer.close()
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self._context)
            self.connections += 1
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
            await asyncio.gather(pass_on(reader, behind_writer), pass_on(behind_reader, writer))

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        self._loop.stop()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(PART_BYTES):
            writer.write(part)
            await writer.drain()
    finally:
        writer.close()

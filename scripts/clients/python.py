"""Python's websockets against /echo: python.py ws[s]://HOST:PORT/echo. Exit status 1 if anything
differs."""

import asyncio
import random
import ssl
import sys

import websockets
from websockets.asyncio.client import connect


async def main(url: str) -> None:
    noise = random.Random(1).randbytes(100_000)
    scheme, tls = url.split("://")[0], None
    if scheme == "wss":
        # The certificate is the server's own.
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    async with connect(url, max_size=None, ssl=tls) as socket:
        for message in ("héllo", "", b"\x00\xff", "long " * 20_000, noise):
            await socket.send(message)
            assert await socket.recv() == message, f"{message[:20]!r} differs"
        await socket.send(["in ", "three ", "fragments"])
        assert await socket.recv() == "in three fragments"
        await (await socket.ping(b"still there?"))
        for number in range(100):
            await socket.send(str(number))
        for number in range(100):
            assert await socket.recv() == str(number)
        agreed = [extension.name for extension in socket.protocol.extensions]
        await socket.close(4000, "bye")
    assert (socket.close_code, socket.protocol.close_rcvd.code) == (4000, 4000), "close code"
    deflate = "" if "permessage-deflate" in agreed else "not "
    print(f"OK  python websockets {websockets.__version__} by {scheme}: text, binary, 100 KB, fragments, ping,"
          f" pipelined, close code; permessage-deflate {deflate}agreed")


asyncio.run(main(sys.argv[1]))

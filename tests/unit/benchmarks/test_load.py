"""The load of the benchmarks: a measurement that goes wrong must not look like a number."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from tests.benchmarks.load import closed_loop

GOOD = b"HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"


LENGTH_LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    return {"asyncio": asyncio.run, "uvloop": uvloop.run}[request.param]


async def loaded(*pieces, at_once=3, requests=20):
    """What came of it against a server that answers each request with these pieces; none: it closes the connection."""
    seen = []

    async def answer(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                seen.append((head.split(b"\r\n")[0], await reader.readexactly(4)))
                if not pieces:
                    return
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    async with asyncio.timeout(240), await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/judge"
        load = await closed_loop(url, lambda number: ({"X": "y"}, b"%04d" % number), at_once=at_once, requests=requests, status=200)
    return load, seen


@pytest.mark.parametrize("answer", [GOOD, LENGTH_LAST])
def test_each_request_is_sent_once(run, answer):
    """However the answers come in pieces."""
    load, seen = run(loaded(answer[:20], answer[20:-1], answer[-1:]))
    assert sorted(seen) == [(b"POST /judge HTTP/1.1", b"%04d" % number) for number in range(20)]
    assert (load.requests, load.rate > 0, load.p50 <= load.p99) == (20, True, True)


def test_another_answer_is_no_measurement(run):
    """It says which."""
    with pytest.raises(AssertionError, match=r"expected 200, got .*503"):
        run(loaded(GOOD.replace(b"200 OK", b"503 Busy")))


def test_a_closed_connection_is_no_measurement(run):
    """As a server does that has died."""
    with pytest.raises(ConnectionError, match="closed"):
        run(loaded())

"""Traces, as a receiver of OpenTelemetry gets them: from a webhook to the forge and the engine, and none unless configured."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr

from gateway.config_telemetry import TelemetrySettings
from tests.integration.gateway.house import REPOSITORY, a_house


@contextmanager
def a_receiver():
    """Its address, and the spans it has got."""
    spans, headers = [], []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers.append((self.path, self.headers.get("x-api-key")))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans, headers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_and_the_judgement_it_sets_going_are_one_trace(tmp_path):
    """Request, operation, activity, forge and engine, each inside the one before; nothing in it names people or contents."""

    async def story(url):
        settings = TelemetrySettings(endpoint=url, headers={"x-api-key": SecretStr("of-the-receiver")})
        async with a_house(tmp_path, telemetry=settings) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, title="a secret title", by="zoe")
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            await house.turned(decision.change.head_sha, "failure")

    with a_receiver() as (url, spans, headers):
        asyncio.run(story(url))
    assert set(headers) == {("/v1/traces", "of-the-receiver")}
    by_id = {span.span_id: span for span in spans}

    def line_of(span):
        return [span.name, *(line_of(by_id[span.parent_span_id]) if span.parent_span_id in by_id else [])]

    lines = [line_of(span) for span in spans]
    judged = ["activity judge_change", "receive", "POST /webhooks/{connection}"]
    assert ["forge.read_change", *judged] in lines
    assert any(line[0].startswith("engine.") and line[1:] == judged for line in lines)
    assert any(line[0] == "forge.report" and line[1] == "activity report_status" for line in lines)
    assert not any(word in str(span) for span in spans for word in ("secret title", "zoe", REPOSITORY))


def test_a_receiver_that_is_away_holds_nothing_up(tmp_path):
    """Judging and reporting go on; the traces are lost."""

    async def story():
        async with a_house(tmp_path, telemetry=TelemetrySettings(endpoint="http://127.0.0.1:9")) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            await house.turned((await house.decided(key, lambda d: True)).change.head_sha, "success")

    asyncio.run(story())


def test_nothing_of_it_is_loaded_unless_it_is_configured():
    """Nobody who keeps no traces pays for them."""
    program = "import sys, gateway.running, gateway.cli.app; print({'gateway.telemetry', 'opentelemetry.sdk'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"

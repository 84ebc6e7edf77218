"""OpenTelemetry traces across the tiers: request → operation → durable activity → forge, engine, target.

Imported only where `telemetry:` is configured. Everything is a wrapper around what it watches: nothing inside knows of it.
An activity that a request has set going belongs to that request's trace, however much later it runs, since the hint that
set it going says which (`gateway.domain.trace`). Spans name things, never people or contents.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.config_telemetry import TelemetrySettings
from gateway.domain.trace import TRACEPARENT
from gateway.durable import Activity

T = TypeVar("T")


class Telemetry:
    """A tracer and its exporter. `close` sends what is left."""

    def __init__(self, settings: TelemetrySettings, version: str) -> None:
        headers = {name: secret.get_secret_value() for name, secret in settings.headers.items()}
        exporter = OTLPSpanExporter(endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces", headers=headers, timeout=10)
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": settings.service_name, "service.version": version}),
            sampler=ParentBased(TraceIdRatioBased(settings.ratio)),
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("admittance", version)

    @contextmanager
    def span(
        self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, parent: str | None = None, about: Mapping[str, str] | None = None
    ) -> Iterator[Span]:
        """Around what is done inside; parent: a `traceparent`, else the span that is open here."""
        with self._tracer.start_as_current_span(name, context=_context(parent), kind=kind, attributes=about) as span:
            its = span.get_span_context()
            here = f"00-{format_trace_id(its.trace_id)}-{format_span_id(its.span_id)}-{its.trace_flags:02x}"
            before = TRACEPARENT.set(here)
            try:
                yield span
            finally:
                TRACEPARENT.reset(before)

    def around(self, inner: T, name: str, **attributes: str) -> T:
        """The same thing, each of its coroutine methods in a span of its own: `<name>.<method>`."""
        return cast("T", _Around(inner, self, name, attributes))

    def activities(self, handlers: Mapping[str, Activity]) -> dict[str, Activity]:
        """Each in a span, in the trace of whatever set it going."""
        return {name: self._activity(name, handler) for name, handler in handlers.items()}

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._provider.shutdown()

    def _activity(self, name: str, handler: Activity) -> Activity:
        async def traced(*arguments: Any) -> Any:
            parent = next((argument["trace"] for argument in arguments if isinstance(argument, dict) and argument.get("trace")), None)
            with self.span(f"activity {name}", kind=SpanKind.CONSUMER, parent=parent):
                return await handler(*arguments)

        return traced


class TracedRequests:
    """ASGI middleware: a span for each request, in the caller's trace if it names one."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
        with self._telemetry.span(str(scope["method"]), kind=SpanKind.SERVER, parent=parent) as span:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self._app(scope, receive, sending)
            finally:
                route = str(getattr(scope.get("route"), "path_format", "other"))  # never the path: it names changes
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)


class _Around:
    """Whatever it stands around, but for spans."""

    def __init__(self, inner: Any, telemetry: Telemetry, name: str, attributes: dict[str, str]) -> None:
        self._inner, self._telemetry, self._name, self._attributes = inner, telemetry, name, attributes

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._spanned(found, f"{self._name}.{name}") if inspect.iscoroutinefunction(found) else found

    async def __call__(self, *arguments: Any, **named: Any) -> Any:
        with self._telemetry.span(self._name, about=self._attributes):
            return await self._inner(*arguments, **named)

    def _spanned(self, method: Any, name: str) -> Any:
        @functools.wraps(method)
        async def spanned(*arguments: Any, **named: Any) -> Any:
            with self._telemetry.span(name, about=self._attributes):
                return await method(*arguments, **named)

        return spanned


def _context(parent: str | None) -> Context | None:
    return None if parent is None else TraceContextTextMapPropagator().extract({"traceparent": parent})

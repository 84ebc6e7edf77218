"""Which trace the work at hand belongs to, so that what is set going now and done later is seen as one.

Nothing here knows of OpenTelemetry: where no traces are kept, there is none, and a hint carries none.
"""

from __future__ import annotations

from contextvars import ContextVar

TRACEPARENT: ContextVar[str | None] = ContextVar("TRACEPARENT", default=None)
"""The present span, as w3.org/TR/trace-context writes it."""

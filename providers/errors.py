"""The one retry vocabulary: may trying again help, or not?

ProviderError
├── TemporaryError        trying again may help; `retry_after` seconds if the other side said so
│   ├── RateLimited       asked to slow down
│   └── Unreachable       no connection, no answer in time, a 5xx, an answer that is not what it should be
├── TornFacts             facts that moved while they were read, three times over (temporary)
└── PermanentError        trying again will not help until somebody changes something
    ├── NotFound          the thing is not there, or not for us
    ├── AccessRefused     the credentials are wrong or lack something (named in the message)
    ├── Conflict          the other side's state has moved on (a merge with a stale head)
    └── Unsupported       this forge or target cannot do it

Nothing else decides about retries. An SDK's exceptions stop in its adapter and become one of these.
`str()` is for the log and holds no secret; `advice` is for the person who can act.
"""

from __future__ import annotations


class ProviderError(Exception):
    """Base of all of `providers`."""

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.advice = advice


class TemporaryError(ProviderError):
    """Trying again may help."""

    def __init__(self, message: str, *, retry_after: float | None = None, advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.retry_after = retry_after


class RateLimited(TemporaryError):
    """Asked to slow down."""


class Unreachable(TemporaryError):
    """No connection, no answer in time, a server's fault, or an answer that is not what was promised."""


class TornFacts(TemporaryError):
    """The facts moved while they were read, or two endpoints of the forge disagree about them."""


class PermanentError(ProviderError):
    """Trying again will not help until somebody changes something."""


class NotFound(PermanentError):
    """Not there, or not visible with these credentials."""


class AccessRefused(PermanentError):
    """Wrong credentials, or a permission or scope missing (named in the message)."""


class Conflict(PermanentError):
    """The other side's state has moved on."""


class Unsupported(PermanentError):
    """This forge or target cannot do that."""

"""What the gateway's own parts raise. Retry vocabulary comes from `providers.errors`: temporary or permanent.

GatewayError
├── ConfigurationWrong    admit.yaml or the environment; names the key
├── StorageError
│   ├── DatabaseUnavailable   cannot be reached or is locked (a TemporaryError as well)
│   ├── DatabaseOutdated      older or newer than this code; names the command to run
│   ├── Erased                bytes that were dropped on purpose; their digest stays
│   ├── GenerationMoved       other bundles came into force since the judgement started (a TemporaryError as well)
│   ├── ChangeMoved           others judged the change since its facts were read (a TemporaryError as well)
│   ├── RelationsMoved        another relationship model came into force meanwhile (a TemporaryError as well)
│   └── SubmissionMoved       a submission was written by somebody else meanwhile (a TemporaryError as well)
├── UnknownThing          an id nobody knows: connection, decision, change, bundle
├── Ambiguous             several things go by this name
├── NotAllowed            the token may come in, but not do this
├── PayloadTooLarge       what a workflow is to get or gave is no JSON, or over 256 kB (a PermanentError as well)
├── OutOfPlace            it cannot be done to something that stands as this does
│   └── KeyReused         an Idempotency-Key that stands for another question
└── ManagedByFile         a bundle that admit.yaml names cannot be changed from elsewhere
"""

from __future__ import annotations

from providers.errors import PermanentError, TemporaryError


class GatewayError(Exception):
    """Base of the gateway's own errors."""

    advice: str | None = None

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.advice = advice


class ConfigurationWrong(GatewayError):
    """The configuration cannot be used as it stands."""


class UnknownThing(GatewayError):
    """Nothing is known under this id."""


class Ambiguous(GatewayError):
    """Several things go by this name."""


class NotAllowed(GatewayError):
    """Whoever asks has not the right to it."""


class OutOfPlace(GatewayError):
    """It cannot be done to something that stands as this does."""


class KeyReused(OutOfPlace):
    """The key stands for another question already."""


class ManagedByFile(GatewayError):
    """A file says how this is; what is changed elsewhere would be undone at the next start."""


class PayloadTooLarge(PermanentError):
    """Over 256 kB, or not JSON: pass a digest of a blob."""


class StorageError(GatewayError):
    """The database."""


class DatabaseUnavailable(TemporaryError):
    """Cannot be reached, is locked, or its disk is full."""


class DatabaseOutdated(StorageError):
    """The schema is older or newer than this code."""


class Erased(StorageError):
    """The bytes were dropped on purpose: says when and why."""


class GenerationMoved(TemporaryError):
    """Other bundles came into force since the judgement started: judge again."""


class ChangeMoved(TemporaryError):
    """Others judged the change since its facts were read, or learnt something of it: theirs may be newer."""


class RelationsMoved(TemporaryError):
    """Another relationship model came into force meanwhile: check against that one, and write again."""


class SubmissionMoved(TemporaryError):
    """A submission was written by somebody else since it was read: look again."""

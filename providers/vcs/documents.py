"""Where forges' adapters take their JSON apart: `providers.documents`, by the name it has in this room."""

from __future__ import annotations

from providers.documents import Document, UnexpectedShape, document, documents, parsed

__all__ = ["Document", "UnexpectedShape", "document", "documents", "parsed"]

"""How documents are written into Temporal: JSON as it was written, readable in Temporal's pages, compressed where it is large."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    BinaryNullPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
)

_SMALL = 8192
"""Bytes a payload may have and stay as it is, readable in Temporal's pages."""
_COMPRESSED = b"binary/zlib"


class Compressing(PayloadCodec):
    """Large payloads travel compressed: Temporal counts bytes."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [_smaller(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload.FromString(zlib.decompress(payload.data)) if payload.metadata.get("encoding") == _COMPRESSED else payload
            for payload in payloads
        ]


def _smaller(payload: Payload) -> Payload:
    if payload.ByteSize() <= _SMALL:
        return payload
    return Payload(metadata={"encoding": _COMPRESSED}, data=zlib.compress(payload.SerializeToString(), 1))


class _AsWritten(JSONPlainPayloadConverter):
    """Temporal's own JSON, but with keys in the order they were written: a history reads the same on every engine."""

    def to_payload(self, value: Any) -> Payload | None:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
        return Payload(metadata={"encoding": self.encoding.encode()}, data=text.encode())


class _Converter(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(BinaryNullPayloadConverter(), _AsWritten())


CONVERTER = replace(DataConverter.default, payload_converter_class=_Converter, payload_codec=Compressing())
"""JSON, compressed where it is large."""

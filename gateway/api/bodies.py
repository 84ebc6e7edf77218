"""Request bodies, read with a limit and parsed with care."""

from __future__ import annotations

import json

from fastapi import HTTPException, Request

BODY_LIMIT = 25 * 1024 * 1024
"""Bytes: what forges cap their own deliveries at."""


async def limited_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The raw body. Raises 413 as soon as it is known to be too large, 400 for a wrong Content-Length."""
    declared = request.headers.get("content-length")
    if declared is not None and (not _is_number(declared) or int(declared) > limit):
        raise HTTPException(
            413 if _is_number(declared) else 400, too_large(limit) if _is_number(declared) else "Content-Length is not a number"
        )
    chunks, length = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        length += len(chunk)
        if length > limit:
            raise HTTPException(413, too_large(limit))
    return b"".join(chunks)


async def json_body(request: Request, limit: int = BODY_LIMIT) -> object:
    """The body as JSON. Raises 400 for what is not JSON, is not UTF-8, is nested too deeply, or holds NaN; 413 as above."""
    body = await limited_body(request, limit)
    try:
        return _JSON.decode(body.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise HTTPException(400, f"the body is not UTF-8: {problem.reason} at byte {problem.start}") from problem
    except RecursionError as problem:
        raise HTTPException(400, "the body is nested too deeply") from problem
    except ValueError as problem:
        raise HTTPException(400, f"the body is not JSON: {problem}") from problem


def _no_constants(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_no_constants)


def _is_number(declared: str) -> bool:
    return declared.isascii() and declared.isdigit() and len(declared) <= 18


def too_large(limit: int) -> str:
    """What is said of a body of more bytes."""
    return f"the body is larger than {limit // (1024 * 1024)} MB"

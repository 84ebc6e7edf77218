"""`/v1/bundles`: what judges, published, rolled back and steered; and `/v1/audit`: who did that."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from gateway.api.bodies import limited_body
from gateway.api.bundle_documents import bundle_document, bundle_summary, event_document, generation_summary, revision_document
from gateway.api.rights import caller, needs, needs_right
from gateway.api.services import Services
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from gateway.domain.record import Generation
from gateway.domain.rights import PUBLISH
from gateway.errors import StorageError, UnknownThing
from policies import Enforcement
from policies.bundles import Bundle
from policies.bundles.archive import packed
from policies.errors import BundleRefused, EngineError
from policies.footprint import footprints

router = APIRouter(prefix="/v1", tags=["bundles"])

_GZIP = ("application/gzip", "application/x-gzip")
_ARCHIVE = {"required": True, "content": {_GZIP[0]: {"schema": {"type": "string", "format": "binary"}}}}
"""For /docs: what cannot be told from the function's parameters."""


class RevisionChosen(BaseModel):
    """By its label or its digest."""

    model_config = ConfigDict(extra="forbid")
    revision: str


class EnforcementChosen(BaseModel):
    """null: as the manifest says."""

    model_config = ConfigDict(extra="forbid")
    package: str
    enforcement: Enforcement | None


@router.get("/bundles")
@needs(Scope.READER)
async def list_bundles(asked: Asked) -> dict[str, Any]:
    """What is in force, by name."""
    generation = await asked.storage.generation()
    if generation is None:
        return {"generation": None, "bundles": []}
    bundles = await _readable(asked, generation)
    return {"generation": generation_summary(generation), "bundles": [bundle_summary(bundle, generation) for bundle in bundles]}


@router.get("/bundles/{name}", response_model=None)
@needs(Scope.READER)
async def one_bundle(name: str, asked: Asked, download: bool = False) -> Response:
    """Manifest, revisions, what each policy reads and what is enforced; `?download=true` gives the tar.gz."""
    generation, bundle = await _in_force(asked, name)
    if download:
        file = f'attachment; filename="{name}-{bundle.digest.removeprefix("sha256:")[:12]}.tar.gz"'
        return Response(packed(bundle.files), media_type=_GZIP[0], headers={"Content-Disposition": file})
    return JSONResponse(await _document(asked, generation, bundle))


@router.put("/bundles/{name}", openapi_extra={"requestBody": _ARCHIVE})
@needs_right(PUBLISH)
async def publish(name: str, request: Request, asked: Asked) -> JSONResponse:
    """Bring a bundle (a tar.gz, `application/gzip`) into force: checked, tested, then a new generation. 201: of a new name.

    409: managed by file. 415: not gzip. 422: refused, with every problem; nothing has changed. 503: could not be checked.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _GZIP:
        raise HTTPException(415, "expected Content-Type: application/gzip and a tar.gz as the body")
    before = await asked.storage.generation()
    archive = await limited_body(request)
    generation, bundle = await asked.publish_bundle(name, archive, by=caller(request))
    asked.core.wake()
    known = before is not None and before.bundle(name) is not None
    return JSONResponse(await _document(asked, generation, bundle), 200 if known else 201)


@router.delete("/bundles/{name}")
@needs_right(PUBLISH)
async def remove(name: str, request: Request, asked: Asked) -> dict[str, Any]:
    """Take a bundle out of force. Its revisions stay."""
    generation = await asked.steer_bundle.remove(name, by=caller(request))
    asked.core.wake()
    return {"generation": generation_summary(generation)}


@router.get("/bundles/{name}/revisions")
@needs(Scope.READER)
async def revisions(name: str, asked: Asked) -> dict[str, Any]:
    """Every revision that ever was in force, newest first."""
    found = await _revisions(asked, name)
    if not found:
        raise UnknownThing(f"no bundle '{name}' was ever in force")
    return {"revisions": found}


@router.post("/bundles/{name}/activate")
@needs_right(PUBLISH)
async def activate(name: str, chosen: RevisionChosen, request: Request, asked: Asked) -> JSONResponse:
    """Bring an earlier revision into force again."""
    generation = await asked.steer_bundle.activate(name, chosen.revision, by=caller(request))
    asked.core.wake()
    return JSONResponse(await _named_document(asked, generation, name))


@router.post("/bundles/{name}/enforcement")
@needs_right(PUBLISH)
async def enforce(name: str, chosen: EnforcementChosen, request: Request, asked: Asked) -> JSONResponse:
    """Let one policy deny, warn or run dry, without a new revision. It stays so until it is set again."""
    generation = await asked.steer_bundle.enforce(name, chosen.package, chosen.enforcement, by=caller(request))
    asked.core.wake()
    return JSONResponse(await _named_document(asked, generation, name))


@router.get("/audit")
@needs(Scope.ADMIN)
async def audit(asked: Asked, about: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> dict[str, Any]:
    """Who changed what judges, newest first."""
    return {"events": [event_document(event) for event in await asked.storage.audit_events(about=about, limit=limit)]}


async def _readable(asked: Services, generation: Generation) -> tuple[Bundle, ...]:
    """What is in force but cannot be read any more is our fault, not the request's."""
    try:
        return await asked.in_force.of(generation)
    except BundleRefused as problem:
        raise StorageError(f"a bundle in force does not load any more: {problem}") from problem


async def _in_force(asked: Services, name: str) -> tuple[Generation, Bundle]:
    generation = await asked.storage.generation()
    id = generation.bundle(name) if generation is not None else None
    if generation is None or id is None:
        raise UnknownThing(f"no bundle '{name}' is in force", advice="see what is: GET /v1/bundles")
    try:
        return generation, await asked.in_force.bundle(id)
    except BundleRefused as problem:
        raise StorageError(f"bundle '{name}' is in force but does not load any more: {problem}") from problem


async def _named_document(asked: Services, generation: Generation, name: str) -> dict[str, Any]:
    id = generation.bundle(name)
    assert id is not None, "it has just been brought into force"
    return await _document(asked, generation, await asked.in_force.bundle(id))


async def _document(asked: Services, generation: Generation, bundle: Bundle) -> dict[str, Any]:
    try:
        reads = await footprints(bundle, asked.in_force.engine)
    except EngineError:
        reads = {}  # what a policy reads is told beside the rest, and is null where it cannot be found out now
    document = bundle_document(bundle, generation, reads)
    return {"generation": generation_summary(generation), **document, "revisions": await _revisions(asked, bundle.name)}


async def _revisions(asked: Services, name: str) -> list[dict[str, Any]]:
    generation = await asked.storage.generation()
    id = generation.bundle(name) if generation is not None else None
    return [revision_document(revision, id.digest if id else None) for revision in await asked.storage.revisions(name)]

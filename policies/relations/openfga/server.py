"""One store of an OpenFGA server over the SDK: its calls, its faults in our words. Nothing is decided here.

The SDK's typed calls turn whatever the server sends into the type it expects (`bool("false")` is true), so
the raw ones are used: its connection, credentials and retries, with the documents read strictly (`documents`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from urllib.request import getproxies

import aiohttp
from openfga_sdk import ApiClient, ClientConfiguration, OpenFgaApi
from openfga_sdk.configuration import RetryParams
from openfga_sdk.credentials import CredentialConfiguration
from openfga_sdk.credentials import Credentials as SdkCredentials
from openfga_sdk.exceptions import ApiException, OpenApiException
from openfga_sdk.rest import RESTClientObject

from policies.errors import RelationsError, RelationsRefused, RelationsUnavailable
from policies.model import Json, rfc3339
from policies.relations.openfga import documents
from policies.relations.openfga.reading import Row
from policies.relations.tuples import RelationshipTuple

PAUSE = 0.05  # seconds before the one retry
WRONG_PLACE = ("authorization_model_not_found", "latest_authorization_model_not_found", "store_id_not_found")
WRONG_QUESTION = ("validation_error", "type_not_found", "relation_not_found")

# What else the SDK lets through: its own checks, TLS, bytes it cannot decode, documents it stumbles over.
_LET_THROUGH = (OpenApiException, aiohttp.ClientError, OSError, ValueError, TypeError, AttributeError, LookupError, RuntimeError)

# At DEBUG, which somebody may switch on for the whole SDK, it logs every response body, and an issuer's is a token.
logging.getLogger("openfga_sdk.rest").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token shared with the server."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """OAuth 2.0 client credentials: tokens come from `issuer` and are renewed before they expire."""

    client_id: str
    client_secret: str = field(repr=False)
    issuer: str
    audience: str | None = None
    scopes: tuple[str, ...] = ()


Credentials: TypeAlias = Token | ClientCredentials


class Server:
    """The store's calls. Made in a running event loop; each raises RelationsUnavailable, or RelationsRefused where it says so."""

    def __init__(self, *, api_url: str, store_id: str, credentials: Credentials | None, deadline: float) -> None:
        self._where = f"the OpenFGA server {api_url}"
        self._path = f"/stores/{store_id}"
        configuration = ClientConfiguration(
            api_url=api_url,
            store_id=store_id,
            credentials=_for_sdk(credentials),
            retry_params=RetryParams(max_retry=1, min_wait_in_ms=int(PAUSE * 1000)),  # type: ignore[no-untyped-call]
            timeout_millisec=max(1, int(deadline * 1000)),
        )
        client = ApiClient(configuration)  # type: ignore[no-untyped-call]
        _spare_threads(client.rest_client)
        self._api = OpenFgaApi(client)  # type: ignore[no-untyped-call]

    async def newest_model(self) -> str:
        """Id of the store's newest model. Raises RelationsRefused where there is none."""
        # https://openfga.dev/api/service#/Authorization%20Models/ReadAuthorizationModels
        body, _ = await self._call("ReadAuthorizationModels", "GET", "authorization-models", query={"page_size": "1"})
        model_id = documents.newest_model(body)
        if model_id is None:
            raise wrong_place(f"the store of {self._where} does not exist or has no authorization model")
        return model_id

    async def require_model(self, model_id: str) -> None:
        """Raises RelationsRefused where the store has no such model."""
        # https://openfga.dev/api/service#/Authorization%20Models/ReadAuthorizationModel
        await self._call("ReadAuthorizationModel", "GET", f"authorization-models/{model_id}")

    async def checked(self, checks: Sequence[Mapping[str, Json]], model_id: str) -> Mapping[str, documents.Answer]:
        """Answers by correlation id; at most 50 checks. Raises RelationsRefused for an unknown model."""
        # https://openfga.dev/api/service#/Relationship%20Queries/BatchCheck
        asked: dict[str, Any] = {"checks": list(checks), "authorization_model_id": model_id, "consistency": "HIGHER_CONSISTENCY"}
        body, _ = await self._call("BatchCheck", "POST", "batch-check", body=asked)
        return documents.answers(body, {str(check["correlation_id"]) for check in checks})

    async def time(self) -> datetime:
        """The server's clock, to the second."""
        _, headers = await self._call("ReadChanges", "GET", "changes", query={"page_size": "1"})
        return documents.date(headers)

    async def changes(self, *, token: str, since: datetime) -> documents.Changes:
        """A page of the store's changes after `token`, or since a time where the token is empty."""
        # https://openfga.dev/api/service#/Relationship%20Tuples/ReadChanges
        start: dict[str, str | int | list[str | int]] = {"continuation_token": token} if token else {"start_time": rfc3339(since)}
        body, _ = await self._call("ReadChanges", "GET", "changes", query={"page_size": "100", **start})
        return documents.changes(body)

    async def model(self, model_id: str) -> dict[str, Json]:
        """The model as the server keeps it. Raises RelationsRefused where the store has none of that id."""
        # https://openfga.dev/api/service#/Authorization%20Models/ReadAuthorizationModel
        body, _ = await self._call("ReadAuthorizationModel", "GET", f"authorization-models/{model_id}")
        return documents.model(body)

    async def users(self, asked: Mapping[str, Json], model_id: str) -> tuple[str, ...]:
        """Who has a relation to an object; the server tells of 1,000 at most, and does not say whether there are more."""
        # https://openfga.dev/api/service#/Relationship%20Queries/ListUsers
        wanted: dict[str, Any] = {**asked, "authorization_model_id": model_id, "consistency": "HIGHER_CONSISTENCY"}
        body, _ = await self._call("ListUsers", "POST", "list-users", body=wanted)
        return documents.users(body)

    async def tuples(self, row: Row, *, most: int) -> Sequence[RelationshipTuple] | None:
        """The stored tuples of a row; None for more than `most`."""
        # https://openfga.dev/api/service#/Relationship%20Tuples/Read
        key = {"object": row.object, "relation": row.relation, **({} if row.user is None else {"user": row.user})}
        found: list[RelationshipTuple] = []
        token = ""
        while True:
            asked: dict[str, Any] = {"tuple_key": key, "page_size": 100, "consistency": "HIGHER_CONSISTENCY"}
            body, _ = await self._call("Read", "POST", "read", body={**asked, **({"continuation_token": token} if token else {})})
            page = documents.tuple_page(body)
            found += page.tuples
            if len(found) > most:
                return None
            if not page.token:
                return found
            if page.token == token:
                raise RelationsUnavailable(f"{self._where} does not go on with its tuples")
            token = page.token

    async def close(self) -> None:
        await self._api.close()  # type: ignore[no-untyped-call]

    async def _call(
        self,
        name: str,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, str | int | list[str | int]] | None = None,
    ) -> tuple[object, Mapping[str, str]]:
        """The parsed body and the headers of a success."""
        for last in (False, True):
            try:
                answer = await self._api.execute_api_request(
                    operation_name=name, method=method, path=f"{self._path}/{path}", body=body, query_params=query
                )
                return answer.body, answer.headers
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as problem:
                # The SDK retries what the server answers, not a connection that was dropped.
                if last or isinstance(problem, TimeoutError):
                    raise self._away(problem) from problem
                await asyncio.sleep(PAUSE)
            except ApiException as problem:
                raise self._fault(problem) from problem
            except _LET_THROUGH as problem:
                # openfga-sdk 0.10.5 stumbles over the body of a refusal (telemetry/attributes.py), having decoded it.
                refusal = problem.__context__
                raise (self._fault(refusal) if isinstance(refusal, ApiException) else self._away(problem)) from problem
        raise AssertionError("the last try returns or raises")

    def _away(self, problem: Exception) -> RelationsUnavailable:
        why = "it did not answer in time" if isinstance(problem, TimeoutError) else type(problem).__name__
        return RelationsUnavailable(f"{self._where} cannot be asked: {why}")

    def _fault(self, problem: ApiException) -> RelationsError:
        code, message = _said(problem.body)
        if code in WRONG_PLACE:
            return wrong_place(f"{self._where} refuses: {message}")
        if code in WRONG_QUESTION:
            return RelationsRefused(f"{self._where} refuses the request: {message}")
        fault = RelationsUnavailable(f"{self._where} answers {problem.status}" + (f" ({code})" if code else ""))
        if problem.status in (401, 403):
            fault.advice = "check the credentials in relations.openfga of admit.yaml, and that they may read the store"
        return fault


def _spare_threads(rest: RESTClientObject) -> None:
    """Without a proxy in the environment, calls do not look there for one.

    The SDK's session asks a thread for the proxy, and another for the .netrc file, anew for each call, which costs as much
    processor time as all the rest of it. Credentials come from admit.yaml; a .netrc would only quarrel with them.
    """
    if not getproxies():
        given = rest.pool_manager
        rest.pool_manager = aiohttp.ClientSession(connector=given.connector)
        given.detach()


def wrong_place(message: str) -> RelationsRefused:
    refusal = RelationsRefused(message)
    refusal.advice = "check store_id and model_id in relations.openfga of admit.yaml"
    return refusal


def _said(body: object) -> tuple[str, str]:
    """Code and message of the server's error document; empty where it is not one."""
    try:
        document = json.loads(body) if isinstance(body, str | bytes) else None
    except ValueError:
        document = None
    match document:
        case {"code": str(code), "message": str(message)}:
            return code[:100], message[:500]
    return "", ""


def _for_sdk(credentials: Credentials | None) -> SdkCredentials:
    match credentials:
        case None:
            return SdkCredentials(method="none")
        case Token(token=token):
            return SdkCredentials(method="api_token", configuration=CredentialConfiguration(api_token=token))
        case ClientCredentials():
            configuration = CredentialConfiguration(
                client_id=credentials.client_id,
                client_secret=credentials.client_secret,
                api_issuer=credentials.issuer,
                api_audience=credentials.audience,
                scopes=list(credentials.scopes) or None,
            )
            return SdkCredentials(method="client_credentials", configuration=configuration)

"""Speak to Dagster's GraphQL API: what is asked, and its answers' unions turned into values and faults.

A document Dagster does not understand is answered with 400 or 500, without a place in the answer it failed at; a fault
while it is carried out comes with 200 and a place (https://spec.graphql.org/October2021/#sec-Errors). The first is
permanent, the second may pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.documents import Document, UnexpectedShape, document
from providers.errors import AccessRefused, NotFound, PermanentError, Unreachable
from providers.targets.http import Answer, TargetClient
from providers.targets.http.faults import said

RUNS = """query Runs($tags: [ExecutionTag!], $limit: Int!) {
  runsOrError(filter: {tags: $tags}, limit: $limit) {
    __typename
    ... on Runs { results { runId status creationTime parentRunId } }
    ... on InvalidPipelineRunsFilterError { message }
    ... on PythonError { message }
  }
}"""
LAUNCH = """mutation Launch($wanted: ExecutionParams!) {
  launchRun(executionParams: $wanted) {
    __typename
    ... on LaunchRunSuccess { run { runId status creationTime parentRunId } }
    ... on PipelineNotFoundError { message }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on RunConflict { message }
    ... on UnauthorizedError { message }
    ... on InvalidSubsetError { message }
    ... on PythonError { message }
  }
}"""
TERMINATE = """mutation Terminate($run: String!) {
  terminateRun(runId: $run, terminatePolicy: SAFE_TERMINATE) {
    __typename
    ... on TerminateRunFailure { message }
    ... on RunNotFoundError { message }
    ... on UnauthorizedError { message }
    ... on PythonError { message }
  }
}"""
FAILURES = """query Failures($run: ID!) {
  runOrError(runId: $run) {
    __typename
    ... on Run { stepStats { stepKey status } }
  }
}"""
PROBE = """query Probe {
  version
  instance { daemonHealth { allDaemonStatuses { daemonType healthy } } }
}"""
LOCATIONS = """query Locations {
  workspaceOrError {
    __typename
    ... on Workspace {
      locationEntries {
        name
        locationOrLoadError {
          __typename
          ... on RepositoryLocation { repositories { name } }
          ... on PythonError { message causes { message } }
        }
      }
    }
    ... on PythonError { message }
  }
}"""


async def ask(client: TargetClient, query: str, **variables: Any) -> Document:
    """The answer's data. Raises PermanentError for a query Dagster does not understand, and as `TargetClient` does."""
    answer = await client.call("POST", "/graphql", body={"query": query, "variables": variables}, expected=frozenset({400, 500}))
    body = _data(answer)
    errors = body.fields.get("errors")
    if errors:
        message = f"{answer.where}: {answer.status} {said(errors)}"
        if all(isinstance(error, Mapping) and error.get("path") is None for error in errors):
            raise PermanentError(message)
        raise Unreachable(message)
    if answer.status != 200:
        raise Unreachable(f"{answer.where}: {answer.status} {said(answer.value)}".rstrip())
    try:
        return body.document("data")
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


def expected(data: Document, name: str, *kinds: str) -> Document:
    """The field's value, of one of these types; any other type is the fault it stands for."""
    try:
        found = data.document(name)
        kind = found.text("__typename")
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem
    if kind in kinds:
        return found
    message = f"{found.where}: {kind} {said(dict(found.fields))}"
    match kind:
        case "PipelineNotFoundError" | "RunNotFoundError":
            raise NotFound(message)
        case "UnauthorizedError":
            raise AccessRefused(message)
        case "PythonError":
            raise Unreachable(message)
    raise PermanentError(message)


def _data(answer: Answer) -> Document:
    if not isinstance(answer.value, dict) and answer.status != 200:
        raise Unreachable(f"{answer.where}: {answer.status}")
    try:
        return document(answer.value, answer.where)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem

"""Submissions as JSON: what `/v1/submissions` takes and answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from gateway.domain.record import Decision, decision_document
from gateway.domain.submission import Source, Submission
from gateway.domain.submission_document import submission_document
from gateway.operations.submit import Wanted
from policies import Approval
from policies.errors import RequestRefused


class SourceWanted(BaseModel):
    """Which commit the workflow runs with. connection: needed where several connections have a repository of that name."""

    model_config = ConfigDict(extra="forbid")
    connection: str | None = None
    repository: str = Field(min_length=1, max_length=500)
    ref: str = Field(min_length=1, max_length=500)
    sha: str = Field(min_length=1, max_length=128)


class SubmissionWanted(BaseModel):
    """A workflow someone asks to run. target: by default the first the workflow may run on."""

    model_config = ConfigDict(extra="forbid")
    workflow: str
    target: str | None = None
    input: dict[str, JsonValue] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    source: SourceWanted | None = None

    def wanted(self, key: str | None) -> Wanted:
        """Inwards."""
        source = None if self.source is None else Source(**self.source.model_dump())
        return Wanted(workflow=self.workflow, target=self.target, input=self.input, labels=self.labels, source=source, key=key)


class WordSaid(BaseModel):
    """Somebody approves or refuses."""

    model_config = ConfigDict(extra="forbid")
    reason: str | None = Field(default=None, max_length=1000)


def parsed(model: type[BaseModel], body: object) -> Any:
    """The body as this model. Raises RequestRefused with everything that does not fit."""
    try:
        return model.model_validate(body, strict=True)
    except ValidationError as problem:
        lines = [f"  {'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}" for error in problem.errors()[:10]]
        raise RequestRefused("the request does not fit:\n" + "\n".join(lines)) from None


def json_request(model: type[BaseModel]) -> dict[str, Any]:
    """The model as an operation's request body in the API's description.

    What it is made of is written out where it is used: a model's own `$defs` are no part of that document, nor found in it.
    """
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _written_out(schema, schema.pop("$defs", {}))}}}}


def _written_out(schema: Any, definitions: dict[str, Any]) -> Any:
    match schema:
        case {"$ref": str(name)}:
            return _written_out(definitions[name.rpartition("/")[2]], definitions)
        case dict():
            return {key: _written_out(value, definitions) for key, value in schema.items()}
        case list():
            return [_written_out(value, definitions) for value in schema]
        case _:
            return schema


def submission_summary(submission: Submission) -> dict[str, Any]:
    """As lists show it: all but what is for the gateway alone."""
    document: dict[str, Any] = submission_document(submission)
    for own in ("asked", "version", "tried_at"):
        del document[own]
    return {**document, "durable_workflow": submission.workflow_id}


def whole_submission(submission: Submission, decision: Decision | None, approvals: Sequence[Approval] = ()) -> dict[str, Any]:
    """With the decision it stands by, and what people said."""
    return {
        **submission_summary(submission),
        "decision": None if decision is None else decision_document(decision),
        "approvals": [approval.document() for approval in approvals],
    }

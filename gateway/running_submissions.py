"""The part of a running gateway that is about submissions: operations joined over what `running` has built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from gateway.config import Settings
from gateway.config_workflows import WorkflowSettings
from gateway.domain.clock import Clock
from gateway.errors import ConfigurationWrong
from gateway.operations.catalogue import Catalogue, DeclaredWorkflow, declared
from gateway.operations.comment_commands import CommentCommands
from gateway.operations.follow_submission import FollowSubmission
from gateway.operations.give_word import GiveWord
from gateway.operations.judge import Judge
from gateway.operations.judge_submission import JudgeSubmission
from gateway.operations.source_record import SourceRecord
from gateway.operations.start_submission import StartSubmission
from gateway.operations.steer_submission import CancelSubmission
from gateway.operations.submit import Submit
from gateway.operations.submitting import Submitting
from gateway.operations.watch_submission import WatchSubmission
from gateway.storage import Storage
from gateway.storage.submissions import Submissions
from providers.targets import Target
from providers.vcs import Forge


def build_submitting(
    settings: Settings,
    *,
    judge: Judge,
    storage: Storage,
    submissions: Submissions,
    forges: Mapping[str, Forge],
    targets: Mapping[str, Target],
    clock: Clock,
) -> Submitting:
    """Raises ConfigurationWrong for a workflow whose target or schema cannot be used."""
    catalogue = Catalogue([_declared(workflow) for workflow in settings.workflows], list(targets))
    sources = SourceRecord(storage=storage, connections=tuple(forges), clock=clock)
    same_person = settings.approvals.same_person
    again = JudgeSubmission(judge=judge, sources=sources, storage=storage, clock=clock, same_person=same_person)
    submit = Submit(judge=judge, catalogue=catalogue, sources=sources, storage=storage, submissions=submissions, clock=clock)
    return Submitting(
        submit=submit,
        give_word=GiveWord(
            relations=judge.relations,
            storage=storage,
            submissions=submissions,
            clock=clock,
            valid_for=timedelta(days=settings.approvals.valid_days),
            same_person=same_person,
        ),
        cancel=CancelSubmission(submissions=submissions, clock=clock),
        start=StartSubmission(judge=again, submissions=submissions, targets=targets, clock=clock),
        watch=WatchSubmission(submissions=submissions, targets=targets, clock=clock),
        follow=FollowSubmission(submissions=submissions),
        comment_commands=CommentCommands(submit=submit, forges=forges, clock=clock),
        submissions=submissions,
        catalogue=catalogue,
        targets=targets,
    )


def _declared(workflow: WorkflowSettings) -> DeclaredWorkflow:
    return declared(workflow.name, workflow.targets, _schema(workflow))


def _schema(workflow: WorkflowSettings) -> Mapping[str, Any] | None:
    if not isinstance(workflow.input, Path):
        return workflow.input
    try:
        schema = json.loads(workflow.input.read_text())
    except (OSError, ValueError) as problem:
        raise ConfigurationWrong(f"workflows: the input of '{workflow.name}' cannot be read from {workflow.input}: {problem}") from problem
    if not isinstance(schema, dict):
        raise ConfigurationWrong(f"workflows: {workflow.input} holds no JSON Schema: expected an object")
    return schema

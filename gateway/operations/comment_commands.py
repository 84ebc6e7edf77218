"""Comment commands: what people ask for in comments on a change is submitted as they themselves would.

The forge is asked for the comments, since a delivery is only a hint: who wrote one, and whether it was edited, is the
forge's word. Each comment is submitted once, under a key made of where and when it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from gateway.domain.clock import Clock
from gateway.domain.comment_command import CommentCommand, commands_in
from gateway.domain.people import Speaker
from gateway.domain.submission import Source
from gateway.errors import GatewayError, UnknownThing
from gateway.operations.submit import Submit, Wanted
from gateway.storage.keys import key as hashed
from policies.errors import EngineBusy, NotCanonical, RequestRefused
from providers.errors import NotFound, TemporaryError
from providers.vcs import Change, ChangeEvent, ChangeKey, Forge

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentCommands:
    """Submits what the comments of a change ask for."""

    submit: Submit
    forges: Mapping[str, Forge]
    clock: Clock

    async def __call__(self, connection: str, key: ChangeKey, *, hint: ChangeEvent | None = None) -> int:
        """How many commands were answered, in whatever way. Raises UnknownThing, TemporaryError, and as forges do."""
        forge = self.forges.get(connection)
        if forge is None:
            raise UnknownThing(f"no connection is named '{connection}'")
        try:
            change = await forge.read_change(key, not_before=hint)
        except NotFound:
            return 0
        found = list(commands_in(change, now=self.clock()))
        undecided = [command for command in found if not await self._answered(command, change)]
        if undecided:
            raise TemporaryError(f"{len(undecided)} commands in comments could not be decided yet")
        return len(found)

    async def _answered(self, command: CommentCommand, change: Change) -> bool:
        """False: it may be decided later. What cannot be asked like this, or not by them, is only logged."""
        place = f"{change.repository.name}#{change.number}"
        by = Speaker(ref=command.by.ref, name=command.by.login, kind=command.by.kind.value)
        wanted = Wanted(
            workflow=command.workflow, target=command.target, input=dict(command.input), source=_source(change), key=hashed(command.key)
        )
        try:
            answer = await self.submit(wanted, by, via=place)
        except (RequestRefused, NotCanonical, GatewayError) as problem:
            log.info("command in a comment refused", place=place, by=by.ref, workflow=command.workflow, reason=str(problem))
            return True
        except EngineBusy as problem:
            raise TemporaryError(str(problem), retry_after=problem.retry_after) from problem
        return answer.submission is not None or not answer.decision.verdict.may_change_by_itself


def _source(change: Change) -> Source:
    """What the change proposes, or where it has landed."""
    landed = change.merged_sha is not None
    return Source(
        connection=change.connection,
        repository=change.repository.name,
        ref=change.target_branch if landed else change.head.ref,
        sha=change.merged_sha or change.head.sha,
    )

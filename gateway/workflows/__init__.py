"""Tier 2: deterministic processes, one per file: what happens, in which order."""

from collections.abc import Mapping

from gateway.durable import Workflow
from gateway.workflows.comment_commands import comment_commands
from gateway.workflows.follow_relations import follow_relations
from gateway.workflows.forward_submission import forward_submission
from gateway.workflows.judge_change import judge_change
from gateway.workflows.judge_group import judge_group
from gateway.workflows.overrides import end_override
from gateway.workflows.own_policies import own_policies
from gateway.workflows.reconcile import reconcile
from gateway.workflows.relations_moved import relations_moved
from gateway.workflows.report_status import report_status
from gateway.workflows.retention import erase_person, keep_retention
from gateway.workflows.seal_record import seal_record
from gateway.workflows.sync_relations import sync_relations

WORKFLOWS: Mapping[str, Workflow] = {
    "judge_change": judge_change,
    "judge_group": judge_group,
    "forward_submission": forward_submission,
    "comment_commands": comment_commands,
    "report_status": report_status,
    "own_policies": own_policies,
    "end_override": end_override,
    "reconcile": reconcile,
    "relations_moved": relations_moved,
    "seal_record": seal_record,
    "erase_person": erase_person,
    "keep_retention": keep_retention,
    "sync_relations": sync_relations,
    "follow_relations": follow_relations,
}
"""Every workflow by the name dispatches call it."""

HOUSEKEEPING = frozenset({"reconcile", "seal_record", "keep_retention", "sync_relations", "follow_relations"})
"""Those that come round by themselves, all the time: of interest only to who looks for them."""

__all__ = ["HOUSEKEEPING", "WORKFLOWS"]

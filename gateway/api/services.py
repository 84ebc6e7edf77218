"""What tier 1 may ask of tier 3: the operations, handed over by wiring."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.api.rates import Limits
from gateway.durable import DurableCore
from gateway.operations.access import Tokens
from gateway.operations.admissions import JudgeOnRequest
from gateway.operations.in_force import InForce
from gateway.operations.override import OverrideChange
from gateway.operations.own_relations import OwnRelations
from gateway.operations.publish_bundle import PublishBundle
from gateway.operations.receive import ReceiveDelivery
from gateway.operations.rights import Rights
from gateway.operations.steer_bundle import SteerBundle
from gateway.operations.steer_workflow import SteerWorkflow
from gateway.operations.submitting import Submitting
from gateway.storage import SealedRecord, Storage
from policies.relations import Relations


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every operation the HTTP interface and the pages call.

    relations: whoever answers relationship questions. own_relations: where that is this gateway, its store.
    hosts: names the gateway goes by in browsers. limits: how often anybody may ask.
    open_pages: everybody may read every page (the demo); else facts and lists are for those with a token.
    """

    receive: ReceiveDelivery
    judge_on_request: JudgeOnRequest
    in_force: InForce
    publish_bundle: PublishBundle
    steer_bundle: SteerBundle
    submitting: Submitting
    tokens: Tokens
    override_change: OverrideChange
    steer_workflow: SteerWorkflow
    rights: Rights
    storage: Storage
    sealed_record: SealedRecord
    relations: Relations
    own_relations: OwnRelations | None
    core: DurableCore
    version: str
    public_url: str
    open_pages: bool = False
    hosts: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)

"""A model and its tuples, ready to be asked: check, why, list objects, list users; with contextual tuples and the server's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from policies.model import Json
from policies.relations import listing
from policies.relations.check import Check
from policies.relations.listing import Listing
from policies.relations.model import AuthorizationModel
from policies.relations.proof import Proof
from policies.relations.refusals import QuestionRefused, TupleRefused
from policies.relations.sound_model import SoundModel
from policies.relations.tuples import LARGEST_CONTEXT, LayeredTuples, RelationshipTuple, TupleIndex, TupleReader, fits

MOST_CONTEXTUAL = 100  # tuples along with one question

NOTHING: Mapping[str, Json] = {}


class Evaluator:
    """Answers from one model over tuples that may change meanwhile. Raises ModelRefused for a model that is not sound.

    Every method takes `context` (values for conditions) and `contextual` (tuples that count for this question only),
    and raises QuestionRefused, ConditionFailed, TooDeep, and TupleRefused for a contextual tuple the model does not allow.
    """

    def __init__(self, model: AuthorizationModel | SoundModel, tuples: TupleReader | Iterable[RelationshipTuple]) -> None:
        self.model = model if isinstance(model, SoundModel) else SoundModel(model)
        self.tuples: TupleReader = tuples if isinstance(tuples, TupleReader) else TupleIndex(tuples)

    def check(self, user: str, *, context: Mapping[str, Json] = NOTHING, contextual: Sequence[RelationshipTuple] = ()) -> Check:
        """What can be asked about one user: `check(user).proof(relation, object)`. Asking more of it is cheaper than asking anew."""
        _refuse_large(context)
        return Check(self.model, self._with(contextual), user, context)

    def proof(
        self, user: str, relation: str, object: str, *, context: Mapping[str, Json] = NOTHING, contextual: Sequence[RelationshipTuple] = ()
    ) -> Proof | None:
        """Why the user has this relation to the object; None when not."""
        return self.check(user, context=context, contextual=contextual).proof(relation, object)

    def objects(
        self,
        user: str,
        relation: str,
        type_name: str,
        *,
        context: Mapping[str, Json] = NOTHING,
        contextual: Sequence[RelationshipTuple] = (),
        most: int = listing.MOST_RESULTS,
    ) -> Listing:
        """The objects of a type the user has this relation to."""
        _refuse_large(context)
        return listing.objects(self.model, self._with(contextual), user, relation, type_name, context, most=most)

    def users(
        self,
        object: str,
        relation: str,
        type_name: str,
        userset: str | None = None,
        *,
        context: Mapping[str, Json] = NOTHING,
        contextual: Sequence[RelationshipTuple] = (),
        most: int = listing.MOST_RESULTS,
    ) -> Listing:
        """The users of a type (or the usersets of a type and relation) that have this relation to the object."""
        _refuse_large(context)
        return listing.users(self.model, self._with(contextual), object, relation, (type_name, userset), context, most=most)

    def _with(self, contextual: Sequence[RelationshipTuple]) -> TupleReader:
        if not contextual:
            return self.tuples
        if len(contextual) > MOST_CONTEXTUAL:
            raise QuestionRefused(f"at most {MOST_CONTEXTUAL} contextual tuples go with a question, found {len(contextual)}")
        for one in contextual:
            reason = self.model.why_not(one)
            if reason is not None:
                raise TupleRefused(f"the model does not allow the contextual tuple {one}: {reason}")
        return LayeredTuples(contextual, self.tuples)


def _refuse_large(context: Mapping[str, Json]) -> None:
    if not fits(context):
        raise QuestionRefused(f"the context of a question is at most {LARGEST_CONTEXT} bytes and not nested deep, found more")

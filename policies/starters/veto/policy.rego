# METADATA
# title: Nobody who may stop a change has asked for changes
# description: >-
#   A request for changes by someone with the relation stands through later commits, until that
#   person approves, or the review is dismissed (who may do that is the forge's own rule), or,
#   where `others_may_lift` says so, somebody else with the relation approves afterwards.
package merge.veto

import data.admit

questions contains admit.question(person, input.parameters.relation, input.change.repository.ref) if {
	readable
	some person in judging
}

deny contains {
	"msg": sprintf("%s has asked for changes", [review.user.login]),
	"remedy": sprintf("settle it with %s, who then approves", [review.user.login]),
	"who": {"relation": input.parameters.relation, "object": input.change.repository.ref},
} if {
	readable
	some person, review in objections
	admit.related(person, input.parameters.relation, input.change.repository.ref)
	not lifted(person)
}

deny contains {
	"msg": "the reviews of this change are not known in full, so there could be a veto among them",
	"remedy": "judge again; if it stays so, the forge or its connection withholds these facts",
} if {
	not readable
}

objections[person] := review if {
	some person, review in last_words
	review.state == "changes_requested"
	review.dismissed == false
}

lifted(person) if {
	some other in lifters
	last_place[other] > last_place[person]
	admit.related(other, input.parameters.relation, input.change.repository.ref)
}

# The author cannot lift a veto against their own change, nor can a program.
lifters contains person if {
	input.parameters.others_may_lift == true
	count(objections) > 0
	some person, review in last_words
	review.state == "approved"
	review.dismissed == false
	review.user.kind == "user"
	person != input.change.author.ref
}

judging := {person | some person, _ in objections} | lifters

last_words[person] := input.change.reviews[place] if some person, place in last_place

last_place[person] := max(places) if some person, places in spoken

spoken[review.user.ref] contains place if {
	some place, review in input.change.reviews
	review.state != "commented"
}

readable if {
	is_string(input.change.repository.ref)
	is_string(input.change.author.ref)
	is_string(input.parameters.relation)
	is_boolean(input.parameters.others_may_lift)
	is_array(input.change.reviews)
	every review in input.change.reviews {
		is_string(review.user.ref)
		is_string(review.user.login)
		review.state in {"approved", "changes_requested", "commented"}
		is_boolean(review.dismissed)
	}
}

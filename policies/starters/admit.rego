# METADATA
# title: Relationship questions
# description: Supplied by the gateway; a bundle cannot change it.
package admit

# A question for the rule `questions`: does `user` have `relation` to `object`?
question(user, relation, object) := {"user": user, "relation": relation, "object": object}

# Whether `user` has `relation` to `object`. It must have been asked for in `questions`:
# if it was not, this raises, and the policy ends undecided rather than with a silent "no".
related(user, relation, object) := answer if {
	answer := input.relations[object][relation][user]
} else := to_number(sprintf("relation not asked for: is %v %v of %v?", [user, relation, object]))

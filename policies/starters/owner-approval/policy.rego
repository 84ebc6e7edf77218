# METADATA
# title: An owner has approved
# description: >-
#   Of those whose approval counts (approvers.rego), enough have the relation to the repository.
package merge.owner_approval

import data.admit

questions contains admit.question(person, input.parameters.relation, input.change.repository.ref) if {
	readable
	some person in approvers
}

deny contains {
	"msg": sprintf("%d of %d needed approvals by %s of %s", [
		count(owners),
		input.parameters.minimum,
		input.parameters.relation,
		input.change.repository.name,
	]),
	"remedy": sprintf("ask for a review by someone who is %s of the repository and has no part in this change", [input.parameters.relation]),
	"who": {"relation": input.parameters.relation, "object": input.change.repository.ref},
} if {
	readable
	not enough
}

deny contains {
	"msg": sprintf("it is not known who wrote %s, so an approval could be the writer's own", [short_names(unattributed)]),
	"remedy": "add the commit's address to its writer's account on the forge, or commit again with a known address",
} if {
	readable
	count(unattributed) > 0
}

deny contains {
	"msg": "repository, author, commits or reviews of this change are not known in full, so nobody's approval counts",
	"remedy": "judge again; if it stays so, the forge or its connection withholds these facts",
} if {
	not readable
}

enough if count(owners) >= input.parameters.minimum

owners contains person if {
	some person in approvers
	admit.related(person, input.parameters.relation, input.change.repository.ref)
}

readable if {
	approvers_readable
	is_string(input.change.repository.ref)
	is_string(input.change.repository.name)
	is_string(input.parameters.relation)
	is_number(input.parameters.minimum)
}

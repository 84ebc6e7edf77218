# METADATA
# title: The code owners of every changed file have approved
# description: >-
#   Every rule of CODEOWNERS that covers a changed file, by its new or its old name, needs
#   approvals by the owners it names. The file is read where the change would land.
package merge.code_owners

import data.admit

questions contains admit.question(person, "owner", owned.object) if {
	readable
	some owned in required
	some person in approvers
}

deny contains {
	"msg": sprintf("%s: %d of %d needed approvals by the code owners of %s", [
		min(owned.files),
		count(approving(owned)),
		owned.approvals,
		written(owned),
	]),
	"remedy": remedy(owned),
	"who": {"relation": "owner", "object": owned.object},
	"location": {"path": min(owned.files)},
} if {
	readable
	some owned in required
	count(approving(owned)) < owned.approvals
}

deny contains {
	"msg": sprintf("it is not known who wrote %s, so an approval could be the writer's own", [short_names(unattributed)]),
	"remedy": "add the commit's address to its writer's account on the forge, or commit again with a known address",
} if {
	readable
	count(required) > 0
	count(unattributed) > 0
}

deny contains {
	"msg": "code owners, author, commits or reviews of this change are not known in full, so nobody's approval counts",
	"remedy": "judge again; if it stays so, the forge or its connection withholds these facts",
} if {
	not readable
}

approving(owned) := {person | some person in approvers; admit.related(person, "owner", owned.object)}

required contains owned if {
	some owned in input.code_owners.paths
	owned.optional == false
}

remedy(owned) := "ask a code owner who has no part in this change for a review" if count(owned.owners) > 0

remedy(owned) := sprintf("line %d of CODEOWNERS names nobody who is known here: correct it", [owned.line]) if count(owned.owners) == 0

written(owned) := owned.pattern if owned.section == ""

written(owned) := sprintf("%s, section %s", [owned.pattern, owned.section]) if owned.section != ""

readable if {
	approvers_readable
	is_array(input.code_owners.paths)
	every owned in input.code_owners.paths {
		is_string(owned.object)
		is_string(owned.pattern)
		is_string(owned.section)
		is_boolean(owned.optional)
		is_number(owned.line)
		is_number(owned.approvals)
		owned.approvals > 0
		is_array(owned.owners)
		is_array(owned.files)
		count(owned.files) > 0
		every file in owned.files {
			is_string(file)
		}
	}
}

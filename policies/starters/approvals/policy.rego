# METADATA
# title: Enough people have approved
# description: >-
#   Counts people whose last word is an approval of the newest commit. Who counts is decided
#   in approvers.rego: not the author, not those who committed, not programs.
package merge.approvals

deny contains {
	"msg": sprintf("%d of %d needed approvals on the newest commit", [count(approvers), input.parameters.minimum]),
	"remedy": "ask for a review by someone who neither opened this change nor committed to it",
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
	"msg": "author, commits or reviews of this change are not known in full, so nobody's approval counts",
	"remedy": "judge again; if it stays so, the forge or its connection withholds these facts",
} if {
	not readable
}

enough if count(approvers) >= input.parameters.minimum

readable if {
	is_number(input.parameters.minimum)
	approvers_readable
}

package merge.approval_test

import data.merge.approval

change := {
	"author": {"ref": "user:work/ana"},
	"head": {"sha": "a1"},
	"reviews": [{"user": {"ref": "user:work/bea"}, "state": "approved", "commit_sha": "a1", "dismissed": false}],
}

parameters := {"minimum": 1}

test_a_colleagues_approval_is_enough if {
	count(approval.deny) == 0 with input.change as change with input.parameters as parameters
}

test_the_authors_own_does_not_count if {
	own := json.patch(change, [{"op": "replace", "path": "/reviews/0/user/ref", "value": "user:work/ana"}])
	count(approval.deny) == 1 with input.change as own with input.parameters as parameters
}

test_an_approval_of_an_older_commit_does_not_count if {
	pushed := json.patch(change, [{"op": "replace", "path": "/head/sha", "value": "b2"}])
	count(approval.deny) == 1 with input.change as pushed with input.parameters as parameters
}

package merge.automation_test

import data.merge.automation

approval := {"user": {"ref": "user:work/2"}, "state": "approved", "commit_sha": "a1", "dismissed": false}

workflow := {"path": ".github/workflows/release.yml"}

change := {"author": {"ref": "user:work/1"}, "head": {"sha": "a1"}, "reviews": [], "files": [workflow]}

test_a_workflow_alone_is_denied if count(automation.deny) == 1 with input.change as change

test_a_colleagues_approval_is_enough if {
	count(automation.deny) == 0 with input.change as object.union(change, {"reviews": [approval]})
}

test_an_older_approval_is_not if {
	older := object.union(approval, {"commit_sha": "b2"})
	count(automation.deny) == 1 with input.change as object.union(change, {"reviews": [older]})
}

test_other_files_need_none if {
	count(automation.deny) == 0 with input.change as object.union(change, {"files": [{"path": "src/a.py"}]})
}

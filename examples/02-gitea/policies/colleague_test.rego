package merge.colleague_test

import data.merge.colleague

approval := {"user": {"ref": "user:work/2"}, "state": "approved", "commit_sha": "a1", "dismissed": false}

change := {"author": {"ref": "user:work/1"}, "head": {"sha": "a1"}, "reviews": [approval], "threads": []}

test_a_colleagues_approval_is_enough if count(colleague.deny) == 0 with input.change as change

test_nobodys_is_not if count(colleague.deny) == 1 with input.change as object.union(change, {"reviews": []})

test_an_open_conversation_holds_it_back if {
	count(colleague.deny) == 1 with input.change as object.union(change, {"threads": [{"resolved": false, "path": "a"}]})
}

test_unknown_conversations_do_too if count(colleague.deny) == 1 with input.change as object.union(change, {"threads": null})

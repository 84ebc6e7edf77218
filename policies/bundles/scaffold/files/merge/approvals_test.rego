package merge.approvals_test

import data.merge.approvals

ana := {"id": "1", "login": "ana", "kind": "user", "ref": "user:work/1"}

bea := {"id": "2", "login": "bea", "kind": "user", "ref": "user:work/2"}

review(user, sha) := {"user": user, "state": "approved", "commit_sha": sha, "dismissed": false}

change(reviews) := {"author": ana, "head": {"sha": "new"}, "commits": [], "reviews": reviews}

test_nobody_approved if {
	denied := approvals.deny with input as {"change": change([]), "parameters": {"minimum": 1}}
	count(denied) == 1
}

test_somebody_else_approved if {
	denied := approvals.deny with input as {"change": change([review(bea, "new")]), "parameters": {"minimum": 1}}
	count(denied) == 0
}

test_the_author_does_not_count if {
	denied := approvals.deny with input as {"change": change([review(ana, "new")]), "parameters": {"minimum": 1}}
	count(denied) == 1
}

test_an_approval_of_an_older_state_does_not_count if {
	denied := approvals.deny with input as {"change": change([review(bea, "old")]), "parameters": {"minimum": 1}}
	count(denied) == 1
}

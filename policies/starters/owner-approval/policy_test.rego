package merge.owner_approval_test

import data.merge.owner_approval

ana := person("1", "ana")

ben := person("2", "ben")

cleo := person("3", "cleo")

test_an_owners_approval_is_enough if {
	count(denied([approved(ben)], {})) == 0
}

test_an_approval_by_somebody_else_is_not if {
	some denial in denied([approved(cleo)], {})
	denial.msg == "0 of 1 needed approvals by owner of acme/shop"
	denial.who == {"relation": "owner", "object": "repository:work/1"}
}

test_an_owner_cannot_approve_their_own_change if {
	count(denied([approved(ana)], {})) == 1
}

test_more_than_one_can_be_asked_for if {
	count(denied([approved(ben)], {"minimum": 2})) == 1
}

test_approvers_are_asked_for_and_nobody_else if {
	reviews := [approved(ben), approved(ana), object.union(approved(cleo), {"state": "commented"})]
	asked := owner_approval.questions with input as document(reviews, {})
	asked == {{"user": "user:work/2", "relation": "owner", "object": "repository:work/1"}}
}

test_a_commit_of_nobody_known_could_be_the_owners if {
	proposed := object.union(document([approved(ben)], {}), {"change": {"commits": [{
		"sha": "c1",
		"parents": [],
		"via_web": false,
		"author": {"actor": null},
		"committer": {"actor": null},
	}]}})
	denials := owner_approval.deny with input as proposed
	{denial.msg | some denial in denials} == {"it is not known who wrote c1, so an approval could be the writer's own"}
}

test_facts_the_forge_cannot_give_deny if {
	every missing in ["reviews", "commits", "author", "head", "repository"] {
		proposed := document([approved(ben)], {})
		without := object.union(proposed, {"change": {missing: null}})
		denials := owner_approval.deny with input as without
		count(denials) == 1
	}
}

denied(reviews, changed) := denials if {
	denials := owner_approval.deny with input as document(reviews, changed)
}

document(reviews, changed) := {
	"change": {
		"repository": {"name": "acme/shop", "ref": "repository:work/1"},
		"author": ana,
		"head": {"sha": "c1"},
		"commits": [{
			"sha": "c1",
			"parents": ["b0"],
			"via_web": false,
			"author": {"actor": ana},
			"committer": {"actor": ana},
		}],
		"reviews": reviews,
	},
	"relations": {"repository:work/1": {"owner": {"user:work/1": true, "user:work/2": true, "user:work/3": false}}},
	"parameters": object.union(
		{
			"relation": "owner",
			"minimum": 1,
			"ignore_committers": true,
			"allow_unknown_committers": false,
			"ignore_base_merges": false,
			"ignore_commits_by": [],
		},
		changed,
	),
}

approved(user) := {"user": user, "state": "approved", "commit_sha": "c1", "dismissed": false}

person(id, login) := {"id": id, "login": login, "kind": "user", "ref": sprintf("user:work/%s", [id])}

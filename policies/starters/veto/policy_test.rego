package merge.veto_test

import data.merge.veto

ana := person("1", "ana")

ben := person("2", "ben")

cleo := person("3", "cleo")

dora := person("4", "dora")

test_no_review_is_no_veto if {
	count(denied([], {})) == 0
}

test_a_maintainers_request_for_changes_stops if {
	some denial in denied([review(ben, "changes_requested")], {})
	denial.msg == "ben has asked for changes"
	denial.who == {"relation": "maintainer", "object": "repository:work/1"}
}

test_somebody_elses_request_for_changes_does_not if {
	count(denied([review(dora, "changes_requested")], {})) == 0
}

test_the_one_who_asked_lifts_it_by_approving if {
	count(denied([review(ben, "changes_requested"), review(ben, "approved")], {})) == 0
}

test_a_comment_does_not_lift_it if {
	count(denied([review(ben, "changes_requested"), review(ben, "commented")], {})) == 1
}

test_a_dismissal_lifts_it if {
	count(denied([object.union(review(ben, "changes_requested"), {"dismissed": true})], {})) == 0
}

test_another_maintainer_cannot_lift_it if {
	count(denied([review(ben, "changes_requested"), review(cleo, "approved")], {})) == 1
}

test_another_maintainer_can_lift_it_where_that_is_allowed if {
	count(denied([review(ben, "changes_requested"), review(cleo, "approved")], {"others_may_lift": true})) == 0
}

test_an_earlier_approval_lifts_nothing if {
	count(denied([review(cleo, "approved"), review(ben, "changes_requested")], {"others_may_lift": true})) == 1
}

test_somebody_without_the_relation_lifts_nothing if {
	count(denied([review(ben, "changes_requested"), review(dora, "approved")], {"others_may_lift": true})) == 1
}

test_only_a_persons_approval_that_stands_lifts_it if {
	robot := object.union(cleo, {"kind": "bot"})
	dismissed := object.union(review(cleo, "approved"), {"dismissed": true})
	every lifting in [review(cleo, "commented"), review(robot, "approved"), dismissed] {
		count(denied([review(ben, "changes_requested"), lifting], {"others_may_lift": true})) == 1
	}
	count(denied([review(ben, "changes_requested"), review(cleo, "changes_requested")], {"others_may_lift": true})) == 2
}

test_the_author_lifts_nothing if {
	count(denied([review(ben, "changes_requested"), review(ana, "approved")], {"others_may_lift": true})) == 1
}

test_only_those_whose_word_counts_are_asked_for if {
	reviews := [review(ben, "changes_requested"), review(cleo, "approved"), review(dora, "commented")]
	asked(reviews, {}) == {"user:work/2"}
	asked(reviews, {"others_may_lift": true}) == {"user:work/2", "user:work/3"}
	asked([review(cleo, "approved")], {"others_may_lift": true}) == set()
}

test_facts_the_forge_cannot_give_deny if {
	every missing in ["reviews", "author", "repository"] {
		denials := veto.deny with input as object.union(document([], {}), {"change": {missing: null}})
		count(denials) == 1
	}
}

denied(reviews, changed) := denials if {
	denials := veto.deny with input as document(reviews, changed)
}

asked(reviews, changed) := {question.user | some question in questions} if {
	questions := veto.questions with input as document(reviews, changed)
}

document(reviews, changed) := {
	"change": {
		"repository": {"ref": "repository:work/1"},
		"author": ana,
		"reviews": reviews,
	},
	"relations": {"repository:work/1": {"maintainer": {
		"user:work/1": true,
		"user:work/2": true,
		"user:work/3": true,
		"user:work/4": false,
	}}},
	"parameters": object.union({"relation": "maintainer", "others_may_lift": false}, changed),
}

review(user, state) := {"user": user, "state": state, "dismissed": false}

person(id, login) := {"id": id, "login": login, "kind": "user", "ref": sprintf("user:work/%s", [id])}

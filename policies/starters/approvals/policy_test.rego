package merge.approvals_test

import data.merge.approvals

ana := person("1", "ana")

ben := person("2", "ben")

cleo := person("3", "cleo")

dependabot := object.union(person("9", "dependabot"), {"kind": "bot"})

forge := person("0", "web-flow")

test_an_approval_of_the_newest_commit_is_enough if {
	denials(change([review(ben, "approved", "c2")])) == set()
}

test_nobody_has_approved if {
	denials(change([])) == {"0 of 1 needed approvals on the newest commit"}
}

test_the_author_cannot_approve if {
	count(denials(change([review(ana, "approved", "c2")]))) == 1
}

test_the_author_cannot_approve_what_others_committed if {
	theirs := object.union(change([review(ana, "approved", "c2")]), {"commits": [commit("c1", ben), commit("c2", ben)]})
	count(denials(theirs)) == 1
	count(denials_given(theirs, {"ignore_committers": false})) == 1
}

test_a_program_cannot_approve if {
	count(denials(change([review(dependabot, "approved", "c2")]))) == 1
}

test_an_approval_of_an_older_commit_is_outdated if {
	count(denials(change([review(ben, "approved", "c1")]))) == 1
}

test_a_dismissed_approval_does_not_count if {
	count(denials(change([object.union(review(ben, "approved", "c2"), {"dismissed": true})]))) == 1
}

test_a_later_request_for_changes_takes_the_approval_away if {
	count(denials(change([review(ben, "approved", "c2"), review(ben, "changes_requested", "c2")]))) == 1
}

test_a_later_request_for_changes_that_was_dismissed_does_not_bring_the_approval_back if {
	dismissed := object.union(review(ben, "changes_requested", "c2"), {"dismissed": true})
	count(denials(change([review(ben, "approved", "c2"), dismissed]))) == 1
}

test_a_later_comment_leaves_the_approval if {
	denials(change([review(ben, "approved", "c2"), review(ben, "commented", "c2")])) == set()
}

test_a_later_approval_overrides_a_request_for_changes if {
	denials(change([review(ben, "changes_requested", "c1"), review(ben, "approved", "c2")])) == set()
}

test_one_person_approving_twice_is_one_approval if {
	reviews := [review(ben, "approved", "c2"), review(ben, "approved", "c2")]
	messages := denials_given(change(reviews), {"minimum": 2})
	messages == {"1 of 2 needed approvals on the newest commit"}
}

test_two_people_are_two_approvals if {
	reviews := [review(ben, "approved", "c2"), review(cleo, "approved", "c2")]
	messages := denials_given(change(reviews), {"minimum": 2})
	messages == set()
}

test_who_committed_cannot_approve if {
	theirs := object.union(change([review(ben, "approved", "c2")]), {"commits": [commit("c1", ana), commit("c2", ben)]})
	count(denials(theirs)) == 1
}

test_who_committed_can_approve_where_that_is_allowed if {
	theirs := object.union(change([review(ben, "approved", "c2")]), {"commits": [commit("c1", ana), commit("c2", ben)]})
	messages := denials_given(theirs, {"ignore_committers": false})
	messages == set()
}

test_a_commit_of_nobody_known_could_be_the_approvers if {
	nobody := object.union(commit("c2", ana), {"author": {"actor": null}})
	unknown := object.union(change([review(ben, "approved", "c2")]), {"commits": [commit("c1", ana), nobody]})
	denials(unknown) == {"it is not known who wrote c2, so an approval could be the writer's own"}
}

test_a_commit_of_nobody_known_does_not_matter_where_committers_may_approve if {
	nobody := object.union(commit("c2", ana), {"author": {"actor": null}})
	unknown := object.union(change([review(ben, "approved", "c2")]), {"commits": [commit("c1", ana), nobody]})
	denials_given(unknown, {"ignore_committers": false}) == set()
}

test_a_commit_of_nobody_known_is_nobodys_where_that_is_allowed if {
	nobody := object.union(commit("c2", ana), {"author": {"actor": null}})
	unknown := object.union(change([review(ben, "approved", "c2")]), {"commits": [commit("c1", ana), nobody]})
	messages := denials_given(unknown, {"allow_unknown_committers": true})
	messages == set()
}

test_who_made_a_commit_in_the_forge_cannot_approve_it if {
	in_editor := object.union(commit("c2", ben), {"committer": {"actor": forge}, "via_web": true})
	count(denials(object.union(change([review(ben, "approved", "c2")]), {"commits": [commit("c1", ana), in_editor]}))) == 1
	denials(object.union(change([review(cleo, "approved", "c2")]), {"commits": [commit("c1", ana), in_editor]})) == set()
}

test_a_commit_without_a_known_committer_is_nobodys if {
	unclear := object.union(commit("c2", ana), {"committer": {"actor": null}})
	denials(object.union(change([review(ben, "approved", "c2")]), {"commits": [commit("c1", ana), unclear]})) == {"it is not known who wrote c2, so an approval could be the writer's own"}
}

test_a_merge_of_the_base_outdates_an_approval if {
	count(denials(updated_from_base)) == 1
}

test_a_merge_of_the_base_changes_nothing_where_that_is_trusted if {
	messages := denials_given(updated_from_base, {"ignore_base_merges": true})
	messages == set()
}

test_a_merge_made_outside_the_forge_is_never_ignored if {
	commits := array.concat(array.slice(updated_from_base.commits, 0, 2), [object.union(updated_from_base.commits[2], {"via_web": null})])
	messages := denials_given(object.union(updated_from_base, {"commits": commits}), {"ignore_base_merges": true})
	count(messages) == 1
}

test_a_merge_of_another_branch_is_never_ignored if {
	side := commit("s1", ben)
	commits := array.concat([side], updated_from_base.commits)
	merged := object.union(updated_from_base, {"commits": [merges(each, "b7", "s1") | some each in commits]})
	messages := denials_given(merged, {"ignore_base_merges": true})
	count(messages) == 1
}

test_only_what_merges_the_base_into_this_change_is_a_merge_of_the_base if {
	every parents in [["c2"], ["c2", "b7", "b8"], ["b7", "b8"], ["b7", "c2"], ["c2", "c1"]] {
		merge := object.union(updated_from_base.commits[2], {"parents": parents})
		commits := array.concat(array.slice(updated_from_base.commits, 0, 2), [merge])
		messages := denials_given(object.union(updated_from_base, {"commits": commits}), {"ignore_base_merges": true})
		messages == {"0 of 1 needed approvals on the newest commit"}
	}
}

test_commits_of_ignored_accounts_outdate_nothing if {
	formatted := object.union(change([review(ben, "approved", "c1")]), {"commits": [commit("c1", ana), commit("c2", dependabot)]})
	count(denials(formatted)) == 1
	messages := denials_given(formatted, {"ignore_commits_by": [dependabot.ref]})
	messages == set()
}

test_commits_the_forge_makes_for_an_ignored_account_outdate_nothing_where_both_are_listed if {
	by_api := object.union(commit("c2", dependabot), {"committer": {"actor": forge}, "via_web": true})
	edited := object.union(change([review(ben, "approved", "c1")]), {"commits": [commit("c1", ana), by_api]})
	count(denials_given(edited, {"ignore_commits_by": [dependabot.ref]})) == 1
	denials_given(edited, {"ignore_commits_by": [dependabot.ref, forge.ref]}) == set()
}

test_commits_of_others_in_the_name_of_an_ignored_account_count if {
	every forged in [{"committer": {"actor": ben}}, {"author": {"actor": ben}}] {
		commits := [commit("c1", ana), object.union(commit("c2", dependabot), forged)]
		theirs := object.union(change([review(ben, "approved", "c2")]), {"commits": commits})
		count(denials_given(theirs, {"ignore_commits_by": [dependabot.ref]})) == 1
	}
}

test_facts_the_forge_cannot_give_deny if {
	every missing in ["reviews", "commits", "author", "head"] {
		count(denials(object.union(change([review(ben, "approved", "c2")]), {missing: null}))) == 1
		count(denials(object.remove(change([review(ben, "approved", "c2")]), {missing}))) == 1
	}
}

test_a_list_of_commits_that_ends_before_the_newest_denies if {
	short := object.union(change([review(ben, "approved", "c2")]), {"commits": [commit("c1", ana)]})
	denials(short) == {"author, commits or reviews of this change are not known in full, so nobody's approval counts"}
}

test_a_missing_minimum_denies if {
	count(denials_given(change([review(ben, "approved", "c2")]), {"minimum": null})) == 1
}

denials(proposed) := denials_given(proposed, {})

denials_given(proposed, changed) := messages if {
	denied := approvals.deny with input as {"change": proposed, "parameters": object.union(defaults, changed)}
	messages := {denial.msg | some denial in denied}
}

defaults := {
	"minimum": 1,
	"ignore_committers": true,
	"allow_unknown_committers": false,
	"ignore_base_merges": false,
	"ignore_commits_by": [],
}

change(reviews) := {
	"author": ana,
	"head": {"sha": "c2"},
	"commits": [commit("c1", ana), commit("c2", ana)],
	"reviews": reviews,
}

updated_from_base := {
	"author": ana,
	"head": {"sha": "m3"},
	"commits": [commit("c1", ana), commit("c2", ana), {
		"sha": "m3",
		"parents": ["c2", "b7"],
		"via_web": true,
		"author": {"actor": cleo},
		"committer": {"actor": cleo},
	}],
	"reviews": [review(ben, "approved", "c2")],
}

review(user, state, sha) := {"user": user, "state": state, "commit_sha": sha, "dismissed": false}

commit(sha, writer) := {
	"sha": sha,
	"parents": ["b0"],
	"via_web": false,
	"author": {"actor": writer},
	"committer": {"actor": writer},
}

merges(one, from, to) := object.union(one, {"parents": [replaced(parent, from, to) | some parent in one.parents]})

replaced(parent, from, to) := to if parent == from

replaced(parent, from, _) := parent if parent != from

person(id, login) := {"id": id, "login": login, "kind": "user", "ref": sprintf("user:work/%s", [id])}

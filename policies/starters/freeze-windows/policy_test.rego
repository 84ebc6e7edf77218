package merge.freeze_windows_test

import data.merge.freeze_windows

ana := person("1", "ana")

ben := person("2", "ben")

test_an_ordinary_day_passes if {
	denied("2026-11-24T12:00:00Z", {}) == set()
}

test_a_period_denies_with_its_reason_and_its_end if {
	denied("2026-12-24T12:00:00Z", {}) == {"merging is frozen until 2027-01-04 08:00 (Europe/Berlin): holidays"}
}

test_a_period_begins_and_ends_in_local_time if {
	denied("2026-12-19T16:59:59Z", {}) == set()
	count(denied("2026-12-19T17:00:00Z", {})) == 1
	count(denied("2027-01-04T06:59:59Z", {})) == 1
	denied("2027-01-04T07:00:00Z", {}) == set()
}

test_weekly_hours_are_local if {
	denied("2026-07-10T13:59:59Z", {}) == set()
	denied("2026-07-10T14:00:00Z", {}) == {"merging is frozen until 24:00 (Europe/Berlin): weekend"}
	count(denied("2026-07-10T21:59:59Z", {})) == 1
	denied("2026-07-10T22:00:00Z", {}) == set()
}

test_weekly_hours_end_at_their_end if {
	parameters := {"weekly": [{"days": ["fri"], "from": "16:00", "until": "17:00", "reason": "weekend"}]}
	every at, number in {"2026-07-10T14:59:59Z": 1, "2026-07-10T15:00:00Z": 0} {
		denials := freeze_windows.deny with input as object.union(document(at, {}), {"parameters": parameters})
		count(denials) == number
	}
}

test_the_remedy_names_who_can_help if {
	denials := freeze_windows.deny with input as document("2026-12-24T12:00:00Z", {})
	some denial in denials
	denial.who == {"relation": "release_manager", "object": "repository:work/1"}
	denial.remedy == "wait, or set the label 'hotfix' and ask someone who is release_manager of the repository to approve"
}

test_label_and_approval_together_are_an_exception if {
	denied("2026-12-24T12:00:00Z", {"labels": ["Hotfix"], "reviews": [approved(ben)]}) == set()
}

test_the_label_alone_is_not if {
	count(denied("2026-12-24T12:00:00Z", {"labels": ["hotfix"]})) == 1
}

test_the_approval_alone_is_not if {
	count(denied("2026-12-24T12:00:00Z", {"reviews": [approved(ben)]})) == 1
}

test_the_approval_of_somebody_else_is_not if {
	count(denied("2026-12-24T12:00:00Z", {"labels": ["hotfix"], "reviews": [approved(person("3", "cleo"))]})) == 1
}

test_a_commit_of_nobody_known_makes_no_exception if {
	commits := [object.union(change.commits[0], {"author": {"actor": null}})]
	count(denied("2026-12-24T12:00:00Z", {"labels": ["hotfix"], "reviews": [approved(ben)], "commits": commits})) == 1
}

test_the_author_makes_no_exception_for_themselves if {
	count(denied("2026-12-24T12:00:00Z", {"labels": ["hotfix"], "reviews": [approved(ana)]})) == 1
}

test_nobody_is_asked_for_without_need if {
	asked("2026-11-24T12:00:00Z", {"labels": ["hotfix"], "reviews": [approved(ben)]}) == set()
	asked("2026-12-24T12:00:00Z", {"reviews": [approved(ben)]}) == set()
	asked("2026-12-24T12:00:00Z", {"labels": ["hotfix"], "reviews": [approved(ben)]}) == {{
		"user": "user:work/2",
		"relation": "release_manager",
		"object": "repository:work/1",
	}}
}

test_verdicts_end_where_a_freeze_begins_or_ends if {
	"2026-12-19T17:00:00Z" in ends("2026-11-24T12:00:00Z")
	"2027-01-04T07:00:00Z" in ends("2026-12-24T12:00:00Z")
	not "2026-12-19T17:00:00Z" in ends("2026-12-19T17:00:00Z")
	min(ends("2026-07-10T12:00:00Z")) == "2026-07-10T14:00:00Z"
	min(ends("2026-07-10T14:00:00Z")) == "2026-07-10T22:00:00Z"
	min(ends("2026-07-11T12:00:00Z")) == "2026-07-17T14:00:00Z"
}

test_where_clocks_change_a_verdict_rather_ends_once_too_often if {
	parameters := {"weekly": [], "periods": [{"from": "2026-10-25T02:30", "until": "2026-10-26T00:00", "reason": "clocks"}]}
	expires := freeze_windows.expires with input as object.union(document("2026-10-24T12:00:00Z", {}), {"parameters": parameters})
	expires == {"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T23:00:00Z", "2026-10-25T22:00:00Z"}
}

test_facts_the_forge_cannot_give_deny if {
	count(denied(null, {})) == 1
	count(denied("2026-11-24T12:00:00Z", {"repository": null})) == 1
	count(denied("2026-12-24T12:00:00Z", {"labels": null, "reviews": [approved(ben)]})) == 1
	count(denied("2026-12-24T12:00:00Z", {"labels": ["hotfix"], "reviews": null})) == 1
}

test_unusable_parameters_deny if {
	every broken in [
		{"periods": null},
		{"weekly": [{"days": ["friday"], "from": "16:00", "until": "24:00", "reason": "weekend"}]},
		{"weekly": [{"days": ["fri"], "from": "22:00", "until": "06:00", "reason": "night"}]},
		{"weekly": [{"days": ["fri"], "from": "1 pm", "until": "24:00", "reason": "weekend"}]},
		{"weekly": [{"days": ["fri"], "from": "16:00", "until": "5 pm", "reason": "weekend"}]},
		{"weekly": [{"days": ["fri"], "from": "16:00", "until": "16:00", "reason": "weekend"}]},
		{"weekly": [{"days": "fri", "from": "16:00", "until": "24:00", "reason": "weekend"}]},
		{"periods": [{"from": "2026-12-19T18:00", "until": "2026-12-19T18:00", "reason": "holidays"}]},
		{"periods": [{"from": "2026-12-19", "until": "2027-01-04T08:00", "reason": "holidays"}]},
		{"periods": [{"from": "2026-12-19T18:00", "until": "2027-01-04", "reason": "holidays"}]},
	] {
		denials := freeze_windows.deny with input as object.union(document("2026-11-24T12:00:00Z", {}), {"parameters": broken})
		count(denials) == 1
	}
}

denied(at, changed) := {denial.msg | some denial in denials} if {
	denials := freeze_windows.deny with input as document(at, changed)
}

asked(at, changed) := questions if {
	questions := freeze_windows.questions with input as document(at, changed)
}

ends(at) := expires if {
	expires := freeze_windows.expires with input as document(at, {})
}

document(at, changed) := {
	"time": at,
	"change": object.union(change, changed),
	"relations": {"repository:work/1": {"release_manager": {"user:work/1": true, "user:work/2": true, "user:work/3": false}}},
	"parameters": {
		"time_zone": "Europe/Berlin",
		"periods": [{"from": "2026-12-19T18:00", "until": "2027-01-04T08:00", "reason": "holidays"}],
		"weekly": [{"days": ["fri"], "from": "16:00", "until": "24:00", "reason": "weekend"}],
		"exception": {"label": "hotfix", "relation": "release_manager"},
		"ignore_committers": true,
		"allow_unknown_committers": false,
		"ignore_base_merges": false,
		"ignore_commits_by": [],
	},
}

change := {
	"repository": {"ref": "repository:work/1"},
	"author": ana,
	"labels": [],
	"head": {"sha": "c1"},
	"commits": [{
		"sha": "c1",
		"parents": ["b0"],
		"via_web": false,
		"author": {"actor": ana},
		"committer": {"actor": ana},
	}],
	"reviews": [],
}

approved(user) := {"user": user, "state": "approved", "commit_sha": "c1", "dismissed": false}

person(id, login) := {"id": id, "login": login, "kind": "user", "ref": sprintf("user:work/%s", [id])}

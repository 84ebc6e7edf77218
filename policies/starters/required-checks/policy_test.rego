package merge.required_checks_test

import data.merge.required_checks

test_a_success_is_enough if {
	messages([report({})], {}) == set()
}

test_a_check_that_was_not_reported_denies if {
	messages([], {}) == {"the check 'ci/test' has not been reported by anybody"}
	messages([report({"name": "ci/other"})], {}) == {"the check 'ci/test' has not been reported by anybody"}
}

test_a_report_of_another_commit_does_not_count if {
	messages([report({"sha": "c0"})], {}) == {"the check 'ci/test' has not been reported by anybody"}
}

test_a_running_check_denies if {
	messages([report({"state": "pending", "conclusion": null})], {}) == {"the check 'ci/test' has not finished"}
}

test_only_the_listed_conclusions_are_good_enough if {
	messages([report({"conclusion": "skipped"})], {}) == {"the check 'ci/test' ended as skipped, success is needed"}
	messages([report({"conclusion": "skipped"})], {"conclusions": ["success", "skipped"]}) == set()
}

test_a_completed_check_without_conclusion_denies if {
	count(messages([report({"conclusion": null})], {})) == 1
}

test_a_second_success_does_not_cover_a_failure if {
	reports := [report({"source": "runner", "conclusion": "failure"}), report({"source": "mallory"})]
	messages(reports, {}) == {"the check 'ci/test' ended as failure, success is needed"}
}

test_the_source_has_to_be_the_one_asked_for if {
	messages([report({"source": "mallory"})], {"source": "runner"}) == {"the check 'ci/test' has not been reported by runner"}
	messages([report({"source": null})], {"source": "runner"}) == {"the check 'ci/test' has not been reported by runner"}
	messages([report({"source": "runner"})], {"source": "runner"}) == set()
}

test_a_failure_of_another_source_does_not_matter_where_one_is_asked_for if {
	messages([report({"source": "runner"}), report({"source": "other", "conclusion": "failure"})], {"source": "runner"}) == set()
}

test_the_remedy_says_where_to_look if {
	some denial in denied([report({"conclusion": "failure", "url": "https://ci.example/7"})], {})
	denial.remedy == "see https://ci.example/7, mend it and push"
}

test_facts_the_forge_cannot_give_deny if {
	messages(null, {}) == {"the checks of this change are not known in full"}
	messages([report({"name": null})], {}) == {"the checks of this change are not known in full"}
	messages([report({"url": 7})], {}) == {"the checks of this change are not known in full"}
	messages([report({"state": "done"})], {}) == {"the checks of this change are not known in full"}
	messages([report({"sha": null})], {}) == {"the checks of this change are not known in full"}
}

messages(checks, changed) := {denial.msg | some denial in denied(checks, changed)}

denied(checks, changed) := denials if {
	wanted := object.union({"name": "ci/test", "source": "*", "conclusions": ["success"]}, changed)
	denials := required_checks.deny with input as {
		"change": {"head": {"sha": "c1"}, "checks": checks},
		"parameters": {"checks": [wanted]},
	}
}

report(changed) := object.union(
	{
		"name": "ci/test",
		"state": "completed",
		"conclusion": "success",
		"source": "runner",
		"sha": "c1",
		"url": null,
	},
	changed,
)

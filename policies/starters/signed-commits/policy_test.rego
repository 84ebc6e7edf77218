package merge.signed_commits_test

import data.merge.signed_commits

test_verified_commits_pass if {
	denied([{"sha": "c1", "verified": true}, {"sha": "c2", "verified": true}]) == set()
}

test_each_other_commit_is_named if {
	denied([{"sha": "c1", "verified": false}, {"sha": "c2", "verified": null}]) == {
		"commit c1 has no verified signature",
		"commit c2 has no verified signature",
	}
}

test_a_commit_without_that_fact_is_not_signed if {
	denied([{"sha": "c2"}]) == {"commit c2 has no verified signature"}
}

test_the_newest_commit_has_to_be_among_them if {
	denied([{"sha": "c1", "verified": true}]) == {"the commits of this change are not known in full"}
	denied([]) == {"the commits of this change are not known in full"}
	denied(null) == {"the commits of this change are not known in full"}
}

denied(commits) := {denial.msg | some denial in denials} if {
	denials := signed_commits.deny with input as {"change": {"head": {"sha": "c2"}, "commits": commits}}
}

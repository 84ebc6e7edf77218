package merge.title_convention_test

import data.merge.title_convention

test_a_conventional_change_passes if {
	denied("fix: it", [commit("c1", "fix: it\n\nbecause", ["b0"])], {}) == set()
}

test_a_title_outside_the_convention_is_denied if {
	denied("Fixes it", [], {}) == {"the title does not match ^(feat|fix): ."}
}

test_a_long_title_is_denied if {
	denied("fix: a title that is long", [], {}) == {"the title has 25 characters, at most 20 are allowed"}
}

test_a_title_may_be_as_long_as_allowed if {
	denied("fix: a title that fi", [], {}) == set()
}

test_each_commit_outside_the_convention_is_named if {
	commits := [commit("c1", "fix: it", ["b0"]), commit("c2", "more\n\nfix: hidden", ["c1"])]
	denied("fix: it", commits, {}) == {"the first line of commit c2 does not match ^(feat|fix): ."}
}

test_a_merge_is_left_out if {
	denied("fix: it", [commit("m1", "Merge branch 'main'", ["c1", "b7"])], {}) == set()
}

test_an_empty_pattern_asks_for_nothing if {
	denied("Fixes it", [], {"title_pattern": ""}) == set()
	denied("fix: it", [commit("c1", "more", ["b0"])], {"commit_pattern": ""}) == set()
}

test_a_broken_pattern_denies if {
	count(denied("fix: it", [], {"title_pattern": "("})) == 1
	count(denied("fix: it", [], {"title_pattern": null})) == 1
}

test_facts_the_forge_cannot_give_deny if {
	count(denied(null, [], {})) == 1
	count(denied("fix: it", null, {})) == 1
	count(denied("fix: it", [commit("c1", null, [])], {})) == 1
	count(denied("fix: it", [commit("c1", "fix: it", null)], {})) == 1
}

denied(title, commits, changed) := {denial.msg | some denial in denials} if {
	parameters := object.union(
		{"title_pattern": "^(feat|fix): .", "title_length": 20, "commit_pattern": "^(feat|fix): .", "example": "fix: it"},
		changed,
	)
	denials := title_convention.deny with input as {"change": {"title": title, "commits": commits}, "parameters": parameters}
}

commit(sha, message, parents) := {"sha": sha, "message": message, "parents": parents}

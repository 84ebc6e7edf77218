package merge.dependencies_test

import data.merge.dependencies

test_no_dependency_passes if {
	denied([], "It depends on nothing.", {}) == set()
}

test_each_dependency_denies if {
	denied(["https://forge.example/7", "https://forge.example/8"], "", {}) == {
		"https://forge.example/7 has to be merged first",
		"https://forge.example/8 has to be merged first",
	}
}

test_a_marked_line_denies if {
	denied([], "Adds it.\r\n\r\n  Depends-On: acme/api#7\r\n", {}) == {"the description says: Depends-On: acme/api#7"}
}

test_not_knowing_denies if {
	denied(null, "", {}) == {"it is not known which changes have to be merged first"}
	denied([], null, {}) == {"it is not known which changes have to be merged first"}
}

test_not_knowing_is_ignored_where_that_is_chosen if {
	denied(null, "", {"when_unknown": "ignore"}) == set()
	count(denied("none", "", {"when_unknown": "ignore"})) == 1
	denied(null, "Depends-On: acme/api#7", {"when_unknown": "ignore"}) == {"the description says: Depends-On: acme/api#7"}
}

denied(known, body, changed) := {denial.msg | some denial in denials} if {
	parameters := object.union({"markers": ["depends-on:"], "when_unknown": "deny"}, changed)
	denials := dependencies.deny with input as {"change": {"dependencies": known, "body": body}, "parameters": parameters}
}

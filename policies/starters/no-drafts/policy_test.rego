package merge.no_drafts_test

import data.merge.no_drafts

test_a_change_that_is_ready_passes if {
	denied({"draft": false, "title": "Draft the contract"}) == set()
}

test_a_draft_is_denied if {
	denied({"draft": true, "title": "Add it"}) == {"this change is a draft"}
}

test_a_title_that_says_so_is_denied_in_any_case if {
	denied({"draft": false, "title": " DRAFT: add it"}) == {"the title begins with 'draft:'"}
}

test_not_knowing_denies if {
	every change in [{}, {"draft": null, "title": "Add it"}, {"draft": false}, {"draft": "false", "title": "Add it"}] {
		denied(change) == {"it is not known whether this change is a draft"}
	}
}

denied(change) := {denial.msg | some denial in denials} if {
	denials := no_drafts.deny with input as {"change": change, "parameters": {"title_prefixes": ["draft:", "wip:"]}}
}

package merge.required_labels_test

import data.merge.required_labels

test_every_label_of_all_of_is_needed if {
	denials(["a"], {"all_of": ["a", "b"]}) == {"the label 'b' is missing"}
	denials(["a", "b"], {"all_of": ["a", "b"]}) == set()
}

test_one_label_of_one_of_is_enough if {
	denials(["b"], {"one_of": ["a", "b"]}) == set()
	denials([], {"one_of": ["a", "b"]}) == {"one of these labels is missing: a, b"}
}

test_an_empty_one_of_asks_for_nothing if {
	denials([], {}) == set()
}

test_no_label_of_none_of_may_be_there if {
	denials(["wip", "a"], {"none_of": ["wip"]}) == {"the label 'wip' forbids merging"}
	denials(["a"], {"none_of": ["wip"]}) == set()
}

test_case_does_not_matter if {
	denials(["WIP", "Kind/Bug"], {"none_of": ["wip"], "all_of": ["kind/bug"]}) == {"the label 'wip' forbids merging"}
}

test_labels_the_forge_cannot_give_deny if {
	denials(null, {}) == {"the labels of this change are not known"}
	denials([null], {}) == {"the labels of this change are not known"}
	count(required_labels.deny) == 1 with input as {}
}

test_unreadable_parameters_deny if {
	every key in ["all_of", "one_of", "none_of"] {
		every broken in [null, "wip", [null], {}] {
			count(denials([], {key: broken})) == 1
		}
	}
}

denials(labels, changed) := messages if {
	parameters := object.union({"all_of": [], "one_of": [], "none_of": []}, changed)
	denied := required_labels.deny with input as {"change": {"labels": labels}, "parameters": parameters}
	messages := {denial.msg | some denial in denied}
}

# METADATA
# title: Labels that have to be there, and labels that must not
# description: >-
#   Compares without regard to upper and lower case, as people read labels.
package merge.required_labels

deny contains {
	"msg": sprintf("the label '%s' is missing", [wanted]),
	"remedy": sprintf("add the label '%s'", [wanted]),
} if {
	readable
	some wanted in input.parameters.all_of
	not lower(wanted) in labels
}

deny contains {
	"msg": sprintf("one of these labels is missing: %s", [concat(", ", input.parameters.one_of)]),
	"remedy": "add the one that fits",
} if {
	readable
	count(input.parameters.one_of) > 0
	count(labels & {lower(wanted) | some wanted in input.parameters.one_of}) == 0
}

deny contains {
	"msg": sprintf("the label '%s' forbids merging", [unwanted]),
	"remedy": sprintf("settle why it was set, then remove the label '%s'", [unwanted]),
} if {
	readable
	some unwanted in input.parameters.none_of
	lower(unwanted) in labels
}

deny contains {
	"msg": "the labels of this change are not known",
	"remedy": "judge again; if it stays so, the forge or its connection withholds them",
} if {
	not readable
}

labels := {lower(label) | some label in input.change.labels}

readable if {
	is_array(input.change.labels)
	every label in input.change.labels {
		is_string(label)
	}
	some_strings(input.parameters.all_of)
	some_strings(input.parameters.one_of)
	some_strings(input.parameters.none_of)
}

some_strings(values) if {
	is_array(values)
	every value in values {
		is_string(value)
	}
}

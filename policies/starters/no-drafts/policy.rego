# METADATA
# title: The change is no draft
# description: >-
#   A draft by the forge's own word, or by what its title begins with, where people mark a draft
#   in a way their forge does not know.
package merge.no_drafts

deny contains {
	"msg": "this change is a draft",
	"remedy": "mark it as ready for review",
} if {
	readable
	input.change.draft == true
}

deny contains {
	"msg": sprintf("the title begins with '%s'", [prefix]),
	"remedy": "take that away when the change is ready",
} if {
	readable
	some prefix in input.parameters.title_prefixes
	startswith(lower(trim_space(input.change.title)), lower(prefix))
}

deny contains {
	"msg": "it is not known whether this change is a draft",
	"remedy": "judge again; if it stays so, the forge or its connection withholds it",
} if {
	not readable
}

readable if {
	is_boolean(input.change.draft)
	is_string(input.change.title)
	is_array(input.parameters.title_prefixes)
	every prefix in input.parameters.title_prefixes {
		is_string(prefix)
	}
}

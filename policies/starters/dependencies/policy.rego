# METADATA
# title: The changes this one depends on are merged
# description: >-
#   `dependencies` are the changes the forge says have to be merged first. Lines in the
#   description that begin with one of `markers` ("Depends-On: …") count as well: nobody else can
#   tell when such a change is merged, so whoever knows removes the line.
package merge.dependencies

deny contains {
	"msg": sprintf("%s has to be merged first", [dependency]),
	"remedy": "merge it, or take the dependency away",
} if {
	readable
	some dependency in input.change.dependencies
}

deny contains {
	"msg": sprintf("the description says: %s", [line]),
	"remedy": "when that is merged, remove the line",
} if {
	readable
	some line in marked_lines
}

deny contains {
	"msg": "it is not known which changes have to be merged first",
	"remedy": "judge again; a forge that knows no dependencies needs when_unknown: ignore",
} if {
	not readable
}

marked_lines contains line if {
	some raw in split(input.change.body, "\n")
	line := trim_space(raw)
	some marker in input.parameters.markers
	startswith(lower(line), lower(marker))
}

readable if {
	dependencies_known
	is_string(input.change.body)
	is_array(input.parameters.markers)
	every marker in input.parameters.markers {
		is_string(marker)
	}
}

dependencies_known if {
	is_array(input.change.dependencies)
	every dependency in input.change.dependencies {
		is_string(dependency)
	}
}

dependencies_known if {
	is_null(input.change.dependencies)
	input.parameters.when_unknown == "ignore"
}

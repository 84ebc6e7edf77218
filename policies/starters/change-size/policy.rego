# METADATA
# title: The change is small enough to be reviewed
# description: >-
#   Counts files and added and removed lines, without those that match `ignore` (lock files,
#   generated code). From `warn_lines` on it says so, above the limits it denies.
package merge.change_size

deny contains {
	"msg": sprintf("%d lines are changed, at most %d may be", [lines, input.parameters.max_lines]),
	"remedy": "split the change",
	"location": {"path": largest},
} if {
	readable
	lines > input.parameters.max_lines
}

deny contains {
	"msg": sprintf("%d files are changed, at most %d may be", [count(counted), input.parameters.max_files]),
	"remedy": "split the change",
} if {
	readable
	count(counted) > input.parameters.max_files
}

deny contains {
	"msg": "files or numbers of changed lines are not known in full",
	"remedy": "judge again; if it stays so, the forge or its connection withholds them",
} if {
	not readable
}

warn contains {
	"msg": sprintf("%d lines are changed; reviews find less from %d lines on", [lines, input.parameters.warn_lines]),
	"remedy": "consider to split the change",
} if {
	readable
	lines >= input.parameters.warn_lines
	lines <= input.parameters.max_lines
}

lines := sum([size(file) | some file in counted])

counted := [file | some file in input.change.files; not ignored(file.path)]

# The file with the most changed lines, the first by name of several.
largest := min({file.path | some file in counted; size(file) == most})

most := max([size(file) | some file in counted])

size(file) := file.additions + file.deletions

ignored(path) if {
	some pattern in input.parameters.ignore
	glob.match(pattern, ["/"], path)
}

# `**/` also stands for no folder at all.
ignored(path) if {
	some pattern in input.parameters.ignore
	startswith(pattern, "**/")
	glob.match(substring(pattern, 3, -1), ["/"], path)
}

readable if {
	is_number(input.parameters.max_lines)
	is_number(input.parameters.max_files)
	is_number(input.parameters.warn_lines)
	is_array(input.parameters.ignore)
	every pattern in input.parameters.ignore {
		is_string(pattern)
	}
	is_array(input.change.files)
	every file in input.change.files {
		is_string(file.path)
		is_number(file.additions)
		is_number(file.deletions)
	}
}

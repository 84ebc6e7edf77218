# METADATA
# title: Some paths need the approval of the people who look after them
# description: >-
#   Every entry of `paths` that a changed file matches, by its new or its old name, needs
#   approvals by people with the entry's relation to the entry's object.
package merge.protected_paths

import data.admit

questions contains admit.question(person, entry.relation, entry.object) if {
	readable
	some number, _ in touched
	entry := input.parameters.paths[number]
	some person in approvers
}

deny contains {
	"msg": sprintf("%s: %d of %d needed approvals by %s of %s", [
		min(files),
		count(approving(entry)),
		entry.approvals,
		entry.relation,
		entry.object,
	]),
	"remedy": sprintf("ask for a review by someone who is %s of %s", [entry.relation, entry.object]),
	"who": {"relation": entry.relation, "object": entry.object},
	"location": {"path": min(files)},
} if {
	readable
	some number, files in touched
	entry := input.parameters.paths[number]
	count(approving(entry)) < entry.approvals
}

deny contains {
	"msg": sprintf("it is not known who wrote %s, so an approval could be the writer's own", [short_names(unattributed)]),
	"remedy": "add the commit's address to its writer's account on the forge, or commit again with a known address",
} if {
	readable
	count(touched) > 0
	count(unattributed) > 0
}

deny contains {
	"msg": "files, author, commits or reviews of this change are not known in full, so nobody's approval counts",
	"remedy": "judge again; if it stays so, the forge or its connection withholds these facts",
} if {
	not readable
}

approving(entry) := {person | some person in approvers; admit.related(person, entry.relation, entry.object)}

# Entry, by its place among `paths` → the files that it protects.
touched[number] := files if {
	some number, entry in input.parameters.paths
	patterns := {pattern | some written in entry.globs; some pattern in meant(written)}
	files := {file | some file in names; some pattern in patterns; glob.match(pattern, ["/"], file)}
	count(files) > 0
}

# `**/` also stands for no folder at all.
meant(pattern) := {pattern, substring(pattern, 3, -1)} if startswith(pattern, "**/")

meant(pattern) := {pattern} if not startswith(pattern, "**/")

names contains file.path if some file in input.change.files

names contains file.previous_path if {
	some file in input.change.files
	is_string(file.previous_path)
}

readable if {
	approvers_readable
	is_array(input.change.files)
	every file in input.change.files {
		is_string(file.path)
		previous_path_known(file)
	}
	is_array(input.parameters.paths)
	every entry in input.parameters.paths {
		is_array(entry.globs)
		every pattern in entry.globs {
			is_string(pattern)
		}
		is_string(entry.relation)
		is_string(entry.object)
		is_number(entry.approvals)
	}
}

# Only a renamed or copied file has an old name. A rename without it could hide one that is protected.
previous_path_known(file) if is_string(file.previous_path)

previous_path_known(file) if {
	file.previous_path == null
	file.status in {"added", "modified", "removed"}
}

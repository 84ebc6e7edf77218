# METADATA
# title: Some paths need the approval of the people who look after them
# description: >-
#   Every entry of `paths` that a changed file matches, by its new or its old name, needs
#   approvals by people with the entry's relation to the entry's object.
package merge.protected_paths

import data.admit

questions contains admit.question(person, entry.relation, entry.object) if {
	readable
	some entry in touched
	some person in approvers
}

deny contains {
	"msg": sprintf("%s: %d of %d needed approvals by %s of %s", [
		first_file(entry),
		count(approving(entry)),
		entry.approvals,
		entry.relation,
		entry.object,
	]),
	"remedy": sprintf("ask for a review by someone who is %s of %s", [entry.relation, entry.object]),
	"who": {"relation": entry.relation, "object": entry.object},
	"location": {"path": first_file(entry)},
} if {
	readable
	some entry in touched
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

touched contains entry if {
	some entry in input.parameters.paths
	some file in names
	matched(entry.globs, file)
}

first_file(entry) := min({file | some file in names; matched(entry.globs, file)})

names contains file.path if some file in input.change.files

names contains file.previous_path if {
	some file in input.change.files
	is_string(file.previous_path)
}

matched(globs, file) if {
	some pattern in globs
	glob.match(pattern, ["/"], file)
}

# `**/` also stands for no folder at all.
matched(globs, file) if {
	some pattern in globs
	startswith(pattern, "**/")
	glob.match(substring(pattern, 3, -1), ["/"], file)
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

# METADATA
# title: Title and commit messages keep to the convention
# description: >-
#   The title, which becomes the first line where changes are squashed, and the first line of
#   each commit, merges left out. An empty pattern asks for nothing.
package merge.title_convention

deny contains {
	"msg": sprintf("the title does not match %s", [input.parameters.title_pattern]),
	"remedy": sprintf("write it like: %s", [input.parameters.example]),
} if {
	readable
	not fits(input.parameters.title_pattern, input.change.title)
}

deny contains {
	"msg": sprintf("the title has %d characters, at most %d are allowed", [count(input.change.title), input.parameters.title_length]),
	"remedy": "say the rest in the description",
} if {
	readable
	count(input.change.title) > input.parameters.title_length
}

deny contains {
	"msg": sprintf("the first line of commit %s does not match %s", [substring(commit.sha, 0, 10), input.parameters.commit_pattern]),
	"remedy": sprintf("reword it like: %s", [input.parameters.example]),
} if {
	readable
	some commit in input.change.commits
	count(commit.parents) < 2
	not fits(input.parameters.commit_pattern, first_line(commit.message))
}

deny contains {
	"msg": "title or commits of this change are not known in full, or a pattern is no regular expression",
	"remedy": "mend the policy's parameters, or judge again; if it stays so, the forge or its connection withholds these facts",
} if {
	not readable
}

fits("", _)

fits(pattern, text) if {
	pattern != ""
	regex.match(pattern, text)
}

first_line(message) := trim_space(split(message, "\n")[0])

readable if {
	is_string(input.change.title)
	is_array(input.change.commits)
	every commit in input.change.commits {
		is_string(commit.sha)
		is_string(commit.message)
		is_array(commit.parents)
	}
	regex.is_valid(input.parameters.title_pattern)
	regex.is_valid(input.parameters.commit_pattern)
	is_number(input.parameters.title_length)
	is_string(input.parameters.example)
}

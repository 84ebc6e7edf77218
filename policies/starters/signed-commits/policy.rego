# METADATA
# title: Every commit is signed, and the forge has verified it
# description: >-
#   A commit of which the forge cannot say whether its signature holds is not signed.
package merge.signed_commits

deny contains {
	"msg": sprintf("commit %s has no verified signature", [substring(commit.sha, 0, 10)]),
	"remedy": "sign it with a key the forge knows, and push again",
} if {
	readable
	some commit in input.change.commits
	not verified(commit)
}

deny contains {
	"msg": "the commits of this change are not known in full",
	"remedy": "judge again; if it stays so, the forge or its connection withholds them",
} if {
	not readable
}

verified(commit) if commit.verified == true

# The newest commit has to be among them: a list that ends before it is not all there is.
readable if {
	is_string(input.change.head.sha)
	is_array(input.change.commits)
	every commit in input.change.commits {
		is_string(commit.sha)
	}
	input.change.head.sha in {commit.sha | some commit in input.change.commits}
}

# METADATA
# title: What runs by itself is changed by two people
package merge.automation

deny contains {
	"msg": "this runs by itself after the merge, and nobody but its author has looked at it",
	"remedy": "ask a colleague for a review of the newest commit",
	"location": {"path": file.path},
} if {
	some file in input.change.files
	startswith(file.path, ".github/")
	not approved
}

approved if {
	some review in input.change.reviews
	review.state == "approved"
	review.dismissed == false
	review.commit_sha == input.change.head.sha
	review.user.ref != input.change.author.ref
}

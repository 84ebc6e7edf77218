# METADATA
# title: A colleague has approved the newest commit
package merge.approval

deny contains {
	"msg": sprintf("%d of %d approvals", [count(approvers), input.parameters.minimum]),
	"remedy": "ask a colleague for a review",
} if {
	count(approvers) < input.parameters.minimum
}

approvers contains review.user.ref if {
	some review in input.change.reviews
	review.state == "approved"
	review.dismissed == false
	review.commit_sha == input.change.head.sha
	review.user.ref != input.change.author.ref
}

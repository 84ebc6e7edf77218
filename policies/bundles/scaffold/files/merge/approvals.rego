# METADATA
# title: Somebody else has to approve
# description: A change needs approvals of its current state by people who did not write it.
package merge.approvals

deny contains {
	"msg": sprintf("%d of %d approvals", [count(approvers), input.parameters.minimum]),
	"remedy": "ask somebody who did not write the change for a review",
} if {
	count(approvers) < input.parameters.minimum
}

approvers contains review.user.ref if {
	some review in input.change.reviews
	review.state == "approved"
	not review.dismissed
	review.commit_sha == input.change.head.sha
	not review.user.ref in authors
}

authors contains input.change.author.ref

authors contains commit.author.actor.ref if {
	some commit in input.change.commits
}

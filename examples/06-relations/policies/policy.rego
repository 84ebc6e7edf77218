# METADATA
# title: An owner has to approve
package merge.owner_approval

import data.admit

questions contains admit.question(review.user.ref, "owner", input.change.repository.ref) if {
	some review in input.change.reviews
}

deny contains {
	"msg": "no owner has approved",
	"remedy": "ask an owner of the repository for a review",
	"who": {"relation": "owner", "object": input.change.repository.ref},
} if not approved

approved if {
	some review in input.change.reviews
	review.state == "approved"
	review.commit_sha == input.change.head.sha
	admit.related(review.user.ref, "owner", input.change.repository.ref)
}

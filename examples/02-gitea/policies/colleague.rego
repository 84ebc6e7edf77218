# METADATA
# title: A colleague has approved the newest commit, and every conversation is resolved
package merge.colleague

deny contains {"msg": "no colleague has approved the newest commit", "remedy": "ask a colleague for a review"} if not approved

deny contains {"msg": "a conversation is not resolved", "remedy": "answer it, and mark it as resolved"} if {
	some thread in input.change.threads
	thread.resolved != true
}

deny contains {"msg": "the conversations of this change are not known", "remedy": "judge again"} if {
	not is_array(input.change.threads)
}

approved if {
	some review in input.change.reviews
	review.state == "approved"
	review.dismissed == false
	review.commit_sha == input.change.head.sha
	review.user.ref != input.change.author.ref
}

# Who counts as an approver. The same text stands in every starter that counts approvals;
# each starter is complete by itself.
#
# - The last word of a person counts: a later request for changes takes an approval away,
#   a later comment does not, and a dismissed review is no approval.
# - The approval has to be of the newest commit. The reviewer chooses which commit to approve.
# - The author, those who committed, programs and accounts that no longer exist do not count.
# - `ignore_base_merges`: commits that only merge the base in, made by the forge itself, neither
#   outdate an approval nor make their maker a committer. A conflict resolved in the forge's
#   editor looks the same and can hold anything, so this is off until switched on.
# - `ignore_commits_by`: the same for commits that these accounts wrote and committed (a
#   formatter, say; where the forge commits for it, the forge's own account has to be listed too).

package merge.code_owners

approvers contains person if {
	some person, review in last_words
	review.state == "approved"
	review.dismissed == false
	review.commit_sha in current_commits
	review.user.kind == "user"
	person != input.change.author.ref
	independent(person)
}

last_words[person] := input.change.reviews[max(places)] if some person, places in spoken

spoken[review.user.ref] contains place if {
	some place, review in input.change.reviews
	review.state != "commented"
}

independent(_) if input.parameters.ignore_committers == false

independent(person) if {
	input.parameters.ignore_committers == true
	not person in committers
}

committers contains commit.author.actor.ref if some commit in counting_commits

committers contains commit.committer.actor.ref if some commit in counting_commits

# Commits of which nobody knows who wrote and who committed them.
unattributed contains commit.sha if {
	input.parameters.ignore_committers == true
	input.parameters.allow_unknown_committers == false
	some commit in counting_commits
	not attributed(commit)
}

attributed(commit) if {
	is_string(commit.author.actor.ref)
	is_string(commit.committer.actor.ref)
}

current_commits contains input.change.head.sha

current_commits contains commit.sha if {
	some place, commit in input.change.commits
	place >= newest_counting
}

newest_counting := max({place | some place, commit in input.change.commits; commit in counting_commits})

counting_commits contains commit if {
	some commit in input.change.commits
	not merges_base(commit)
	not by_ignored_account(commit)
}

merges_base(commit) if {
	input.parameters.ignore_base_merges == true
	commit.via_web == true
	count(commit.parents) == 2
	commit.parents[0] in commit_shas
	not commit.parents[1] in commit_shas
}

by_ignored_account(commit) if {
	commit.author.actor.ref in input.parameters.ignore_commits_by
	commit.committer.actor.ref in input.parameters.ignore_commits_by
}

commit_shas contains commit.sha if some commit in input.change.commits

approvers_readable if {
	is_string(input.change.head.sha)
	is_string(input.change.author.ref)
	is_array(input.change.commits)
	count(input.change.commits) > 0
	input.change.commits[count(input.change.commits) - 1].sha == input.change.head.sha
	every commit in input.change.commits {
		is_string(commit.sha)
		is_array(commit.parents)
	}
	is_array(input.change.reviews)
	every review in input.change.reviews {
		is_string(review.user.ref)
		review.state in {"approved", "changes_requested", "commented"}
	}
	is_boolean(input.parameters.ignore_committers)
	is_boolean(input.parameters.allow_unknown_committers)
}

short_names(shas) := concat(", ", sort([substring(sha, 0, 10) | some sha in shas]))

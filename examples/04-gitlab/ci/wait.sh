#!/bin/sh
# Ask the gateway about this merge request until it is admitted, at most ADMIT_PATIENCE seconds (an hour). Whatever is not
# an admission, an error or silence too, is none.
set -u
change="$CI_MERGE_REQUEST_PROJECT_URL/-/merge_requests/$CI_MERGE_REQUEST_IID"
waited=0
while :; do
	answer=$(curl --silent --show-error --max-time 30 --request POST "$ADMIT_URL/v1/admissions" \
		--header "Authorization: Bearer $ADMIT_TOKEN" --header "Content-Type: application/json" \
		--data "{\"change\": {\"url\": \"$change\"}}")
	case "$answer" in
	'{'*'"outcome":"admitted"'*) echo "admitted: $change" && exit 0 ;;
	esac
	echo "not admitted yet: $answer"
	[ "$waited" -ge "${ADMIT_PATIENCE:-3600}" ] && exit 1
	sleep 20
	waited=$((waited + 20))
done

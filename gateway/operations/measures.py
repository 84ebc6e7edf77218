"""What this process counts of its own doing, for `/metrics`: each gateway its own, since it started; Prometheus adds them up.

How the work stands in the database all gateways share is computed when it is asked for (`gateway.api.metrics`).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

MEASURES = CollectorRegistry(auto_describe=False)

DELIVERIES = Counter("admit_deliveries", "Deliveries received and verified.", ["connection", "result"], registry=MEASURES)
DECISIONS = Counter("admit_decisions", "Decisions recorded, without those that were only confirmed.", ["outcome"], registry=MEASURES)
SUBMISSION_DECISIONS = Counter("admit_submission_decisions", "Decisions recorded on submissions.", ["outcome"], registry=MEASURES)
SUBMISSIONS_ENDED = Counter("admit_submissions_ended", "Submissions nothing more happens to by itself.", ["state"], registry=MEASURES)
BYPASSES = Counter("admit_bypasses", "Merges without an admitted decision that were noticed.", ["connection"], registry=MEASURES)
OVERRIDDEN_MERGES = Counter("admit_overridden_merges", "Merges under an override that were noticed.", ["connection"], registry=MEASURES)
STATUSES = Counter("admit_statuses_posted", "Statuses posted to forges.", ["connection", "state"], registry=MEASURES)
FORGERIES = Counter(
    "admit_statuses_forged", "Statuses of others under the gateway's name that were found.", ["connection"], registry=MEASURES
)
JUDGING = Histogram("admit_judging_seconds", "How long judging took, without gathering.", registry=MEASURES)
REQUESTS = Counter("admit_requests", "HTTP requests answered.", ["method", "route", "status"], registry=MEASURES)
REQUEST_SECONDS = Histogram("admit_request_seconds", "How long HTTP requests took.", ["route"], registry=MEASURES)

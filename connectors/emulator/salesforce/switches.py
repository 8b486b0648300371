"""What can be switched in the practice org: entries of ``space.settings``, with these defaults.

Where nobody has confirmed on a real org what Salesforce does [K], a switch lets a test have it the other way.

| name | meaning |
| --- | --- |
| token_seconds | a token dies after so long without use; use extends it once half of that has passed |
| token_format | "opaque", or "jwt": access tokens that SOAP does not take |
| token_error_status | HTTP status of a refused token request: 400, or 401 [K] |
| refresh_rotation | a used refresh token is dead, and a new one comes along |
| password_flow | OAuth's username-password flow works; it ends with Winter '27 |
| app_is_approved | the app is pre-authorised for JWT users |
| soap_login | ``login()`` works up to v64; off in orgs made since Winter '26 |
| trusted_network | a password needs no security token after it |
| run_as | login of the app's run-as user; anything else: token refused, as with none configured |
| daily_requests | allowance of 24 rolling hours; above it 403 REQUEST_LIMIT_EXCEEDED |
| daily_bulk_batches | batches of bulk jobs in 24 rolling hours; above it no job is opened |
| daily_query_jobs | query jobs in 24 rolling hours; above it LIMIT_EXCEEDED |
| cursor_days | life of a query locator |
| bin_days | how long a deleted row can be seen by queryAll and undeleted |
| bin_rows | so many deleted rows the recycle bin holds: 5,000 for each licence; the oldest leave it |
| replication_lag_seconds | how far ``latestDateCovered`` stays behind the clock, beside late commits |
| replication_ids | so many ids ``/updated`` and ``/deleted`` can tell; above it EXCEEDED_ID_LIMIT |
| assignment_rule | Leads and Cases saved without ``Sforce-Auto-Assign: FALSE`` go to their queue |
| duplicate_rule | "block" or "alert": a Contact with the e-mail of another, a Lead with that of a Lead or Contact |
| validation_rules | {object, field, op, value, message, pinned, flow}; op is "=", "!=", "blank" or "filled" |
| automations | {object, when_field, set: {field: value}}: changes other fields in the same transaction |
| locked_rows | ids that another transaction holds, and with them their children: UNABLE_TO_LOCK_ROW |
| collection_seconds | so long a collection call holds the accounts, deals and campaigns of the rows it wrote |
| open_transactions_lock | a row whose late commit is outstanding is held by its writer |
| in_approval | ids in an approval process: ENTITY_IS_LOCKED |
| collections_unreadable | "request": JSON of a wrong type or an unknown field fails the whole call; "row" [K] |
| composite_inherits_headers | sub-requests of a composite take over the outer request's Sforce headers [K] |
| composite_conditions | ``If-Unmodified-Since`` and ``If-Match`` of a sub-request hold; else they are passed over [K] |
| vanished_row | code for writing to an id that names nothing: "NOT_FOUND", or "INVALID_CROSS_REFERENCE_KEY" [K] |
| merge_collapses | a role or membership that both had becomes one when people are merged; else both stay [K] |
| one_primary_role | a new primary contact role takes the mark from the one before; else both have it [K] |
| undelete_moves_stamp | an undeleted row gets a new SystemModstamp; else it keeps that of its deletion [K] |
| multipicklist_order | several choices come back in the order of the "list", or as "sent" [K] |
| late_login_fault | code of the fault for ``login()`` in v65 and later [K] |
| bulk_delay_seconds | how long one batch of a bulk job takes; 0: done when the job is closed |
| bulk_batch_rows | rows of one batch; the vendor's number is the default |
| bulk_upload_bytes | the largest upload, counted in base64 |
| bulk_second_upload | a second PUT is refused "at close" (recorded), or "at once" [K] |
| bulk_keeps_blanks | blanks around a text that comes in a bulk job stay; else they go, as everywhere [K] |
| bulk_times | times in the results of query jobs end in "Z", or in "+0000" as everywhere else [K] |
| bulk_result_rows | rows of one page of a query job's result, when the caller does not say |
| may_hard_delete | the user holds "Bulk API Hard Delete", which nobody has by default |
| may_view_setup | the user holds "View Setup and Configuration", without which ``/limits`` is refused |
| null_checkbox | "refuse" null for a checkbox, or store "false" [K] |

A validation rule refuses when its condition holds; ``pinned: false`` leaves ``fields`` empty, ``flow`` makes it the
failure of that flow. Late commit is ``space.visible_delay_seconds``, see ``org``.
"""

from __future__ import annotations

from typing import Any

API_USER = "integration"

SWITCHES: dict[str, Any] = {
    "token_seconds": 7200,
    "token_format": "opaque",
    "token_error_status": 400,
    "refresh_rotation": False,
    "password_flow": True,
    "app_is_approved": True,
    "soap_login": True,
    "trusted_network": False,
    "run_as": API_USER,
    "daily_requests": 100_000,
    "daily_bulk_batches": 15_000,
    "daily_query_jobs": 10_000,
    "cursor_days": 2,
    "bin_days": 15,
    "bin_rows": 35_000,
    "replication_lag_seconds": 0,
    "replication_ids": 600_000,
    "assignment_rule": True,
    "duplicate_rule": None,
    "validation_rules": [],
    "automations": [],
    "locked_rows": [],
    "collection_seconds": 0,
    "open_transactions_lock": True,
    "in_approval": [],
    "collections_unreadable": "request",
    "composite_inherits_headers": False,
    "null_checkbox": "refuse",
    "composite_conditions": True,
    "vanished_row": "NOT_FOUND",
    "merge_collapses": True,
    "one_primary_role": True,
    "undelete_moves_stamp": True,
    "multipicklist_order": "list",
    "late_login_fault": "UNSUPPORTED_API_VERSION",
    "bulk_delay_seconds": 0,
    "bulk_batch_rows": 10_000,
    "bulk_upload_bytes": 150_000_000,
    "bulk_second_upload": "at close",
    "bulk_keeps_blanks": False,
    "bulk_times": "Z",
    "bulk_result_rows": 50_000,
    "may_hard_delete": False,
    "may_view_setup": True,
}

"""Behaviour switches, kept in ``space.settings``: what nobody has shown HubSpot to do, or what accounts differ in.

Each is a choice of ours with a default, turned through the admin side's ``/settings``; where two answers are possible
the default is the harder one for the client. ``[U]`` marks what nobody could show.

=========================== ============ ======================================================================
switch                      default      meaning
=========================== ============ ======================================================================
search_rate_limit           None         5 searches a second for the account; None: only on a real clock, as a
                                         virtual one never lets the second pass
rolling_rate_limit          None         190 calls in 10 s for each app, the same way
rolling_limit, search_limit 190, 5       the figures (Professional tier)
oauth_rolling_limit         110          the same for an OAuth app
refresh_rotation            False        a used refresh token is dead, and a new one comes along [U]
daily_limit                 625000       calls until midnight in the account's time zone
identical_write             "touches"    a PATCH of an identical value moves the modified stamp; "ignored": not;
                                         "recorded": it is a new line of the value's history, too [U]
null_clears                 False        JSON null leaves a property alone; only "" clears it [U]
cleared_reads_as            None         a cleared property reads null; "" makes it read as empty text [U]
archive_again               204          status of archiving an archived record; 404 is the other guess [U]
archived_email_conflicts    False        whether an archived contact keeps its e-mail from new ones [U]
unique_conflict             400          duplicate value of a property with unique values; 409 is the other guess [U]
email_upsert_is_whole       True         a batch upsert by e-mail is all or nothing even with trace ids [U]
domain_strips               True         a company domain loses scheme, ``www.`` and path [U]; it is lower-cased anyway
contact_needs_identity      False        a contact needs one of e-mail, first and last name
owner_must_be_active        True         an archived owner cannot be assigned [U]
first_company_is_primary    True         the first company of a contact, deal or ticket becomes its primary one [U]
association_page            500          records of one record in a page of a batch read of associations [U]
inline_associations         100          records of one type that a record lists inside itself; the rest is paged [U]
associating_bumps           True         both ends of a new or removed association count as modified, by the system [U]
merge_keeps_oldest_date     True         a merged record is as old as the older of both [U]
archive_follows_merge       True         DELETE of a merged-away id archives the survivor [U]
negative_needs_value        True         NEQ, NOT_IN, NOT_CONTAINS_TOKEN do not match a record without a value [U]
clearing_keeps_stage_dates  True         clearing the lifecycle stage leaves the dates of its stages [U]
v3_resubscribes             False        v3 ``subscribe`` works for somebody who unsubscribed [U]
shuffled_results            True         batch results come in another order than the inputs
default_lifecyclestage      "lead"       stage of a contact or company that is created without one; None: none
deal_created_stage          None         stage that contacts and companies of a new deal move up to
deal_won_stage              None         the same for a deal that is won
company_stage_to_contacts   False        a company's stage moves its contacts up
properties_in_use           {}           {object type: [names]} that forms or workflows use: cannot be archived
required_properties         {}           {object type: [names]} that a POST of version 2026-09 must fill
export_seconds              None         how long an export takes; None: 2 s on a real clock, none on a virtual one
conditional_required        {}           {object type: [{when, is, needs}]}: version 2026-09 wants ``needs`` filled when
                                         property ``when`` has the value ``is``
=========================== ============ ======================================================================

Index lag is ``visible_delay_seconds``: 3 s on a real clock, none on a virtual one, which would stand still before it.

Fixed choices: duplicate ids are refused in batch update and upsert only (a batch read gives each record once);
associations in a search filter are those of this moment, whatever the index lag; a gdpr-delete of an unknown address
is noted and creates are not refused because of it.
"""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "search_rate_limit": None,
    "rolling_rate_limit": None,
    "rolling_limit": 190,
    "search_limit": 5,
    "oauth_rolling_limit": 110,
    "refresh_rotation": False,
    "daily_limit": 625_000,
    "identical_write": "touches",
    "null_clears": False,
    "cleared_reads_as": None,
    "archive_again": 204,
    "archived_email_conflicts": False,
    "unique_conflict": 400,
    "email_upsert_is_whole": True,
    "domain_strips": True,
    "contact_needs_identity": False,
    "owner_must_be_active": True,
    "first_company_is_primary": True,
    "association_page": 500,
    "inline_associations": 100,
    "associating_bumps": True,
    "merge_keeps_oldest_date": True,
    "archive_follows_merge": True,
    "negative_needs_value": True,
    "clearing_keeps_stage_dates": True,
    "v3_resubscribes": False,
    "shuffled_results": True,
    "default_lifecyclestage": "lead",
    "deal_created_stage": None,
    "deal_won_stage": None,
    "company_stage_to_contacts": False,
    "properties_in_use": {},
    "required_properties": {},
    "conditional_required": {},
    "export_seconds": None,
}

INDEX_LAG_SECONDS = 3.0
"""On a real clock, until ``visible_delay_seconds`` is set."""

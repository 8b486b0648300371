"""Who a token belongs to: ``/services/oauth2/userinfo`` and the identity address a token answer names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.emulator.salesforce import sessions
from connectors.emulator.salesforce.calls import Answer
from connectors.emulator.salesforce.org import Org

PATH = re.compile(r"/id/(\w{15,18})/(\w{15,18})")
BAD_TOKEN = Answer(403, headers={"Content-Type": "text/plain;charset=UTF-8"}, text="Bad_OAuth_Token")


def user_info(org: Org, headers: Mapping[str, str]) -> Answer:
    """A bad token is answered in plain text here [K]."""
    _, _, token = headers.get("authorization", "").partition(" ")
    user_id = sessions.user_behind(org, token)
    return BAD_TOKEN if user_id is None else Answer(200, _openid(org, user_id))


def identity(org: Org, headers: Mapping[str, str], query: Mapping[str, str], org_id: str, user_id: str) -> Answer:
    """The token may stand in the query, as jsforce sends it."""
    _, _, token = headers.get("authorization", "").partition(" ")
    asking = sessions.user_behind(org, query.get("oauth_token") or token)
    if asking is None or asking[:15] != user_id[:15] or org.space.settings["org_id"][:15] != org_id[:15]:
        return BAD_TOKEN
    user = org.space.table("User")[asking].values
    document = {
        "id": org.identity_address(asking),
        "asserted_user": True,
        "user_id": asking,
        "organization_id": org.space.settings["org_id"],
        "username": user["Username"],
        "nick_name": user["Alias"],
        "display_name": org.user_name(asking),
        "email": user["Email"],
        "first_name": user["FirstName"],
        "last_name": user["LastName"],
        "timezone": user["TimeZoneSidKey"],
        "active": bool(user["IsActive"]),
        "user_type": user["UserType"].upper(),
        "language": user["LanguageLocaleKey"],
        "locale": "en_US",
        "urls": _urls(org),
    }
    return Answer(200, document)


def _openid(org: Org, user_id: str) -> dict[str, Any]:
    user = org.space.table("User")[user_id].values
    org_id = org.space.settings["org_id"]
    return {
        "sub": org.identity_address(user_id),
        "user_id": user_id,
        "organization_id": org_id,
        "preferred_username": user["Username"],
        "nickname": user["Alias"],
        "name": org.user_name(user_id),
        "email": user["Email"],
        "email_verified": True,
        "given_name": user["FirstName"],
        "family_name": user["LastName"],
        "zoneinfo": user["TimeZoneSidKey"],
        "active": bool(user["IsActive"]),
        "user_type": user["UserType"].upper(),
        "language": user["LanguageLocaleKey"],
        "locale": "en_US",
        "urls": _urls(org),
    }


def _urls(org: Org) -> dict[str, str]:
    host = f"https://{org.space.settings['domain']}.salesforce.com"
    data = f"{host}/services/data/v{{version}}"
    return {
        "partner": f"{host}/services/Soap/u/{{version}}/{org.space.settings['org_id'][:15]}",
        "rest": f"{data}/",
        "sobjects": f"{data}/sobjects/",
        "query": f"{data}/query/",
        "search": f"{data}/search/",
    }

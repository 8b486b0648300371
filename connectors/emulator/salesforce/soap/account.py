"""SOAP calls about the session: login with a password, logout, who am I, what time is it."""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce import granting, passwords, sessions
from connectors.emulator.salesforce.calls import Call
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import text
from connectors.emulator.salesforce.soap.envelope import Fault, Request

LAST_VERSION_WITH_LOGIN = 64


def login(call: Call, request: Request) -> dict[str, Any]:
    """Raises Fault: no longer there in this version, switched off, or a wrong password."""
    org = call.org
    if int(call.version.partition(".")[0]) > LAST_VERSION_WITH_LOGIN:
        raise Fault(str(org.setting("late_login_fault")), text("no soap login here"), "LoginFault")
    if not org.setting("soap_login"):
        raise Fault("INVALID_OPERATION", text("soap login is off"), "LoginFault")
    username, password = request.body.value("username") or "", request.body.value("password") or ""
    user_id, problem = granting.user_with_password(org, username, password)
    if user_id is None:
        raise Fault(problem, text(problem), "LoginFault")
    token = sessions.opened(org, user_id)
    server = f"https://{org.space.settings['domain']}.salesforce.com/services/Soap"
    place = f"{call.version}/{org.space.settings['org_id'][:15]}"
    return {
        "metadataServerUrl": f"{server}/m/{place}",
        "passwordExpired": False,
        "sandbox": False,
        "serverUrl": f"{server}/u/{place}",
        "sessionId": token,
        "userId": user_id,
        "userInfo": _user_info(org, user_id),
    }


def logout(call: Call, request: Request) -> None:
    sessions.closed(call.org, request.block("SessionHeader").value("sessionId") or "")


def server_timestamp(call: Call, request: Request) -> dict[str, Any]:
    return {"timestamp": f"{call.org.now.isoformat()[:19]}.000Z"}


def user_info(call: Call, request: Request) -> dict[str, Any]:
    return _user_info(call.org, call.user_id)


def set_password(call: Call, request: Request) -> dict[str, Any]:
    """Raises Refusal: nobody, or too short."""
    user = passwords.user_of(call, request.body.value("userId") or "")
    passwords.renew(call, user, request.body.value("password"))
    return {}


def reset_password(call: Call, request: Request) -> dict[str, Any]:
    return {"password": passwords.made_up(call, passwords.user_of(call, request.body.value("userId") or ""))}


def _user_info(org: Org, user_id: str) -> dict[str, Any]:
    user = org.space.table("User")[user_id].values
    organization = org.space.table("Organization")[org.space.settings["org_id"]].values
    return {
        "accessibilityMode": False,
        "chatterExternal": False,
        "currencySymbol": "$",
        "orgAttachmentFileSizeLimit": 26_214_400,
        "orgDefaultCurrencyIsoCode": "USD",
        "orgDefaultCurrencyLocale": "en_US",
        "orgDisallowHtmlAttachments": False,
        "orgHasPersonAccounts": False,
        "organizationId": org.space.settings["org_id"],
        "organizationMultiCurrency": False,
        "organizationName": organization["Name"],
        "profileId": user.get("ProfileId") or sessions.PROFILE_ID,
        "roleId": user.get("UserRoleId"),
        "sessionSecondsValid": int(org.setting("token_seconds")),
        "userDefaultCurrencyIsoCode": None,
        "userEmail": user["Email"],
        "userFullName": org.user_name(user_id),
        "userId": user_id,
        "userLanguage": user["LanguageLocaleKey"],
        "userLocale": "en_US",
        "userName": user["Username"],
        "userTimeZone": user["TimeZoneSidKey"],
        "userType": user["UserType"],
        "userUiSkin": "Theme3",
    }

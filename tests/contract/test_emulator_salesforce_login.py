"""The ways into the emulator's Salesforce: JWT, refresh token, password, SOAP; and who one is then."""

from __future__ import annotations

from functools import cache
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from practice_org import Org, session_to
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from connectors.emulator.practice import Options
from connectors.emulator.salesforce.provisioning import PASSWORD, REFRESH_TOKEN, SECURITY_TOKEN, USERNAMES
from connectors.emulator.salesforce.switches import API_USER
from connectors.emulator.serve import Emulator

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


@pytest.fixture
def now(emulator: Emulator) -> Emulator:
    """On the real clock: the library dates its assertions by it."""
    emulator.renew(Options(clock="real"))
    return emulator


@cache
def keys(whose: str = "the app") -> tuple[str, str]:
    """(private, public) in PEM, made for this run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def login(emulator: Emulator) -> dict[str, str]:
    return {
        **emulator.credentials["salesforce"],
        "username": f"{API_USER}@{USERNAMES}",
        "password": PASSWORD,
        "security_token": SECURITY_TOKEN,
        "refresh_token": REFRESH_TOKEN,
    }


def by_jwt(emulator: Emulator, **changed: Any) -> Any:
    known = login(emulator)
    options = {"username": known["username"], "consumer_key": known["client_id"], "privatekey": keys()[0], **changed}
    return Salesforce(session=session_to(emulator), **options)


def by_soap(emulator: Emulator, version: str = "59.0", **changed: Any) -> Any:
    known = login(emulator)
    options = {"username": known["username"], "password": known["password"], "security_token": known["security_token"]}
    return Salesforce(session=session_to(emulator), version=version, **{**options, **changed})


def trust(org: Org) -> None:
    org.switch("certificates", {login(org.emulator)["client_id"]: keys()[1]})


def refused(call: Any, *args: Any, **options: Any) -> tuple[str, str]:
    with pytest.raises(SalesforceAuthenticationFailed) as told:
        call(*args, **options)
    return told.value.code, told.value.auth_message


def ask(emulator: Emulator, **form: str) -> requests.Response:
    known = login(emulator)
    body = {"client_id": known["client_id"], "client_secret": known["client_secret"], **form}
    return session_to(emulator).post("https://login.salesforce.com/services/oauth2/token", data=body)


# OAuth ----------------------------------------------------------------------------------------------------------------


def test_a_signed_assertion_opens_a_session_for_its_user(now: Emulator) -> None:
    """1: RS256, and the library's exp is a text"""
    trust(Org(now))
    sf = by_jwt(now)
    assert sf.query("SELECT Id FROM Lead")["totalSize"] == 0
    me = sf.oauth2("userinfo")
    assert me["preferred_username"] == login(now)["username"]


def test_an_assertion_that_does_not_hold_is_refused(now: Emulator) -> None:
    """1"""
    org = Org(now)
    assert refused(by_jwt, now) == ("invalid_grant", "invalid assertion")
    trust(org)
    assert refused(by_jwt, now, consumer_key="nobody") == ("invalid_client_id", "client identifier invalid")
    with pytest.warns(UserWarning, match="authorize"):
        told = refused(by_jwt, now, username="stranger@example.com")
    assert told == ("invalid_grant", "user hasn't approved this consumer")
    org.switch("app_is_approved", False)
    with pytest.warns(UserWarning, match="authorize"):
        assert refused(by_jwt, now)[0] == "invalid_grant"
    org.switch("app_is_approved", True)
    org.advance(600)
    assert refused(by_jwt, now) == ("invalid_grant", "assertion is expired")


def test_only_the_app_s_own_key_with_rs256_signs_an_assertion(now: Emulator) -> None:
    """1: verified, not only read"""
    trust(Org(now))
    invalid = ("invalid_grant", "invalid assertion")
    assert refused(by_jwt, now, privatekey=keys("another app")[0]) == invalid
    known = login(now)
    claims = {"iss": known["client_id"], "sub": known["username"], "aud": "https://login.salesforce.com",
              "exp": now.world.clock.now().timestamp() + 180}  # fmt: skip
    for method, accepted in (("RS256", True), ("RS512", False)):
        assertion = jwt.encode(claims, keys()[0], algorithm=method)
        answer = ask(now, grant_type=JWT_BEARER, assertion=assertion)
        assert (answer.status_code == 200) is accepted, answer.text


def test_an_assertion_for_another_audience_is_refused(now: Emulator) -> None:
    """1"""
    trust(Org(now))
    assert refused(by_jwt, now, domain="elsewhere", instance_url="practice.my") == (
        "invalid_grant",
        "audience is invalid",
    )


def test_a_refresh_token_opens_session_after_session(org: Org, emulator: Emulator) -> None:
    """1"""
    form = {"grant_type": "refresh_token", "refresh_token": login(emulator)["refresh_token"]}
    first, second = ask(emulator, **form).json(), ask(emulator, **form).json()
    assert first["access_token"] != second["access_token"]
    assert {"id", "issued_at", "instance_url", "signature", "access_token"} <= set(first)
    assert "refresh_token" not in first
    assert org.raw("GET", "limits", token=second["access_token"]).status_code == 200


def test_with_rotation_a_refresh_token_works_once(org: Org, emulator: Emulator) -> None:
    """1"""
    org.switch("refresh_rotation", True)
    form = {"grant_type": "refresh_token", "refresh_token": login(emulator)["refresh_token"]}
    fresh = ask(emulator, **form).json()["refresh_token"]
    old = ask(emulator, **form)
    assert old.status_code == 400
    assert old.json() == {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    assert ask(emulator, grant_type="refresh_token", refresh_token=fresh).status_code == 200


def test_the_password_flow_works_until_it_is_switched_off(org: Org, emulator: Emulator) -> None:
    """1"""
    known = login(emulator)

    def by_password(password: str) -> Any:
        return Salesforce(
            username=known["username"],
            password=password,
            consumer_key=known["client_id"],
            consumer_secret=known["client_secret"],
            session=session_to(emulator),
        )

    whole = known["password"] + known["security_token"]
    assert by_password(whole).query("SELECT Id FROM Lead")["done"]
    assert refused(by_password, known["password"]) == ("invalid_grant", "authentication failure")
    org.switch("password_flow", False)
    assert refused(by_password, whole) == ("invalid_grant", "authentication failure")


def test_the_status_of_a_refused_token_is_a_switch(org: Org, emulator: Emulator) -> None:
    """1: 400 or 401 [K]"""
    org.switch("token_error_status", 401)
    assert ask(emulator, grant_type="refresh_token", refresh_token="wrong").status_code == 401


# SOAP -----------------------------------------------------------------------------------------------------------------


def test_the_library_logs_in_over_soap_up_to_version_64(emulator: Emulator) -> None:
    """3"""
    for version in ("31.0", "59.0", "64.0"):
        assert by_soap(emulator, version).sf_instance == "practice.my.salesforce.com"
    assert by_soap(emulator).query("SELECT Id FROM Lead")["totalSize"] == 0
    for version in ("65.0", "67.0"):
        assert refused(by_soap, emulator, version)[0] == "UNSUPPORTED_API_VERSION"
    Org(emulator).switch("late_login_fault", "INVALID_OPERATION")
    assert refused(by_soap, emulator, "65.0")[0] == "INVALID_OPERATION"


def test_a_wrong_password_over_soap_is_a_fault_the_library_understands(org: Org, emulator: Emulator) -> None:
    """3"""
    code, message = refused(by_soap, emulator, password="wrong")
    assert (code, message) == ("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
    assert refused(by_soap, emulator, username="stranger@example.com")[0] == "INVALID_LOGIN"
    assert refused(by_soap, emulator, security_token="")[0] == "LOGIN_MUST_USE_SECURITY_TOKEN"
    org.switch("trusted_network", True)
    assert by_soap(emulator, security_token="").session_id
    organization = org.setting("org_id")
    assert by_soap(emulator, security_token=None, organizationId=organization).session_id


def test_a_new_password_opens_and_brings_another_security_token(org: Org, emulator: Emulator) -> None:
    """3: the library's set_password"""
    user = org.setting("users")["integration"]
    org.sf.set_password(user, "another-password")
    assert refused(by_soap, emulator)[0] == "INVALID_LOGIN"
    org.switch("trusted_network", True)
    assert by_soap(emulator, password="another-password", security_token="").session_id
    assert org.sf.restful(f"sobjects/User/{user}/password") == {"isExpired": False}
    made = org.sf.restful(f"sobjects/User/{user}/password", method="DELETE")["NewPassword"]
    assert by_soap(emulator, password=made, security_token="").session_id
    short = org.raw("POST", f"sobjects/User/{user}/password", json={"NewPassword": "short"})
    assert (short.status_code, short.json()[0]["errorCode"]) == (400, "INVALID_NEW_PASSWORD")


def test_an_org_may_have_soap_login_off(org: Org, emulator: Emulator) -> None:
    """3"""
    org.switch("soap_login", False)
    assert refused(by_soap, emulator)[0] == "INVALID_OPERATION"


def test_a_user_who_left_cannot_log_in(org: Org, emulator: Emulator) -> None:
    """3"""
    org.person("users", deactivate=org.setting("users")["integration"])
    assert refused(by_soap, emulator)[0] == "INVALID_LOGIN"


# Who am I -------------------------------------------------------------------------------------------------------------


def test_the_identity_address_of_a_token_tells_org_and_user(org: Org, emulator: Emulator) -> None:
    """2"""
    form = {"grant_type": "refresh_token", "refresh_token": login(emulator)["refresh_token"]}
    granted = ask(emulator, **form).json()
    path = granted["id"].removeprefix("https://login.salesforce.com")
    me = org.raw("GET", path, token=granted["access_token"]).json()
    assert (me["organization_id"], me["user_id"]) == (org.setting("org_id"), org.setting("users")["integration"])
    assert me["username"] == login(emulator)["username"]
    assert org.sf.oauth2("userinfo")["sub"] == org.raw("GET", path).json()["id"]
    stranger = org.raw("GET", path, token="wrong")
    assert (stranger.status_code, stranger.text) == (403, "Bad_OAuth_Token")
    assert org.raw("GET", "/services/oauth2/userinfo", token="wrong").text == "Bad_OAuth_Token"

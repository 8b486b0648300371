"""What Salesforce is to the rest of Truce: its words, its settings, how to connect. Imports no client library."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from agent.connector import Connector
from agent.declaration import Declaration, LoginSettings, LoopbackOrHttps, Names, Opening, SecretReference
from agent.systems import StageField, System
from connectors.salesforce.rights import retiring, rights

CALLS_USED_UP = (
    "find the tool that uses up the calls (Setup > System Overview > API Usage) and slow it down; each call comes back "
    "24 hours after it was made"
)

JOBS_USED_UP = (
    "find the tool that uses them up (Setup > Bulk Data Load Jobs) and slow it down; each comes back 24 hours after it "
    "was used, and until then Truce loads and writes by more calls"
)

SALESFORCE = System(
    key="salesforce",
    name="Salesforce",
    converted_flag="IsConverted",
    required={
        "Lead": ("LastName", "Company"),
        "Contact": ("LastName",),
        "Account": ("Name",),
        "Opportunity": ("Name", "StageName", "CloseDate"),
        "OpportunityContactRole": ("OpportunityId", "ContactId"),
    },
    stage_fields={"lead_status": StageField("Lead", "Status")},
    owner_key="salesforce_user",
    owner_help="the user name or id in Salesforce",
    owner_note="A Salesforce user name is not an e-mail.",
    link_key_steps=(
        "Setup > Object Manager > {object} > Fields & Relationships > New: Text, length 80, API name {field}",
        "tick Unique (not case-sensitive) and External ID; let Truce's user read and edit it",
        "in config.yaml under salesforce: link_keys: {{{object}: {field}}}",
    ),
    link_key_fields=("Truce_Key__c", "Truce_Key_2__c"),
    sample_types="[Contact, Lead]",
    sample_email="Email",
    short_id=15,  # 18 characters hold a checksum behind
)


class SalesforceSettings(LoginSettings):
    """The Salesforce connection."""

    needs: ClassVar[dict[str, tuple[str, ...]]] = {
        "client_credentials": ("client_id", "client_secret"),
        "jwt": ("client_id", "username", "private_key"),
        "refresh_token": ("client_id", "client_secret", "refresh_token"),
    }
    domain: str = Field(
        description="My Domain without the ending, such as acme.my for acme.my.salesforce.com.",
        examples=["acme.my"],
    )
    login: Literal["client_credentials", "jwt", "refresh_token"] = Field(
        "client_credentials",
        description="How Truce logs in: the app's id and secret, a private key (jwt) or a refresh token.",
    )
    client_id: SecretReference = Field(
        description="Consumer key of the external client app, as keyring:NAME, env:NAME, file:PATH or systemd:NAME.",
        examples=["keyring:salesforce-client-id"],
    )
    client_secret: SecretReference | None = Field(
        None,
        description="Consumer secret, written the same way. Not needed for jwt.",
        examples=["keyring:salesforce-client-secret"],
    )
    username: str | None = Field(
        None, description="Only for jwt: the integration user's login.", examples=["integration@acme.example"]
    )
    private_key: SecretReference | None = Field(
        None,
        description="Only for jwt: the key (PEM, no password) whose certificate the app holds.",
        examples=["file:secrets/salesforce-private-key"],
    )
    refresh_token: SecretReference | None = Field(
        None,
        description="Only for refresh_token. Where the app replaces it with every use, keep it in keyring: or file:.",
        examples=["keyring:salesforce-refresh-token"],
    )
    api_version: str = Field("65.0", description="Salesforce API version.", pattern=r"^\d{2}\.0$")
    base_url: LoopbackOrHttps | None = Field(
        None,
        description="Only for the emulator: where requests really go. Leave out for a real account.",
        examples=["http://127.0.0.1:8001"],
    )
    link_keys: dict[str, str] = Field(
        default_factory=dict,
        description="External id field per object, so that a create whose reply got lost is never repeated.",
        examples=[{"Contact": "Truce_Key__c", "Lead": "Truce_Key__c", "Account": "Truce_Key__c"}],
    )
    bulk_above: int = Field(
        2000,
        ge=1,
        description="More writes of one kind than this go as a job of the Bulk API: fewer calls, a longer wait.",
    )


def _connect(opening: Opening[SalesforceSettings]) -> Connector:
    from connectors.salesforce.connector import Salesforce

    settings = opening.settings
    return Salesforce(
        domain=settings.domain,
        username=settings.username or "",
        **opening.secrets,
        base_url=settings.base_url,
        api_version=settings.api_version,
        link_keys=settings.link_keys,
        bulk_above=settings.bulk_above,
        clock=time.monotonic,
    )


def _names(settings: SalesforceSettings) -> Names:
    key = settings.link_keys.get("Contact", "")
    return Names("Contact", "Email", "FirstName", "LastName", "Title", key, "Account", "Name")


def _questions() -> Sequence[Any]:
    from connectors.salesforce.questions import OPEN

    return OPEN


CONNECTOR = Declaration(
    SALESFORCE,
    SalesforceSettings,
    _connect,
    _names,
    _questions,
    rights=rights,
    retiring=lambda settings: retiring(settings.api_version),
    calls_step=CALLS_USED_UP,
    allowances_step=JOBS_USED_UP,
    status_page="https://status.salesforce.com",
)

"""What HubSpot is to the rest of Truce: its words, its settings, how to connect. Imports no client library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from agent.connector import Connector
from agent.declaration import Declaration, LoginSettings, LoopbackOrHttps, Names, Opening, SecretReference
from agent.systems import NativeMapping, NativeObject, StageField, System
from connectors.hubspot.rights import retiring, rights
from connectors.hubspot.vendor import clears_before_moving_back

CALLS_USED_UP = (
    "find the tool that uses up the calls (Settings > Integrations > Connected Apps) and slow it down; they are "
    "counted anew from midnight in the account's time zone"
)

NATIVE_IDS = {
    "contacts": {"salesforcecontactid": "Contact", "salesforceleadid": "Lead"},
    "companies": {"salesforceaccountid": "Account"},
}
"""Where HubSpot's own connector for Salesforce keeps the ids it knows."""

_STAGES = "stages belong into a policy of kind lifecycle, which says who may move where"
NATIVE = NativeMapping(
    name="HubSpot's own Salesforce integration",
    other="salesforce",
    objects={
        "contact": NativeObject(
            "person",
            {"salesforce": "[Contact, Lead]", "hubspot": "contacts"},
            ("email", "Email", "email", "email"),
            ("contacts", "lead", "leads", "person"),
        ),
        "company": NativeObject(
            "company",
            {"salesforce": "Account", "hubspot": "companies"},
            ("domain", "Website", "domain", "domain"),
            ("companies", "account", "accounts"),
        ),
        "deal": NativeObject(
            "deal",
            {"salesforce": "Opportunity", "hubspot": "deals"},
            None,
            ("deals", "opportunity", "opportunities"),
        ),
    },
    consent="hs_email_optout",
    owner="hubspot_owner_id",
    elsewhere={
        "lifecyclestage": _STAGES,
        "dealstage": _STAGES,
        "pipeline": "the pipeline goes with the stages, into a policy of kind lifecycle",
    },
)
"""What its field mapping amounts to here; knowledge.hubspot.com, "Map HubSpot properties to Salesforce fields"."""

HUBSPOT = System(
    key="hubspot",
    name="HubSpot",
    text_only=True,
    required={
        "contacts": ("email",),
        "companies": ("name",),
        "deals": ("dealname", "dealstage"),
        "deal_contacts": ("deal", "contact"),
    },
    stored_ids=NATIVE_IDS,
    clears_first=clears_before_moving_back(),
    stage_fields={"hubspot": StageField(None, "lifecyclestage")},
    owner_key="hubspot_owner",
    owner_help="the owner's e-mail or id in HubSpot",
    link_key_steps=(
        "Settings > Properties > {object} > Create property: single-line text, internal name {field}",
        "under Rules tick Require unique values (it cannot be added later)",
        "in config.yaml under hubspot: link_keys: {{{object}: {field}}}",
    ),
    link_key_fields=("truce_key", "truce_key_2"),
    native=NATIVE,
    opt_in_step="open the contact in HubSpot and resubscribe it there, with its legal basis; no program may",
    sample_types="contacts",
)


class HubSpotSettings(LoginSettings):
    """The HubSpot connection."""

    needs: ClassVar[dict[str, tuple[str, ...]]] = {
        "key": ("token",),
        "refresh_token": ("client_id", "client_secret", "refresh_token"),
    }
    login: Literal["key", "refresh_token"] = Field(
        "key", description="How Truce logs in: a service key, or an OAuth app's refresh token."
    )
    token: SecretReference | None = Field(
        None,
        description="Service key (or a private app's token), as keyring:NAME, env:NAME, file:PATH or systemd:NAME.",
        examples=["keyring:hubspot-token"],
    )
    client_id: SecretReference | None = Field(
        None,
        description="Only for refresh_token: the OAuth app's client id, written the same way.",
        examples=["keyring:hubspot-client-id"],
    )
    client_secret: SecretReference | None = Field(
        None, description="Only for refresh_token: the app's client secret.", examples=["keyring:hubspot-client-secret"]
    )
    refresh_token: SecretReference | None = Field(
        None,
        description="Only for refresh_token. Where the app replaces it with every use, keep it in keyring: or file:.",
        examples=["keyring:hubspot-refresh-token"],
    )
    api_version: Literal["v3", "2026-03", "2026-09"] = Field("v3", description="HubSpot API version.")
    base_url: LoopbackOrHttps | None = Field(
        None,
        description="Only for the emulator: where requests really go. Leave out for a real account.",
        examples=["http://127.0.0.1:8001"],
    )
    link_keys: dict[str, str] = Field(
        default_factory=dict,
        description="Unique property per object, so that a create whose reply got lost is never repeated.",
        examples=[{"contacts": "truce_key", "companies": "truce_key"}],
    )
    stored_ids: dict[str, dict[str, str]] = Field(
        default_factory=lambda: {object_type: dict(names) for object_type, names in NATIVE_IDS.items()},
        description="Properties holding a Salesforce id (HubSpot's native connector writes them), and of which object.",
    )


def _connect(opening: Opening[HubSpotSettings]) -> Connector:
    from connectors.hubspot.connector import HubSpot

    settings = opening.settings
    return HubSpot(
        **opening.secrets,
        base_url=settings.base_url or "https://api.hubapi.com",
        api_version=settings.api_version,
        link_keys=settings.link_keys,
        stored_ids=settings.stored_ids,
    )


def _names(settings: HubSpotSettings) -> Names:
    key = settings.link_keys.get("contacts", "")
    return Names("contacts", "email", "firstname", "lastname", "jobtitle", key, "companies", "name")


def _questions() -> Sequence[Any]:
    from connectors.hubspot.questions import OPEN

    return OPEN


CONNECTOR = Declaration(
    HUBSPOT,
    HubSpotSettings,
    _connect,
    _names,
    _questions,
    rights=rights,
    retiring=lambda settings: retiring(settings.api_version),
    calls_step=CALLS_USED_UP,
    status_page="https://status.hubspot.com",
)

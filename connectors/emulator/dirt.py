"""How real CRM data goes wrong: spellings, formats and slips. Pure functions of a value and a random source."""

from __future__ import annotations

from random import Random

from connectors.emulator.seed_truth import Company, Phone, load_data

HARD_SPACE = "\u00a0"
FORMATS_AT_HOME = (
    "+{d}{n}",
    "({0}) {1}-{2}",
    "{0}-{1}-{2}",
    "{0}.{1}.{2}",
    "{0} {1} {2}",
    "1-{0}-{1}-{2}",
    "+1 ({0}) {1}-{2}",
    "{0}{1}{2}",
    "+1.{0}.{1}.{2}",
    "011 1 {0} {1} {2}",
)
"""Ten ways to write a North American number; no. 10 is what somebody abroad would dial."""
FORMATS_ABROAD = (
    "+{d}{n}",
    "+{d} {g}",
    "00{d} {g}",
    "+{d} (0){g}",
    "+{d}-{dashed}",
    "+{d}.{dotted}",
    "011 {d} {g}",
    "+{d} {first} / {rest}",
    "+{d}({first}){rest}",
    "00{d}{n}",
)


def written(phone: Phone, form: int) -> str:
    """The number in one of ten formats; 0 is the plain international one."""
    parts = phone.groups.split()
    if phone.dial == "1":
        area, exchange, line = parts
        return FORMATS_AT_HOME[form].format(area, exchange, line, d="1", n=area + exchange + line)
    return FORMATS_ABROAD[form].format(
        d=phone.dial,
        n="".join(parts),
        g=" ".join(parts),
        dashed="-".join(parts),
        dotted=".".join(parts),
        first=parts[0],
        rest=" ".join(parts[1:]),
    )


def other_format(rng: Random, phone: Phone) -> str:
    return written(phone, rng.randrange(1, len(FORMATS_AT_HOME)))


def typo(rng: Random, word: str) -> str:
    """Two neighbouring letters swapped, one doubled or one lost; never the first, never the same word."""
    if len(word) < 4:
        return word + word[-1]
    place = rng.randrange(1, len(word) - 1)
    swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if rng.random() < 0.5 and swapped != word:
        return swapped
    return rng.choice((word[:place] + word[place] + word[place:], word[:place] + word[place + 1 :]))


def other_case(rng: Random, word: str) -> str:
    return rng.choice((word.upper(), word.lower()))


def nickname(rng: Random, first: str) -> str | None:
    known = load_data("names")["nicknames"].get(first)
    return rng.choice(known) if known else None


def hard_space(word: str) -> str:
    """A trailing no-break space, which vendors do not trim."""
    return word + HARD_SPACE


def plus_tag(rng: Random, email: str) -> str:
    local, _, domain = email.partition("@")
    return f"{local}+{rng.choice(('web', 'events', 'demo'))}@{domain}"


def other_title(rng: Random, title: int) -> str:
    titles = load_data("titles")["titles"]
    return str(titles[(title + rng.randrange(1, len(titles))) % len(titles)][0])


def title_spelling(rng: Random, title: int) -> str:
    return str(rng.choice(load_data("titles")["titles"][title][1:]))


def website(rng: Random, company: Company) -> str | None:
    """One of the forms in which people type the same site."""
    if company.domain is None:
        return None
    shown = company.domain.capitalize()
    return rng.choice(
        (
            f"https://www.{company.domain}/",
            f"http://{company.domain}",
            f"www.{company.domain}",
            shown,
            f"https://{company.domain}/en/home",
            f"HTTP://WWW.{company.domain.upper()}",
        )
    )


def company_spelling(rng: Random, company: Company) -> str:
    """The same company with its legal form spelled differently or left out."""
    forms = load_data("companies")["spelled"].get(company.suffix, ())
    form = rng.choice(("", *forms))
    return f"{company.name}{form if form.startswith(',') else ' ' + form}".strip()

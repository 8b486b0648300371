"""Questions as people read them: whom each is about, by name."""

from __future__ import annotations

import re

from agent.installation import Installation
from agent.reviews.reviews import Review


def in_names(installation: Installation, review: Review) -> str:
    """The question with a name before every record: the inbox keeps references alone, so that names can be erased."""
    said = review.sentence
    copies = [copy for ref in sorted(review.refs) if (copy := installation.mirror.last_copy(ref)) is not None]
    for copy in copies:
        name = installation.display_name(copy)
        if name != str(copy.ref) and f"({copy.ref})" not in said:
            said = re.sub(rf"{re.escape(str(copy.ref))}\b", lambda found, name=name: f"{name} ({found[0]})", said)  # type: ignore[misc]
    is_named = any(str(ref) in said for ref in review.refs)
    return said if is_named or not copies else f"{installation.display_name(copies[-1])}: {said}"

"""Keepers who sign in at an OpenID Connect provider: who they are, and until when. Knows nothing about Streamlit."""

import os
from collections.abc import Mapping
from typing import Literal

SIGNED_IN_SECONDS = 12 * 3600.0
"""After so long the provider is asked again; Streamlit itself would remember somebody for a month."""

ASKING = ("everybody", "keepers")
"""Who may ask, by `$DOBAE_ASKING`; the first unless it says otherwise."""

Standing = Literal["out", "expired", "unverified", "stranger", "keeper"]


def keepers() -> frozenset[str]:
    """Returns the e-mail addresses of `$DOBAE_KEEPERS`, parted by commas or spaces; none: a passphrase is asked."""
    return frozenset(os.environ.get("DOBAE_KEEPERS", "").replace(",", " ").casefold().split())


def asking_is_open() -> bool:
    """Returns whether those who have not entered may ask."""
    return os.environ.get("DOBAE_ASKING", ASKING[0]) == ASKING[0]


def standing(user: Mapping[str, object], now: float) -> Standing:
    """Returns what somebody may do.

    Args:
        user: Claims of the identity token, as `st.user` holds them.
        now: Seconds since 1970.
    """
    if user.get("is_logged_in") is not True:
        return "out"
    issued = user.get("iat")
    if not isinstance(issued, int | float) or now - issued > SIGNED_IN_SECONDS:
        return "expired"
    if user.get("email_verified") not in (True, "true"):  # Some providers let anybody claim any address.
        return "unverified"
    return "keeper" if str(user.get("email", "")).casefold() in keepers() else "stranger"


def name_of(user: Mapping[str, object]) -> str:
    """Returns the name for the history, which visitors see: never the whole address."""
    name = " ".join(str(user.get("name") or "").split())
    return name[:60] or str(user.get("email", "")).partition("@")[0][:60]

"""Addresses are shown without secrets, and otherwise as they are."""

from __future__ import annotations

import pytest

from brainmark.core.text import hide_secrets


@pytest.mark.parametrize(
    "address",
    [
        "https://osf.io/download/abc12/?view=1&version=2", "http://localhost:8080/a@b", "https://host/name@2x.png",
        "file:///tmp/a@b:c", "https://github.com/a/b@main", "me@lab.org", "a=b", "x ? y=1 : z",
    ],
)  # fmt: skip
def test_addresses_without_secrets_are_shown_as_they_are(address):
    assert hide_secrets(address) == address

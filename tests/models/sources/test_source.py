"""How published files are reached."""

from __future__ import annotations

import warnings

import pytest


@pytest.fixture(autouse=True)
def quiet():
    """What the tests want to hear they ask for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*layers chosen by their depth")
        yield


def _no_address(*_):
    raise OSError("Name or service not known")


def test_the_hub_is_asked_where_it_can_be_reached(monkeypatch):
    from brainmark.models.sources import source as sources

    monkeypatch.setattr("socket.getaddrinfo", lambda *_: [])
    with sources.hub():
        import huggingface_hub.constants as constants

        assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr("socket.getaddrinfo", _no_address)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with sources.hub():
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://proxy.example.org"})
    with sources.hub():
        assert not constants.HF_HUB_OFFLINE

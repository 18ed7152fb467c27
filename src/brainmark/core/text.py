"""Text that others wrote (names, reasons, cards, addresses) as it may leave the program: one function for each target.

A name of a model, a message of a library or an address can hold anything: sequences that command a terminal, formulas
that a spreadsheet computes, tags that a browser obeys, passwords.
"""

from __future__ import annotations

import re

_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, marks that turn the direction of a text, and halves of characters; not tab and line feed."""
_MARKDOWN = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " ", "\t": " "} | {sign: f"\\{sign}" for sign in "\\|`*[]"}
)
_USER = re.compile(
    r"""([A-Za-z][A-Za-z0-9+.-]*://)
        (?: [^/?\#\s]*@                              # user and password before the host
          | [^/\s:@]*:(?!\d+(?:[/?\#\s]|$))[^\s]*@   # a password that holds a slash, and is no port
        )""",
    re.VERBOSE,
)
_SECRET = re.compile(
    r"""([?&;\#][\w.~%+-]*(?:token|key|sig|secret|pass|pwd|auth|cred|session|jwt|code)[\w.~%+-]*=)[^&;\#\s'"<>)\]]+
      | ([?&;][\w.~%+-]+=)[\w.~%+/=-]{20,}           # too long for a setting""",
    re.VERBOSE | re.IGNORECASE,
)
HIDDEN = "***"


def hide_secrets(text: str) -> str:
    """Return a text in which addresses have neither user, password nor secrets in their queries; each is "***"."""
    if "://" in text:
        text = _USER.sub(rf"\1{HIDDEN}@", text)
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", text) if "=" in text else text


def show_url(url: str) -> str:
    """Return an address as it may be shown; also one that lacks its scheme, as ``password@host``, and is no path."""
    shown = hide_secrets(url)
    return shown if "://" in shown else re.sub(r"^(?![/.~\\]|[A-Za-z]:[/\\])\S*@", f"{HIDDEN}@", shown)


def name_commands(text: str) -> str:
    r"""Return a text for a terminal or a page: what would command it is spelt out, such as ``\x1b`` for escape."""
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escape_markdown(text: str) -> str:
    """Return a text for Markdown, in one line: its signs and tags are shown and do nothing."""
    return name_commands(text).translate(_MARKDOWN)


def escape_csv(text: str) -> str:
    """Return a text for a cell of a table of comma-separated values: a spreadsheet computes nothing from it.

    What begins like a formula gets an apostrophe before it, which spreadsheets take for "this is text".
    """
    text = name_commands(text)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text

"""Hints in messages, KEY=VALUE in backticks, as the options of a command that takes no KEY=VALUE words."""

from __future__ import annotations

import re

# Commands that take no KEY=VALUE words, and the keys for which they have options instead.
WITHOUT_WORDS = {"predict": ("skip_broken", "bit_depth", "shape", "encoding")}
HINT = re.compile(r"`([a-z_]+)=((?:[^`]|\\`)+)`")


def with_options(message: str, command: str) -> str:
    """The message with its hints as this command takes them: `--skip-broken` where there are no KEY=VALUE words.

    >>> with_options("a.jpg is broken; `skip_broken=true` goes on without it", "predict")
    'a.jpg is broken; `--skip-broken` goes on without it'
    """
    if command not in WITHOUT_WORDS:
        return message

    def option(hint: re.Match[str]) -> str:
        flag = "--" + hint[1].replace("_", "-")
        return f"`{flag}`" if hint[2] == "true" else f"`{flag} {hint[2]}`"

    return HINT.sub(lambda hint: option(hint) if hint[1] in WITHOUT_WORDS[command] else hint[0], message)

"""Times as people write them in filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

WRITTEN = re.compile(
    r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?P<seconds>:\d\d(?P<fraction>\.\d{1,6})?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)


def span(text: str) -> tuple[datetime, datetime] | None:
    """The time from and before which a text is meant, in UTC: a day, a minute, a second or less; None for no time.

    Without a zone it is UTC.

    >>> start, end = span("2026-01-31")
    >>> start.isoformat(), end - start
    ('2026-01-31T00:00:00+00:00', datetime.timedelta(days=1))
    >>> span("soon")
    """
    match = WRITTEN.fullmatch(text.strip())
    if match is None:
        return None
    length = timedelta(microseconds=1)
    if not match["fraction"]:
        length = timedelta(seconds=1) if match["seconds"] else timedelta(minutes=1)
    if len(match[0]) == len("2026-01-31"):
        length = timedelta(days=1)
    try:
        start = datetime.fromisoformat(match[0])
        start = start.astimezone(UTC) if start.tzinfo else start.replace(tzinfo=UTC)
        return start, start + length
    except (ValueError, OverflowError):
        return None

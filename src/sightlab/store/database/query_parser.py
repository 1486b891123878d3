"""Filters from their text: tokens, then recursive descent. The grammar is in `filters`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from sightlab.errors import RunError
from sightlab.store.database.query_fields import Field, field_named
from sightlab.store.database.query_filters import Among, Both, Compare, Condition, Either, Like, Missing, Not, Value
from sightlab.store.database.time_words import span

LONGEST = 10_000  # characters
MOST_VALUES = 500  # SQLite takes expressions up to 1,000 deep
DEEPEST = 15  # SQLite's parser keeps at most 100 open symbols, and each of these may take four
LONGEST_NUMBER = 100
KEYWORDS = ("and", "or", "not", "like", "in", "is", "null", "true", "false")
OPERATORS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?%?(?![\w.]))
      | (?P<name>[A-Za-z_][\w.]*)
      | (?P<operator>[=!<>]=|<>|[=<>])
      | (?P<mark>[(),])
    )""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True)
class Token:
    """A word of a filter. kind: text, number, name, keyword, operator, mark or end. position: in the text, from 1."""

    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else self.text


def parse(text: str) -> Condition:
    """The filter that a text means. Raises RunError, one line that names the place.

    >>> parse("not test_accuracy > 90%")
    Not(part=Compare(field='test_accuracy', operator='>', value=0.9))
    """
    if len(text) > LONGEST:
        raise RunError(f"--where: {len(text):,} characters; {LONGEST:,} are the most it takes")
    return Parser(tokens_of(text)).whole()


def wrong(position: int, message: str) -> RunError:
    """What is wrong at a place."""
    return RunError(f"--where: position {position}: {message}")


def tokens_of(text: str) -> list[Token]:
    """The words of a filter, an end last. Raises RunError."""
    found: list[Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            if text[start] in "'\"":
                raise wrong(start + 1, f"a text without its closing {text[start]}")
            shown = text[start : start + 20].split()[0]
            raise wrong(start + 1, f"cannot read {shown!r}; texts stand in quotes")
        kind, word = match.lastgroup or "", match.group(match.lastgroup or 0)
        if kind == "name" and word.lower() in KEYWORDS:
            kind, word = "keyword", word.lower()
        found.append(Token(kind, word, match.start(kind if kind != "keyword" else "name") + 1))
        place = match.end()
    return [*found, Token("end", "", len(text) + 1)]


@dataclass
class Parser:
    """Reads tokens from the left to the right; one method a rule of the grammar."""

    tokens: list[Token]
    place: int = 0
    depth: int = 0
    values: int = 0
    fields: dict[str, Field] = field(default_factory=dict)

    @property
    def next(self) -> Token:
        """The token that is read next."""
        return self.tokens[self.place]

    def take(self) -> Token:
        """Read a token. The end is never passed."""
        token = self.next
        self.place += token.kind != "end"
        return token

    def takes(self, *words: str) -> bool:
        """Read these keywords or marks, if they come next."""
        coming = self.tokens[self.place : self.place + len(words)]
        same = [token.text for token in coming if token.kind in ("keyword", "mark")] == list(words)
        self.place += len(words) * same
        return same

    def needs(self, mark: str, why: str) -> None:
        """Read a mark that has to come next."""
        if not self.takes(mark):
            raise wrong(self.next.position, f"expected {mark} {why}, found {self.next}")

    def whole(self) -> Condition:
        """The filter, and nothing after it."""
        condition = self.filter()
        if self.next.kind != "end":
            raise wrong(self.next.position, f"expected `and`, `or` or the end, found {self.next}")
        return condition

    def filter(self) -> Condition:
        """Parts with `or` between them."""
        parts = self.joined("or", self.both)
        return parts[0] if len(parts) == 1 else Either(parts)

    def both(self) -> Condition:
        """Parts with `and` between them."""
        parts = self.joined("and", self.part)
        return parts[0] if len(parts) == 1 else Both(parts)

    def joined(self, word: str, rule: Callable[[], Condition]) -> tuple[Condition, ...]:
        """One or more of what a rule reads, separated by the word."""
        parts = [rule()]
        while self.takes(word):
            parts.append(rule())
        return tuple(parts)

    def part(self) -> Condition:
        """A comparison, the contrary of a part, or a filter in parentheses."""
        start = self.next
        self.depth += 1
        if self.depth > DEEPEST:
            raise wrong(start.position, f"more than {DEEPEST} parentheses and `not` within one another")
        condition: Condition
        if self.takes("not"):
            condition = Not(self.part())
        elif self.takes("("):
            condition = self.filter()
            self.needs(")", f"for the ( at position {start.position}")
        else:
            condition = self.comparison()
        self.depth -= 1
        return condition

    def comparison(self) -> Condition:
        """A field and what it is compared with."""
        token = self.take()
        if token.kind != "name":
            raise wrong(token.position, f"expected a field such as model or test_accuracy, found {token}")
        subject = self.field(token)
        if self.next.kind == "operator":
            sign = self.take()
            return self.checked(subject, sign, Compare(token.text, OPERATORS[sign.text], self.value(subject)))
        if self.takes("is", "not", "null"):
            return Not(Missing(token.text))
        if self.takes("is", "null"):
            return Missing(token.text)
        negated = self.takes("not")
        held: Condition | None = None
        if self.takes("like"):
            held = Like(token.text, self.pattern(subject))
        elif self.takes("in"):
            held = Among(token.text, self.list_of_values(subject))
        if held is None:
            raise wrong(self.next.position, f"expected = != < <= > >= like, in or is after {token}, found {self.next}")
        return Not(held) if negated else held

    def field(self, token: Token) -> Field:
        """The field of a name."""
        if token.text not in self.fields:
            try:
                self.fields[token.text] = field_named(token.text)
            except RunError as error:
                raise wrong(token.position, str(error)) from error
        return self.fields[token.text]

    def checked(self, subject: Field, sign: Token, comparison: Compare) -> Compare:
        """The comparison, if it has a meaning."""
        ordered = comparison.operator not in ("=", "!=")
        if ordered and isinstance(comparison.value, bool):
            raise wrong(sign.position, f"{subject.name} is true or false; = and != compare it, {sign} does not")
        return comparison

    def list_of_values(self, subject: Field) -> tuple[Value, ...]:
        """Values in parentheses."""
        self.needs("(", "after `in`")
        values = [self.value(subject)]
        while self.takes(","):
            values.append(self.value(subject))
        self.needs(")", "after the values")
        return tuple(values)

    def pattern(self, subject: Field) -> str:
        """A text to compare a text with."""
        token = self.next
        value = self.value(subject)
        if subject.kind not in ("text", "any") or not isinstance(value, str):
            raise wrong(token.position, f"`like` compares texts with patterns in quotes; {subject.name} like {token}")
        return value

    def value(self, subject: Field) -> Value:
        """A value of a kind that the field can be compared with."""
        token = self.take()
        self.values += 1
        if self.values > MOST_VALUES:
            raise wrong(token.position, f"more than {MOST_VALUES} values")
        value = literal(token, subject)
        fits = {
            "text": isinstance(value, str),
            "number": isinstance(value, int | float) and not isinstance(value, bool),
            "truth": isinstance(value, bool),
            "time": isinstance(value, str) and span(value) is not None,
            "any": True,
            "list": False,
        }
        if not fits[subject.kind]:
            raise wrong(token.position, f"{subject.name} {EXPECTED[subject.kind]}, found {token}")
        return value


EXPECTED = {
    "text": "is a text; write it in quotes, as in 'resnet18'",
    "number": "is a number, without quotes",
    "truth": "is true or false, without quotes",
    "time": "is a time in quotes, such as '2026-01-31' or '2026-01-31 18:00' (UTC)",
    "list": "holds several values, which only `is null` and `is not null` ask for",
}


def literal(token: Token, subject: Field) -> Value:
    """The value of a token. Raises RunError."""
    if token.kind == "text":
        return text_of(token)
    if token.kind == "number":
        return number_of(token)
    if token.text in ("true", "false"):
        return token.text == "true"
    if token.text == "null":
        raise wrong(token.position, f"nothing equals null; write `{subject.name} is null`")
    hint = f"; texts are quoted: '{token}'" if token.kind == "name" else ""
    raise wrong(token.position, f"expected a value to compare {subject.name} with, found {token}{hint}")


def text_of(token: Token) -> str:
    """The text in the quotes. Raises RunError for characters that no database takes as text."""
    quote = token.text[0]
    text = token.text[1:-1].replace(quote * 2, quote)
    if "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)):
        raise wrong(token.position, "a text with a character that is none")
    return text


def number_of(token: Token) -> int | float:
    """The number; 90% is 0.9. Integers of more than 64 bits become floats. Raises RunError."""
    digits = token.text.removesuffix("%")
    if len(digits) > LONGEST_NUMBER:
        raise wrong(token.position, f"{token.text[:20]}... is too long for a number")
    if re.fullmatch(r"[+-]?[0-9]+", token.text) and -(2**63) <= int(digits) < 2**63:
        return int(digits)
    value = float(Decimal(digits) / (100 if token.text.endswith("%") else 1))
    if not abs(value) < float("inf"):
        raise wrong(token.position, f"{token.text} is too large for a number")
    return value

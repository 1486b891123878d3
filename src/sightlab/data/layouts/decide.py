"""Layout detection: the one claim that fits a source, else a refusal that names the options to choose by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions
from sightlab.data.messages import counted, shortened
from sightlab.errors import DataError, suggestion


@dataclass(frozen=True, eq=False)
class Decision:
    """What is decided of a source. chosen: the claim it is read by; refusal: the line that says why it is not.

    claims: all that was claimed, the chosen one among them.
    """

    chosen: Claim | None
    claims: tuple[Claim, ...]
    refusal: str = ""

    def claim(self) -> Claim:
        """The chosen claim. Raises DataError with the refusal."""
        if self.chosen is None:
            raise DataError(self.refusal)
        return self.chosen


def decide(inventory: Inventory, options: ReadOptions, layouts: Sequence[Layout]) -> Decision:
    """The claim to read a source by, or why none is. Raises DataError for options that do not fit the source."""
    if options.layout is not None:
        return by_choice(inventory, options, layouts)
    claims, errors = claimed(inventory, options, layouts)
    good = without_covered([c for c in claims if not c.refusal and not c.doubts])
    if len(good) == 1 and not (worry := overlooked(good[0], claims)):
        return Decision(good[0], claims)
    if len(good) == 1:
        return Decision(None, claims, worry)
    if len(good) > 1:
        return Decision(None, claims, two_readings(inventory, good))
    if errors:
        raise errors[-1]  # of the most special layout: the table's known forms come last
    return Decision(None, claims, nothing_good(inventory, claims))


def claimed(
    inventory: Inventory, options: ReadOptions, layouts: Sequence[Layout]
) -> tuple[tuple[Claim, ...], list[DataError]]:
    """What each layout claims, and the errors of those for which the user's words cannot be meant."""
    claims, errors = [], []
    for layout in layouts:
        try:
            claim = layout.matches(inventory, options)
        except DataError as error:
            errors.append(error)
            continue
        if claim is not None:
            claims.append(claim)
    return tuple(claims), errors


def by_choice(inventory: Inventory, options: ReadOptions, layouts: Sequence[Layout]) -> Decision:
    """The claim of the layout that the user names; doubts do not count against it. Raises DataError."""
    named = {layout.name: layout for layout in layouts}
    if options.layout not in named:
        raise DataError(f"unknown layout {options.layout!r}; {suggestion(str(options.layout), named)}")
    claim = named[options.layout].matches(inventory, options)
    if claim is None:
        fitting = [n for n, layout in named.items() if layout.matches(inventory, replace(options, layout=None))]
        others = f"; `layout={fitting[0]}` would" if fitting else ""
        raise DataError(
            f"{inventory.label}: does not look like {options.layout} ({named[options.layout].title}){others}"
        )
    return Decision(None, (claim,), claim.refusal) if claim.refusal else Decision(claim, (claim,))


def without_covered(claims: Sequence[Claim]) -> list[Claim]:
    """The claims that no other one makes needless."""
    kept: list[Claim] = []
    for claim in sorted(claims, key=lambda c: (-c.strength, -(c.count or 0))):
        if not any(covers(other, claim) for other in kept):
            kept.append(claim)
    return kept


def covers(one: Claim, other: Claim) -> bool:
    """Whether a claim, at least as strong, is of a known form, or says all that another says of the same pictures.

    Files of pictures, tables, arrays and shards in one source are different pictures: neither covers the other.
    """
    if one.strength > other.strength and one.strength >= KNOWN:
        return True
    if one.pairs is None or other.pairs is None:
        return False
    says_as_much = len(one.split_and_class) >= len(other.split_and_class) and len(one.splits) >= len(other.splits)
    return says_as_much and agree(one, other)


def agree(one: Claim, other: Claim) -> bool:
    """Whether two claims put the pictures they share into the same classes, whatever they call them, and do not
    contradict each other about splits.

    Two claims that share few pictures do not agree.
    """
    mine, others = one.split_and_class, other.split_and_class
    shared = mine.keys() & others.keys()
    if 2 * len(shared) < min(len(mine), len(others)):
        return False
    return all(
        one_to_one([(mine[name][place], others[name][place]) for name in shared], loose=place == 0) for place in (0, 1)
    )


def one_to_one(pairs: Sequence[tuple[str, str]], *, loose: bool) -> bool:
    """Whether each text of either side goes with one of the other; loose: or one side says the same of all."""
    first, second = {a for a, _ in pairs}, {b for _, b in pairs}
    if loose and min(len(first), len(second)) == 1:
        return True
    return len(set(pairs)) == len(first) == len(second)


def overlooked(claim: Claim, claims: Sequence[Claim]) -> str:
    """The line on what speaks as loudly as this good claim and says otherwise, or cannot be read; "" for nothing.

    That is a doubtful claim that puts these pictures into other classes, or a list of them that is refused.
    """
    for other in sorted(claims, key=lambda c: -c.strength):
        if other.refusal and other.strength > claim.strength and claim.pairs is not None:
            return with_way_out(other.refusal, claim)
        if other is claim or not other.doubts or other.strength < claim.strength or other.pairs is None:
            continue
        if (
            claim.pairs is not None
            and not agree(claim, other)
            and len(other.split_and_class) >= len(claim.split_and_class)
        ):
            return with_way_out(other.doubts[0], claim)
    return ""


def with_way_out(line: str, claim: Claim) -> str:
    """A line that refuses a source, and the words that read it by this claim all the same, where there is room."""
    longer = f"{line}; or `layout={claim.layout}` reads {described(claim)}"
    return longer if len(longer) <= 300 and f"layout={claim.layout}" not in line else line


def two_readings(inventory: Inventory, good: Sequence[Claim]) -> str:
    """The line that names the two best readings and the words that choose between them."""
    one, two = good[:2]
    return (
        f"{shortened(inventory.label, 120)}: can be read in two ways: {described(one)} (`layout={one.layout}`), or "
        f"{described(two)} (`layout={two.layout}`); say which"
    )


def described(claim: Claim) -> str:
    """A claim in a few words: `24 pictures of 2 classes by column dx of meta.csv`."""
    count = claim.count
    pictures = "pictures" if count is None else f"{count:,} {'picture' if count == 1 else 'pictures'}"
    classes = f" of {len(claim.classes):,} classes" if claim.classes else ""
    return f"{pictures}{classes} by {claim.labels}"


def nothing_good(inventory: Inventory, claims: Sequence[Claim]) -> str:
    """The line for a source that no layout reads without doubt: the strongest refusal or doubt, else what was seen."""
    for claim in sorted(claims, key=lambda c: (-c.strength, bool(c.doubts))):
        if claim.refusal:
            return claim.refusal
        if claim.doubts:
            return claim.doubts[0]
    return f"{inventory.label}: {seen(inventory.kinds, inventory)}"


def seen(kinds: Mapping[str, Sequence[str]], inventory: Inventory) -> str:
    """What lies in a source that nothing reads, and what would be read."""
    if not any(kinds.values()):
        return "holds no files; a data set is class folders as in cat/1.png, pictures with a list, arrays or a table"
    if inventory.pictures:
        held = counted(inventory.pictures, "picture", "pictures")
        return (
            f"holds {held} and nothing that says their classes; use class folders, as in cat/1.png, a list of "
            "`file,label` lines, or say where the names hold them: `label_from='{label}_{number}.jpg'`"
        )
    held = ", ".join(f"{len(names):,} {kind} {'file' if len(names) == 1 else 'files'}" for kind, names in kinds.items())
    return (
        f"holds no labelled pictures ({held}); pictures lie in class folders, as in cat/1.png, or beside a list of "
        "`file,label` lines"
    )

"""The fast CSV parser: whole blocks of plain numbers parsed by vectorised byte arithmetic.

It takes what most files are, unquoted numbers of 0 to 255 in lines of equal length (other columns may hold words, or
one column all pixels), and gives None for everything else: `csv_exact.py` then reads the file row by row, exactly, and
finds the mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.csv_fields import Table, take_words
from sightlab.machine import cores

BLOCK_BYTES = 1 << 19  # a block and its work arrays stay near the second-level cache
SPARE_BYTES = 1 << 16  # a block ends at a line's end, so it may be longer than BLOCK_BYTES
MOST_THREADS = 4  # more would wait for each other at the interpreter's lock
PAD = 8  # line ends before a block, so that its first number has something before it
NEWLINE = 10
HALF = 127

Labels = NDArray[np.uint8] | list[str]
Rows = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class Fast:
    """What the fast road has read. pixels: uint8 [N, P]. pieces: for each block, the cells of each used field, in the
    order of `used`. highest: the highest pixel, or one over 127: only of darker tables is it asked how dark they are.
    """

    pixels: NDArray[np.uint8]
    pieces: list[list[Labels]]
    highest: int


class Work:
    """One thread's arrays: the block after PAD line ends, and what is computed from it, byte by byte."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.block = np.full(PAD + size, NEWLINE, np.uint8)
        self.digits, self.keep, self.tens, self.value = (np.zeros(PAD + size, np.uint8) for _ in range(4))
        self.apart, self.flags = (np.zeros(PAD + size, np.bool_) for _ in range(2))
        self.fields = np.empty(PAD + size, np.uint8)

    def put(self, text: bytes) -> int:
        """Take this text as the block; gives its length."""
        self.block[PAD : PAD + len(text)] = np.frombuffer(text, np.uint8)
        return len(text)


Task = Callable[[Work, BinaryIO, int], bool]


def read_table(table: Table, rows: Rows) -> Fast | None:
    """The pixels and the other cells; None when the file is not of the plain kind.

    rows: gives the array for so many pictures, uint8 [N, P].
    """
    end = end_of_rows(table)
    if end is None or end <= table.start:
        return None
    size = max(BLOCK_BYTES, 16 * table.span)
    starts: list[int] = [*range(table.start, end, size), end]
    blocks = len(starts) - 1
    cuts, counts = [*starts], [0] * blocks

    def count(work: Work, stream: BinaryIO, block: int) -> bool:
        """Finds the first line that begins in a block, and how many end in it."""
        length = starts[block + 1] - starts[block]
        stream.seek(starts[block])
        whole = read_into(stream, work.block[:length].data) == length
        ends = np.equal(work.block[:length], NEWLINE, out=work.flags[:length])
        counts[block] = int(np.count_nonzero(ends))
        if block:
            cuts[block] = starts[block] + int(ends.argmax()) + 1 if counts[block] else end
        return whole

    if not in_threads(table, size, blocks, count):
        return None
    # a row belongs to the block it begins in, though its end is counted in the next one
    firsts = [0, *(int(n) + 1 for n in np.cumsum(counts))]
    if firsts[-1] * table.pixels * 2 > end - table.start + 1:
        return None  # a number has a digit and a byte that ends it: some are missing
    pixels = rows(firsts[-1])
    pieces: list[list[Labels]] = [[] for _ in range(blocks)]
    highest = [0] * blocks

    def parse(work: Work, stream: BinaryIO, block: int) -> bool:
        """Reads the rows that begin in a block."""
        if cuts[block] == cuts[block + 1]:
            return True
        length = fill(work, stream, cuts[block], cuts[block + 1], table.crlf)
        mine = pixels[firsts[block] : firsts[block + 1]]
        piece = parse_block(work, length, table, mine) if length else None
        if piece is None:
            return False
        pieces[block] = piece
        highest[block] = 0 if max(highest) > HALF else int(mine.max())
        return True

    return Fast(pixels, pieces, max(highest)) if in_threads(table, size, blocks, parse) else None


def in_threads(table: Table, size: int, blocks: int, task: Task) -> bool:
    """Do the task for every block on the processors this process may use; False as soon as it refuses one."""
    todo = iter(range(blocks))
    refused: list[int] = []

    def worker() -> None:
        work = Work(size + 8 * table.span + SPARE_BYTES)
        with table.reopen() as stream:
            for block in todo:
                if refused:
                    return
                if not task(work, stream, block):
                    refused.append(block)

    threads = min(cores(), MOST_THREADS, blocks)
    if threads == 1:
        worker()
    else:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(worker) for _ in range(threads)]:
                done.result()
    return not refused


def end_of_rows(table: Table) -> int | None:
    """Where the last row ends, without its line end and the blank lines after it; None where no row is seen."""
    begin = max(table.start, table.size - SPARE_BYTES)
    with table.reopen() as stream:
        stream.seek(begin)
        tail = stream.read(table.size - begin).rstrip(b"\r\n")
    return begin + len(tail) if tail else None


def fill(work: Work, stream: BinaryIO, start: int, end: int, crlf: bool) -> int | None:
    """Take whole lines of the file as the block, each ended by one line feed; gives the length, None if unfit."""
    length = end - start
    if not 0 < length < work.size:
        return None
    stream.seek(start)
    if read_into(stream, work.block[PAD : PAD + length].data) != length:
        return None
    if work.block[PAD + length - 1] != NEWLINE:
        work.block[PAD + length] = NEWLINE
        length += 1
    if crlf:
        return work.put(work.block[PAD : PAD + length].tobytes().replace(b"\r\n", b"\n"))
    return length


def read_into(stream: BinaryIO, view: memoryview) -> int:
    """Fill a buffer from the file; gives how many bytes there were."""
    return int(stream.readinto(view))  # type: ignore[attr-defined]


def parse_block(work: Work, length: int, table: Table, pixels: NDArray[np.uint8]) -> list[Labels] | None:
    """Write the block's pixels, uint8 [n, P]; gives the cells of its used fields, or None when it is not plain."""
    if not table.inner and not table.verbatim:
        fields = parse_numbers(work, length, table.columns, table.delimiter)
        if fields is not None and len(fields) == len(pixels):
            copy_pixels(fields, table.words, pixels)
            return [fields[:, column].copy() for column in table.used]
    if not table.inner and not table.words:
        return None
    text = work.block[PAD : PAD + length].tobytes()
    found = take_words(text.split(b"\n")[:-1], table)
    if found is None or len(found[1]) != len(pixels):
        return None
    cells, lines = found
    fields = parse_numbers(work, work.put(b"\n".join([*lines, b""])), table.pixels, table.inner or table.delimiter)
    if fields is None:
        return None
    pixels[:] = fields
    return list(cells)


def copy_pixels(fields: NDArray[np.uint8], words: tuple[int, ...], pixels: NDArray[np.uint8]) -> None:
    """Copy the fields that are pixels: what lies between those that are none."""
    place = 0
    for start, stop in zip((0, *(n + 1 for n in words)), (*words, fields.shape[1]), strict=True):
        pixels[:, place : place + stop - start] = fields[:, start:stop]
        place += stop - start


def parse_numbers(work: Work, length: int, columns: int, delimiter: str) -> NDArray[np.uint8] | None:
    """The block's numbers, uint8 [n, columns], valid until the next block; None if it holds anything else.

    Every byte gets the value of the number that ends with it, modulo 256, and the values that stand before a
    separator are picked. In this order the checks prove that the block is n lines of columns numbers up to 255.
    """
    stop = PAD + length
    block, digits, keep, tens = work.block[:stop], work.digits[:stop], work.keep[:stop], work.tens[:stop]
    value, apart, flags = work.value[:stop], work.apart[:stop], work.flags[:stop]
    np.bitwise_xor(block, ord("0"), out=digits)  # 0 to 9 for a digit, more for every other byte
    np.greater(digits, 9, out=apart)
    ends = np.flatnonzero(apart[PAD:])
    rows, over = divmod(len(ends), columns)
    delimiters = np.count_nonzero(np.equal(block[PAD:], ord(delimiter), out=flags[PAD:]))
    if over or delimiters != rows * (columns - 1) or (block[PAD:][ends[columns - 1 :: columns]] != NEWLINE).any():
        return None  # not n lines of as many fields, divided by nothing but delimiters
    if apart[PAD] or np.logical_and(apart[PAD:-1], apart[PAD + 1 :], out=flags[PAD + 1 :]).any():
        return None  # an empty field
    np.subtract(apart.view(np.uint8), 1, out=keep)  # 255 on digits, 0 elsewhere
    np.bitwise_and(digits, keep, out=digits)
    np.multiply(digits, 10, out=tens)
    np.add(digits[1:], tens[:-1], out=value[1:])
    np.bitwise_and(value, keep, out=value)  # the last two digits' value
    np.multiply(value, 10, out=tens)
    np.add(digits[1:], tens[:-1], out=value[1:])
    np.bitwise_and(value, keep, out=value)  # the last three digits' value
    if np.less(value, digits, out=flags).any():
        return None  # 25x with x over 5: the sum came out past 255
    if np.bitwise_and(value[:-1], keep[1:], out=tens[1:])[PAD - 1 :].max() > 25:
        return None  # a digit follows more than 25
    fields = work.fields[: rows * columns]
    np.take(value[PAD - 1 :], ends, out=fields, mode="wrap")  # no index is out; this mode is the fastest
    return fields.reshape(rows, columns)

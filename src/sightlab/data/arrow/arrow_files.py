"""Reader of one Parquet or Arrow file: its schema, its row count, and batches of some of its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from sightlab.data.containers.base import DataFile
from sightlab.data.messages import shortened
from sightlab.data.pictures.magic import HEAD_BYTES, kind_of_head, remedy_of
from sightlab.errors import DataError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 64
BUFFER_BYTES = 1 << 20
PARQUET_FILE = b"PAR1"
ARROW_FILE = b"ARROW1"  # the format with a footer; without it, a stream


@dataclass(frozen=True, eq=False)
class Table:
    """A Parquet or Arrow file, open.

    rows: how many it has. read: these columns of all rows. stream: these columns, some rows at a time.
    """

    file: DataFile
    schema: pa.Schema
    rows: int
    read: Callable[[Sequence[str]], pa.Table]
    stream: Callable[[Sequence[str], int], Iterator[pa.RecordBatch]]

    def batches(self, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """These columns, at most so many rows in memory at a time. Raises DataError."""
        with whole(self.file):
            stream = self.stream(columns, rows)
        while True:
            with whole(self.file):
                batch = next(stream, None)
                if batch is not None:
                    batch.validate(full=True)  # damaged lengths would lead out of the memory
            if batch is None:
                return
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)

    def column(self, name: str) -> pa.ChunkedArray:
        """All values of a column. Raises DataError."""
        with whole(self.file):
            values = self.read([name]).column(0)
            values.validate(full=True)
            return values


@contextmanager
def whole(file: DataFile) -> Iterator[None]:
    """Turns what goes wrong in reading into a DataError that names the file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        reason = one_line(getattr(error, "strerror", None) or error)[:120] or type(error).__name__
        kind = "Arrow" if is_arrow_name(file.name) else "Parquet"
        raise DataError(f"{file}: not a whole {kind} file: {reason}; fetch or write it again") from error


def is_arrow_name(name: str) -> bool:
    """Whether a file is called as Arrow's are."""
    return name.casefold().endswith((".arrow", ".feather"))


@contextmanager
def open_table(file: DataFile) -> Iterator[Table]:
    """A Parquet file, or an Arrow file or stream, told by its first bytes.

    Raises DataError where it is a Git LFS pointer or the like, or not whole.
    """
    with ExitStack() as stack:
        with whole(file):
            stream = stack.enter_context(file.open())
            head = stream.read(HEAD_BYTES)
            stream.seek(0)
        if not head.startswith((PARQUET_FILE, ARROW_FILE)) and (kind := kind_of_head(head)) is not None:
            raise DataError(f"{file}: is {kind}; {remedy_of(kind)}")
        with whole(file):
            if head.startswith(ARROW_FILE) or (is_arrow_name(file.name) and not head.startswith(PARQUET_FILE)):
                table = open_arrow(file, stream, stack, has_footer=head.startswith(ARROW_FILE))
            else:
                table = open_parquet(file, stream, stack)
            names = table.schema.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{file}: has two columns called `{shortened(one_line(twice), 40)}`; rename one")
        yield table


def open_parquet(file: DataFile, stream: BinaryIO, stack: ExitStack) -> Table:
    """A Parquet file, open until the stack is closed."""
    import pyarrow.parquet as pq

    # A buffer keeps a column of one large row group from being read into memory whole.
    source = stream if file.path is None else file.path
    parquet = stack.enter_context(pq.ParquetFile(source, buffer_size=BUFFER_BYTES, pre_buffer=False))

    def read(columns: Sequence[str]) -> pa.Table:
        return parquet.read(columns=list(columns))

    def batches(columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        return iter(parquet.iter_batches(rows, columns=list(columns)))

    return Table(file, parquet.schema_arrow, parquet.metadata.num_rows, read, batches)


def open_arrow(file: DataFile, stream: BinaryIO, stack: ExitStack, *, has_footer: bool) -> Table:
    """An Arrow file or stream, open until the stack is closed. Its batches are counted, not read where it is mapped."""
    import pyarrow as pa

    def reader() -> Any:
        if file.path is None:
            stream.seek(0)
            source = pa.PythonFile(stream, "r")
        else:
            source = stack.enter_context(pa.memory_map(str(file.path)))
        return pa.ipc.open_file(source) if has_footer else pa.ipc.open_stream(source)

    def batches(columns: Sequence[str], _: int = 0) -> Iterator[pa.RecordBatch]:
        opened = reader()
        every = (opened.get_batch(n) for n in range(opened.num_record_batches)) if has_footer else opened
        return (batch.select(list(columns)) for batch in every)

    schema = reader().schema

    def read(columns: Sequence[str]) -> pa.Table:
        return pa.Table.from_batches(list(batches(columns)), schema=pa.schema([schema.field(c) for c in columns]))

    return Table(file, schema, sum(batch.num_rows for batch in batches([])), read, batches)

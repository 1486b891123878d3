"""Work in a copy of this process: a process of its own without the seconds that a fresh interpreter takes."""

import os
import traceback
from collections.abc import Callable


def forked(work: Callable[[], int | None]) -> int:
    """Do this work in a copy of this process; gives the copy's id.

    The copy's exit status is what the work returns, 0 for None, and 1 if it raises.
    """
    child = os.fork()
    if not child:
        status = 1
        try:
            status = work() or 0
        except BaseException:  # noqa: BLE001 - nothing may leave the copy
            traceback.print_exc()
        finally:
            os._exit(status)
    return child


def exit_status(child: int) -> int:
    """Wait for the end of a copy; negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

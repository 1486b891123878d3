"""Several single-threaded processes that share each batch: `workers=N` on a CPU.

Two threads of one process wait for each other at the end of every operation, hundreds of times a step; two processes
wait once. The weights are in memory that all of them see, each has its own activations, and each writes its gradients
into its own part of shared memory. The parent adds them up in the order of their ranks, so the sum is the same every
time, and moves the weights.

Batch norm sees each process's share of the batch: its statistics are those of a batch of that size, as with
DistributedDataParallel. The running statistics kept are those of rank 0, the parent.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import traceback
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import torch
from torch import Tensor, nn

from sightlab.errors import RecipeError, RunError, one_line
from sightlab.training.step import StepConfig, StepSums, share_of_step

QUESTION = struct.Struct("<qq")  # epoch, step
ANSWER = struct.Struct("<dq")  # sum of losses, right answers
PARENTS_ENDS: set[Connection] = set()  # of all trainings of this process; several may be under way


class SharedMemoryReplicas:
    """The parent's side: it does the first share of every step itself, and adds what the children did.

    Raises RecipeError where processes cannot be forked. Call `close` at the end.
    """

    def __init__(self, work: StepConfig, classifier: nn.Module, processes: int) -> None:
        if not hasattr(os, "fork") or sys.platform == "darwin":
            raise RecipeError(f"workers: {processes} need a system that forks, such as Linux; workers=1 works anywhere")
        self.work = work
        self.processes = processes
        self.weights = [weight for weight in classifier.parameters() if weight.requires_grad]
        into_shared_memory(self.weights)
        # One thread before the fork: a child of a process with threads must not use them.
        torch.set_num_threads(1)
        self.gradients = [shared_like(self.weights) for _ in range(1, processes)]
        self.children: list[tuple[int, Connection]] = []
        for rank in range(1, processes):
            self.children.append(self.started(rank, classifier))

    def started(self, rank: int, classifier: nn.Module) -> tuple[int, Connection]:
        """A child process for a rank, and the connection to it."""
        ours, theirs = Pipe()
        process = os.fork()
        if process:
            theirs.close()
            PARENTS_ENDS.add(ours)
            return process, ours
        # The child must hold no end that is the parent's, of its own pipe or of any other child's: while one is open,
        # the child at the other end would not see the parent go.
        ours.close()
        for connection in PARENTS_ENDS:
            connection.close()
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
            self.serve(rank, classifier, theirs)
            status = 0
        finally:
            os._exit(status)  # without the parent's clean-up, which is not the child's to do

    def serve(self, rank: int, classifier: nn.Module, connection: Connection) -> None:
        """A child's life: do its share of every step asked for, until the parent closes the connection."""
        classifier.train()
        while True:
            try:
                epoch, step = QUESTION.unpack(connection.recv_bytes())
            except (EOFError, OSError):
                return
            try:
                for weight in self.weights:
                    weight.grad = None
                cpu = torch.device("cpu")
                sums = share_of_step(
                    classifier, self.work, cpu, epoch, step, rank, self.processes, backward=Tensor.backward
                )
                copy_gradients(self.weights, self.gradients[rank - 1])
                connection.send_bytes(ANSWER.pack(float(sums.loss), int(sums.correct)))
            except Exception:  # noqa: BLE001 - told to the parent, who raises it
                connection.send_bytes(traceback.format_exc(limit=-3).encode())
                return

    def __call__(self, classifier: nn.Module, epoch: int, step: int) -> StepSums:
        """See GradientStep."""
        for _, connection in self.children:
            connection.send_bytes(QUESTION.pack(epoch, step))
        cpu = torch.device("cpu")
        sums = share_of_step(classifier, self.work, cpu, epoch, step, 0, self.processes, backward=Tensor.backward)
        loss, correct = sums.loss.double(), sums.correct
        for (_, connection), gradients in zip(self.children, self.gradients, strict=True):
            their_loss, their_correct = answer_of(connection)
            loss, correct = loss + their_loss, correct + their_correct
            add_gradients(self.weights, gradients)
        return StepSums(loss, correct)

    def close(self) -> None:
        """Let the children end, and wait for them."""
        for process, connection in self.children:
            PARENTS_ENDS.discard(connection)
            connection.close()
            os.waitpid(process, 0)
        self.children = []


def answer_of(connection: Connection) -> tuple[float, int]:
    """A child's sums of a step. Raises RunError when the child has failed or is gone."""
    try:
        content = connection.recv_bytes()
    except (EOFError, OSError) as error:
        raise RunError("a worker process has gone (killed, or out of memory); go on with --resume") from error
    if len(content) != ANSWER.size:
        raise RunError(f"a worker process failed: {one_line(content.decode(errors='replace'))}")
    loss, correct = ANSWER.unpack(content)
    return loss, correct


def into_shared_memory(weights: list[nn.Parameter]) -> None:
    """Move the weights' numbers into memory that forked processes share, each in the memory order it had."""
    with torch.no_grad():
        for weight, shared in zip(weights, shared_like(weights), strict=True):
            shared.copy_(weight)
            weight.data = shared


def shared_like(weights: list[nn.Parameter]) -> list[Tensor]:
    """Tensors of the weights' shapes and memory orders, in one anonymous shared mapping, zeros."""
    sizes = [weight.numel() for weight in weights]
    flat = torch.frombuffer(mmap.mmap(-1, 4 * max(1, sum(sizes))), dtype=torch.float32)
    parts = torch.split(flat, [*sizes, flat.numel() - sum(sizes)])[: len(sizes)]
    return [torch.as_strided(part, w.shape, w.stride()) for part, w in zip(parts, weights, strict=True)]


def copy_gradients(weights: list[nn.Parameter], into: list[Tensor]) -> None:
    """Write the weights' gradients there; zeros where a weight had no part in the step."""
    torch._foreach_copy_(into, [torch.zeros_like(w) if w.grad is None else w.grad for w in weights])


def add_gradients(weights: list[nn.Parameter], gradients: list[Tensor]) -> None:
    """Add these to the weights' gradients; a weight that had no part in this process's share gets zeros first."""
    own = []
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        own.append(weight.grad)
    torch._foreach_add_(own, gradients)

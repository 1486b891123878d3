"""Several single-threaded processes that share each batch: `processes=N` on a CPU.

Two threads of one process wait for each other at the end of every operation, hundreds of times a step; two processes
wait once. The weights are in memory that all processes share; each process has its own activations and writes its
gradients into its own part of shared memory. The parent adds them up in the order of their ranks, so the sum is the
same every time, and updates the weights.

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
from sightlab.training.step import Gradients, StepConfig, StepSums, forward_backward

CPU = torch.device("cpu")
REQUEST = struct.Struct("<qq")  # epoch, step
REPLY = struct.Struct("<dq")  # sum of losses, correct predictions
PARENT_ENDS: set[Connection] = set()  # of the pipes of all trainings in this process; several may be under way


class SharedMemoryReplicas:
    """The parent's side: it does the first share of every step and adds the children's gradients to its own.

    Raises RecipeError where processes cannot be forked. Call `close` at the end.
    """

    def __init__(self, config: StepConfig, classifier: nn.Module, processes: int) -> None:
        if not hasattr(os, "fork") or sys.platform == "darwin":
            raise RecipeError(
                f"processes: {processes} need a system that forks, such as Linux; processes=1 works anywhere"
            )
        self.config = config
        self.processes = processes
        self.gradients: Gradients = self.step
        self.weights = [weight for weight in classifier.parameters() if weight.requires_grad]
        into_shared_memory(self.weights)
        # One thread before the fork: a child of a process with threads must not use them.
        torch.set_num_threads(1)
        self.shared = [shared_like(self.weights) for _ in range(1, processes)]
        self.children: list[tuple[int, Connection]] = []
        for rank in range(1, processes):
            self.children.append(self.fork(rank, classifier))

    def fork(self, rank: int, classifier: nn.Module) -> tuple[int, Connection]:
        """Start the child process of a rank; its process id and the connection to it."""
        ours, theirs = Pipe()
        process = os.fork()
        if process:
            theirs.close()
            PARENT_ENDS.add(ours)
            return process, ours
        # The child must keep no parent's end open, of its own pipe or of any other child's: while one is open, the
        # child at the other end would not notice that the parent is gone.
        ours.close()
        for connection in PARENT_ENDS:
            connection.close()
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
            self.serve(rank, classifier, theirs)
            status = 0
        finally:
            os._exit(status)  # without the clean-up handlers, which are the parent's

    def serve(self, rank: int, classifier: nn.Module, connection: Connection) -> None:
        """The child's loop: do its share of every step requested, until the parent closes the connection."""
        classifier.train()
        while True:
            try:
                epoch, step = REQUEST.unpack(connection.recv_bytes())
            except (EOFError, OSError):
                return
            try:
                for weight in self.weights:
                    weight.grad = None
                sums = self.share(classifier, epoch, step, rank)
                copy_gradients(self.weights, self.shared[rank - 1])
                connection.send_bytes(REPLY.pack(float(sums.loss), int(sums.correct)))
            except Exception:  # noqa: BLE001 - sent to the parent, which raises it
                connection.send_bytes(traceback.format_exc(limit=-3).encode())
                return

    def share(self, classifier: nn.Module, epoch: int, step: int, rank: int) -> StepSums:
        """A rank's share of a step; its gradients are left in the weights' .grad."""
        return forward_backward(
            self.config, CPU, Tensor.backward, classifier, epoch, step, rank=rank, processes=self.processes
        )

    def step(self, classifier: nn.Module, epoch: int, step: int) -> StepSums:
        """A whole step, as Gradients."""
        for _, connection in self.children:
            connection.send_bytes(REQUEST.pack(epoch, step))
        sums = self.share(classifier, epoch, step, rank=0)
        loss, correct = sums.loss.double(), sums.correct
        for (_, connection), gradients in zip(self.children, self.shared, strict=True):
            their_loss, their_correct = receive_reply(connection)
            loss, correct = loss + their_loss, correct + their_correct
            add_gradients(self.weights, gradients)
        return StepSums(loss, correct)

    def agreed(self, request: int, step: int) -> int:  # noqa: ARG002 - see GradientStep
        """The parent decides alone: the children do only what it requests."""
        return request

    def close(self) -> None:
        """Let the children exit, and wait for them."""
        for process, connection in self.children:
            PARENT_ENDS.discard(connection)
            connection.close()
            os.waitpid(process, 0)
        self.children = []


def receive_reply(connection: Connection) -> tuple[float, int]:
    """A child's sums of a step. Raises RunError if the child has failed or is gone."""
    try:
        content = connection.recv_bytes()
    except (EOFError, OSError) as error:
        raise RunError(
            "a process of this training is gone (killed, or out of memory); continue with --resume"
        ) from error
    if len(content) != REPLY.size:
        raise RunError(f"a process of this training failed: {one_line(content.decode(errors='replace'))}")
    loss, correct = REPLY.unpack(content)
    return loss, correct


def into_shared_memory(weights: list[nn.Parameter]) -> None:
    """Move the weights into memory that forked processes share, each in the memory format it had."""
    with torch.no_grad():
        for weight, shared in zip(weights, shared_like(weights), strict=True):
            shared.copy_(weight)
            weight.data = shared


def shared_like(weights: list[nn.Parameter]) -> list[Tensor]:
    """Zeros of the weights' shapes and memory formats, in one anonymous shared mapping."""
    sizes = [weight.numel() for weight in weights]
    flat = torch.frombuffer(mmap.mmap(-1, 4 * max(1, sum(sizes))), dtype=torch.float32)
    parts = torch.split(flat, [*sizes, flat.numel() - sum(sizes)])[: len(sizes)]
    return [torch.as_strided(part, w.shape, w.stride()) for part, w in zip(parts, weights, strict=True)]


def copy_gradients(weights: list[nn.Parameter], into: list[Tensor]) -> None:
    """Copy the weights' gradients; zeros where a weight had no part in the step."""
    torch._foreach_copy_(into, [torch.zeros_like(w) if w.grad is None else w.grad for w in weights])


def add_gradients(weights: list[nn.Parameter], gradients: list[Tensor]) -> None:
    """Add these to the weights' gradients; a weight without a gradient in this process's share starts from zeros."""
    own = []
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        own.append(weight.grad)
    torch._foreach_add_(own, gradients)

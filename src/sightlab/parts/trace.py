"""Walks through an object and all that it holds or names, for a fingerprint of it.

Code of installed packages counts by its name alone; their versions are on record with the run.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import io
import os
import pickle
import re
import sys
import sysconfig
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from sightlab.files import sha256_of

PLAIN = (type(None), bool, int, float, complex, str, bytes)
NOT_OF_A_CLASS = {"__slots__", "__annotations__", "__doc__"}
INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")
FOLDERS = [*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib")), str(Path(__file__).parents[1])]
MADE_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE
ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def qualified_name(thing: object) -> str:
    """The name of a function or a class, or of an object's class; with its module if it is installed.

    The user's own code may be imported, run as a script, or given as a file, under another module's name each time.

    >>> qualified_name(Path), qualified_name(functools.partial(len, ()))
    ('pathlib.Path', 'builtins.len')
    """
    while isinstance(thing, functools.partial):
        thing = thing.func
    named: Any = thing if hasattr(thing, "__qualname__") else type(thing)
    if isinstance(named, FunctionType | type) and not is_installed(named):
        return str(named.__qualname__)
    return f"{getattr(named, '__module__', None) or 'builtins'}.{named.__qualname__}"


def is_installed(thing: FunctionType | type | ModuleType) -> bool:
    """Whether code is sightlab's, Python's own, or an installed package's: those whose versions are on record.

    >>> is_installed(Path), is_installed(sys), is_installed(int)
    (True, True, True)
    """
    if isinstance(thing, FunctionType):
        return _lies_installed(thing.__code__.co_filename)
    name = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
    if name == "builtins" and isinstance(thing, type):
        return not thing.__flags__ & MADE_IN_PYTHON
    found = sys.modules.get(name)
    if found is None or name == "__main__":
        return False
    file = getattr(found, "__file__", None)
    return name.partition(".")[0] in sys.stdlib_module_names if file is None else _lies_installed(file)


def _lies_installed(file: str) -> bool:
    return file.startswith((*(folder + os.sep for folder in FOLDERS), "<frozen ")) or bool(INSTALLED.search(file))


class Trace:
    """Walks through an object and all that it holds; what is met again counts by its place in the order."""

    def __init__(self, values: bool) -> None:
        self.values = values
        self.digest = hashlib.sha256()
        self.whole = True
        self.seen: dict[int, int] = {}
        self.kept: list[object] = []  # the id of an object that is gone may be given to another

    def put(self, *words: object) -> None:
        """Take in words, so that no two different rows of words come to the same bytes."""
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogatepass")
            self.digest.update(f"{len(data)}:".encode())
            self.digest.update(data)

    def met(self, thing: object) -> bool:
        """Whether an object has been met before, in which case its place is taken in."""
        if id(thing) in self.seen:
            self.put("met", self.seen[id(thing)])
            return True
        self.seen[id(thing)] = len(self.seen)
        self.kept.append(thing)
        return False

    def add_all(self, things: Iterable[Any]) -> None:
        """Take in several values."""
        for one in things:
            self.add(one)

    def add(self, thing: Any) -> None:
        """Take in a value of any kind."""
        if isinstance(thing, PLAIN):
            self.put(type(thing).__name__, repr(thing))
        elif isinstance(thing, CodeType):
            self.add_code(thing)
        elif type(thing) is tuple:
            self.put("tuple", len(thing))
            self.add_all(thing)
        elif isinstance(thing, frozenset | set):
            self.add_set(thing)
        elif isinstance(thing, MethodType | staticmethod | classmethod | property | functools.cached_property):
            self.put(type(thing).__name__)
            names = ("__func__", "__self__", "fget", "fset", "fdel", "func")
            self.add_all([getattr(thing, name, None) for name in names])
        elif not self.met(thing):
            self.add_new(thing)

    def add_new(self, thing: Any) -> None:
        """Take in a value that may hold itself, met for the first time."""
        torch = sys.modules.get("torch")
        if isinstance(thing, FunctionType):
            self.add_function(thing)
        elif isinstance(thing, type):
            self.add_class(thing)
        elif isinstance(thing, ModuleType):
            self.add_module_file(thing)
        elif isinstance(thing, functools.partial):
            self.put("partial")
            self.add_all([thing.func, thing.args, thing.keywords])
        elif type(thing) in (list, dict):
            self.put(type(thing).__name__, len(thing))
            self.add_all(thing if isinstance(thing, list) else thing.items())
        elif isinstance(thing, weakref.ref):
            self.put("weak reference")
        elif torch is not None and isinstance(thing, torch.nn.Module):
            self.add_network(thing)
        elif torch is not None and isinstance(thing, torch.Tensor):
            self.add_tensor(thing)
        elif torch is not None and isinstance(thing, torch.Generator):
            self.put("generator", thing.initial_seed())
            self.whole = False  # parts of its state are memory that nothing has written to
        elif torch is not None and isinstance(thing, torch.optim.Optimizer):
            self.add_optimizer(thing)
        else:
            self.add_object(thing)

    def add_code(self, code: CodeType) -> None:
        """Instructions and what they name, but not where they stand."""
        names = (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)
        self.put("code", code.co_code, code.co_exceptiontable, code.co_flags, len(names), *names)
        self.add(code.co_consts)

    def add_set(self, things: Iterable[Any]) -> None:
        """Members in an order of their own: that of a set changes from process to process."""
        traces = []
        for one in things:
            trace = Trace(self.values)
            trace.add(one)
            self.whole &= trace.whole
            traces.append(trace.digest.digest())
        self.put("set", *sorted(traces))

    def add_function(self, function: FunctionType) -> None:
        """Its code, defaults and closure, and the globals that its code loads; of an installed one the name."""
        self.put("function", qualified_name(function))
        cells = function.__closure__ or ()
        if is_installed(function) and not cells:
            return
        self.add_all([function.__code__, function.__defaults__, function.__kwdefaults__])
        for cell in cells:
            try:
                self.add(cell.cell_contents)
            except ValueError:
                self.put("empty cell")
        for name in sorted(set(_globals_loaded(function.__code__)) & function.__globals__.keys()):
            self.put(name)
            self.add(function.__globals__[name])

    def add_class(self, kind: type) -> None:
        """Its bases and what stands in it; of an installed one the name."""
        self.put("class", qualified_name(kind))
        if is_installed(kind):
            return
        self.add(kind.__bases__)
        for name, value in vars(kind).items():
            special = name.startswith("__") and not isinstance(value, FunctionType | staticmethod | classmethod)
            if not special and name not in NOT_OF_A_CLASS and not name.startswith("_abc_"):
                self.put(name)
                self.add(value)

    def add_module_file(self, module: ModuleType) -> None:
        """A module that code names: its file, unless it is installed."""
        self.put("module", module.__name__)
        if not is_installed(module):
            try:
                self.put(sha256_of(Path(module.__file__ or "")))
            except OSError:
                self.whole = False

    def add_object(self, thing: Any) -> None:
        """An instance: its class and attributes, or its pickle where its class is an installed one."""
        wrapped = getattr(thing, "__dict__", {}).get("__wrapped__")
        if wrapped is not None:  # such as functools.cache leaves
            self.put("wrapped", qualified_name(type(thing)))
            self.add(wrapped)
        elif inspect.isroutine(thing) or isinstance(thing, MemberDescriptorType | GetSetDescriptorType):
            self.put("routine", qualified_name(thing))
        elif is_installed(type(thing)):
            self.add_pickle(thing)
        else:
            self.put("object")
            self.add(type(thing))
            self.add_attributes(thing)

    def add_attributes(self, thing: Any, without: Iterable[str] = ()) -> None:
        """What an instance holds, in its dictionary and in slots, and as a list or a dictionary of its own kind."""
        held = dict(getattr(thing, "__dict__", {}))
        for kind in type(thing).__mro__:
            slots = vars(kind).get("__slots__", ())
            names = (slots,) if isinstance(slots, str) else tuple(slots)
            held |= {name: getattr(thing, name) for name in names if name[:2] != "__" and hasattr(thing, name)}
        for name in sorted(held.keys() - set(without)):
            self.put(name)
            self.add(held[name])
        if isinstance(thing, list | tuple):
            self.add(tuple(thing))
        elif isinstance(thing, dict):
            self.add(tuple(thing.items()))

    def add_network(self, net: Any) -> None:
        """Each module in it, and its parameters and buffers."""
        base = sys.modules["torch"].nn.Module()
        modules = list(net.named_modules())
        for _, module in modules:
            self.seen.setdefault(id(module), len(self.seen))
            self.kept.append(module)
        self.put("network", qualified_name(net), len(modules))
        self.add_tensors(net)
        self.values = True  # of what its modules hold beside their own parameters
        for path, module in modules:
            self.put(path, ADDRESS.sub("", module.extra_repr()))
            self.add(type(module))
            self.add_attributes(module, vars(base))
            for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
                self.add(tuple(getattr(module, name, {}).values()))

    def add_optimizer(self, optimizer: Any) -> None:
        """Its class and settings, and the shapes of what it moves; the values are the network's."""
        self.add(type(optimizer))
        for group in optimizer.param_groups:
            self.add(tuple((name, value) for name, value in group.items() if name != "params"))
            self.put("moves", *(list(tensor.shape) for tensor in group["params"]))

    def add_tensors(self, net: Any) -> None:
        """A network's parameters and buffers."""
        for name, tensor in (*net.named_parameters(remove_duplicate=False), *net.named_buffers(remove_duplicate=False)):
            self.put(name)
            if not self.met(tensor):
                self.add_tensor(tensor, self.values)

    def add_tensor(self, tensor: Any, values: bool = True) -> None:
        """Its dtype, its shape, whether it is trained, and its values."""
        try:
            self.put("tensor", tensor.dtype, list(tensor.shape))
            if values and tensor.grad_fn is None:  # else it follows from others
                self.put(tensor.requires_grad)
                flat = tensor.detach().cpu().contiguous().reshape(-1)
                self.put(flat.view(sys.modules["torch"].uint8).numpy().tobytes() if flat.numel() else b"")
        except (RuntimeError, NotImplementedError, TypeError, ValueError):  # one that is lazy, sparse, or has no memory
            self.whole = False

    def add_pickle(self, thing: Any) -> None:
        """An instance of an installed class."""
        self.put("instance", qualified_name(type(thing)))
        packed = io.BytesIO()
        try:
            _Pickler(packed, self).dump(thing)
        except Exception:  # noqa: BLE001 - whatever an object's own reduction raises
            self.whole = False
        self.put(packed.getvalue() if self.whole else b"")


class _Pickler(pickle.Pickler):
    """Pickles what is installed; what is the user's own is traced instead, since a pickle only names it."""

    def __init__(self, stream: io.BytesIO, trace: Trace) -> None:
        super().__init__(stream, protocol=4)
        self.trace = trace
        self.fast = True  # without a memo: that of equal texts depends on which of them Python has made one

    def persistent_id(self, thing: Any) -> str | None:
        """What stands in the pickle for a class, a function or an instance of the user's own."""
        kind = thing if isinstance(thing, FunctionType | type) else type(thing)
        if is_installed(kind):
            return None
        self.trace.add(thing)
        return qualified_name(thing)


def _globals_loaded(code: CodeType) -> Iterator[str]:
    """The globals that a code, and the codes in it, load."""
    yield from (one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_loaded(constant)

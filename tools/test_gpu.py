"""Runs tests/gpu on this machine's GPU, or says in one line that there is none: python tools/test_gpu.py"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parents[1] / "tests" / "gpu"


def main() -> int:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        print(f"CUDA {torch.version.cuda}: {', '.join(names)}")
    elif torch.backends.mps.is_available():
        print("MPS: Apple's GPU")
    else:
        print("make test-gpu: nothing to test: torch finds neither an NVIDIA GPU (CUDA) nor an Apple one (MPS)")
        return 0
    return int(pytest.main([str(TESTS), "--numprocesses", "0", "--durations", "10", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())

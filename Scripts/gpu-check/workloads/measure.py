"""What the workloads share: a clock for steps, ranges for Roost's counts, and the one line with the result."""

import hashlib
import json
import os
import statistics
import sys
import time

START = float(os.environ.get("GPU_CHECK_START", time.time()))
IS_QUICK = os.environ.get("GPU_CHECK_QUICK") == "1"


def since_start():
    """Seconds since the process was asked for, the interpreter's and the libraries' start included."""
    return time.time() - START


def skip(reason):
    """Ends the workload: it can't run here, natively or otherwise."""
    print("SKIP " + reason, flush=True)
    sys.exit(0)


def finish(**result):
    """Ends the workload with its result."""
    print("RESULT " + json.dumps(result), flush=True)


def digest(*arrays):
    """A hash of the arrays' bytes."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(array if isinstance(array, bytes) else array.tobytes())
    return total.hexdigest()[:32]


def steps(step, wait, warmup, count, begin_range=None, end_range=None):
    """Runs steps without a wait between them, three times, and returns the least milliseconds of one."""
    for _ in range(warmup):
        step()
    wait()
    times = []
    for turn in range(3):
        if turn == 2 and begin_range:
            begin_range()
        begin = time.perf_counter()
        for _ in range(count):
            step()
        if turn == 2 and end_range:
            end_range()
        wait()
        times.append((time.perf_counter() - begin) / count * 1000)
    return {"milliseconds": min(times), "median": statistics.median(times), "steps": count}


def torch_or_skip():
    """PyTorch with a GPU, made as deterministic as it can be."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        import torch
    except ImportError as error:
        skip(f"no PyTorch: {error}")
    if not torch.cuda.is_available():
        if os.environ.get("GPU_CHECK_SOFTWARE") == "1":
            skip("PyTorch sees no GPU")
        raise SystemExit("PyTorch sees no GPU")
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    return torch


def torch_steps(torch, step, warmup, count):
    """Steps of a PyTorch program; Roost counts the calls of the last round."""
    cudart = torch.cuda.cudart()
    return steps(step, torch.cuda.synchronize, warmup, count, cudart.cudaProfilerStart, cudart.cudaProfilerStop)


def torch_digest(*tensors):
    """A hash of the tensors' bytes."""
    import torch

    return digest(*[
        tensor.detach().contiguous().reshape(-1).view(torch.uint8).cpu().numpy() for tensor in tensors])

"""Two processes sum a tensor with NCCL, each on a device of its own."""

import os
import socket
import subprocess
import sys

from measure import finish, since_start, skip, torch_digest, torch_or_skip, torch_steps

torch = torch_or_skip()
rank = os.environ.get("GPU_CHECK_RANK")
if rank is None:
    if torch.cuda.device_count() < 2:
        skip("NCCL wants a device for each process, and there is one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [
        subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "GPU_CHECK_RANK": str(index), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
        for index in range(2)
    ]
    sys.exit(max(child.wait() for child in children))

import torch.distributed  # noqa: E402

torch.cuda.set_device(int(rank))
torch.distributed.init_process_group("nccl", rank=int(rank), world_size=2)
tensor = torch.full((1 << 20,), float(rank) + 1, device="cuda")
torch.distributed.all_reduce(tensor)
found = torch_digest(tensor)
started = since_start()
measured = torch_steps(torch, lambda: torch.distributed.all_reduce(tensor), 3, 20)
if rank == "0":
    finish(**measured, startSeconds=started, digest=found)
torch.distributed.destroy_process_group()

"""Copies between pinned memory and the GPU beside computing, as loaders of data do it."""

from measure import IS_QUICK, finish, since_start, torch_digest, torch_or_skip, torch_steps

torch = torch_or_skip()
count = 1 << (20 if IS_QUICK else 24)
host = torch.arange(count, dtype=torch.float32).pin_memory()
back = torch.empty(count).pin_memory()
device = torch.empty(count, device="cuda")
loader = torch.cuda.Stream()


def step():
    loader.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(loader):
        device.copy_(host, non_blocking=True)
    torch.cuda.current_stream().wait_stream(loader)
    result = device * 2 + 1
    back.copy_(result, non_blocking=True)


step()
torch.cuda.synchronize()
started = since_start()
measured = torch_steps(torch, step, 2, 10)
measured["gigabytesPerSecond"] = 8 * count / measured["milliseconds"] / 1e6
finish(**measured, startSeconds=started, digest=torch_digest(back))

"""Training of a small GPT; with the argument `compile`, through torch.compile."""

import sys

from measure import IS_QUICK, finish, since_start, torch_digest, torch_or_skip, torch_steps

torch = torch_or_skip()
from model import GPT  # noqa: E402

batch, length = (4, 256) if IS_QUICK else (16, 1024)
model = GPT(depth=4 if IS_QUICK else 12).cuda()
run = torch.compile(model) if "compile" in sys.argv else model
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
generator = torch.Generator().manual_seed(2)
text = torch.randint(0, 8192, (batch, length + 1), generator=generator).pin_memory()
losses = []


def step():
    tokens = text.cuda(non_blocking=True)
    with torch.autocast("cuda", torch.bfloat16):
        loss = run(tokens[:, :-1], tokens[:, 1:])
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(loss.detach())


step()
torch.cuda.synchronize()
started = since_start()
measured = torch_steps(torch, step, 3, 5 if IS_QUICK else 20)
values = torch.stack(losses)
finish(
    **measured, startSeconds=started, digest=torch_digest(values, model.head.weight),
    values=[round(value, 6) for value in values.tolist()[:8]], peakBytes=torch.cuda.max_memory_allocated())

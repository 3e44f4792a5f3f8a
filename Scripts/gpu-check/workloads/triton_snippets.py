"""Triton: a sum of vectors and a matrix product, compiled here."""

from measure import finish, since_start, skip, torch_digest, torch_or_skip, torch_steps

torch = torch_or_skip()
try:
    import triton
    from triton import language
except ImportError as error:
    skip(f"no Triton: {error}")


@triton.jit
def add(first, second, out, n, BLOCK: language.constexpr):
    place = language.program_id(0) * BLOCK + language.arange(0, BLOCK)
    mask = place < n
    total = language.load(first + place, mask=mask) + language.load(second + place, mask=mask)
    language.store(out + place, total, mask=mask)


@triton.jit
def multiply(first, second, out, n, BLOCK: language.constexpr):
    rows = language.program_id(0) * BLOCK + language.arange(0, BLOCK)
    columns = language.program_id(1) * BLOCK + language.arange(0, BLOCK)
    total = language.zeros((BLOCK, BLOCK), dtype=language.float32)
    for start in range(0, n, BLOCK):
        inner = start + language.arange(0, BLOCK)
        left = language.load(first + rows[:, None] * n + inner[None, :])
        right = language.load(second + inner[:, None] * n + columns[None, :])
        total += language.dot(left, right)
    language.store(out + rows[:, None] * n + columns[None, :], total)


generator = torch.Generator().manual_seed(5)
first = torch.randn(256, 256, generator=generator).half().cuda()
second = torch.randn(256, 256, generator=generator).half().cuda()
total = torch.empty(65_536, device="cuda", dtype=torch.half)
product = torch.empty(256, 256, device="cuda", dtype=torch.float32)
add[(64,)](first, second, total, 65_536, BLOCK=1024)
multiply[(8, 8)](first, second, product, 256, BLOCK=32)
torch.cuda.synchronize()
started = since_start()
measured = torch_steps(torch, lambda: add[(64,)](first, second, total, 65_536, BLOCK=1024), 3, 100)
finish(**measured, startSeconds=started, digest=torch_digest(total, product))

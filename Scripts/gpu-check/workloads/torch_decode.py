"""Decoding with batch 1: each token is one launch of a CUDA graph."""

from measure import IS_QUICK, finish, since_start, torch_digest, torch_or_skip, torch_steps

torch = torch_or_skip()
from model import GPT  # noqa: E402

length, heads, width, depth = 1024, 12, 768, 12
model = GPT(length=length, depth=depth).cuda().half().eval()
caches = [
    [torch.zeros(1, heads, length, width // heads, device="cuda", dtype=torch.half) for _ in range(2)]
    for _ in range(depth)
]
token = torch.full((1, 1), 5, device="cuda")
position = torch.zeros(1, dtype=torch.long, device="cuda")
places = torch.arange(length, device="cuda")
written = torch.zeros(length, dtype=torch.long, device="cuda")


@torch.no_grad()
def decode():
    mask = (places <= position).view(1, 1, 1, length)
    hidden = model.token(token) + model.position(position)
    for block, (keys, values) in zip(model.blocks, caches):
        hidden = block.decode(hidden, keys, values, position, mask)
    token.copy_(model.head(model.norm(hidden)).argmax(dim=2))
    written.index_copy_(0, position, token[0])
    position.add_(1).remainder_(length)


side = torch.cuda.Stream()
side.wait_stream(torch.cuda.current_stream())
with torch.cuda.stream(side):
    for _ in range(3):
        decode()
torch.cuda.current_stream().wait_stream(side)
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    decode()
graph.replay()
torch.cuda.synchronize()
started = since_start()
measured = torch_steps(torch, graph.replay, 10, 50 if IS_QUICK else 250)
finish(**measured, startSeconds=started, digest=torch_digest(written))

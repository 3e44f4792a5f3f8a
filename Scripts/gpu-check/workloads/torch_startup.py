"""How long a process takes until its first result from the GPU."""

from measure import finish, since_start, torch_or_skip

torch = torch_or_skip()
imported = since_start()
total = torch.arange(1000, device="cuda").sum().item()
first = since_start()
matrix = torch.ones(256, 256, device="cuda") @ torch.ones(256, 256, device="cuda")
product = matrix.sum().item()
capability = torch.cuda.get_device_capability()
finish(
    digest=f"{total} {product} {capability}", importSeconds=imported, startSeconds=first,
    librarySeconds=since_start(), device=torch.cuda.get_device_name())

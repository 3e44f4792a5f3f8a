"""A call into each of the libraries that PyTorch carries: cuBLAS, cuDNN, cuFFT, cuSOLVER, cuSPARSE, cuRAND."""

from measure import finish, since_start, torch_digest, torch_or_skip, torch_steps

torch = torch_or_skip()
generator = torch.Generator().manual_seed(4)


def random(*shape):
    return torch.randn(*shape, generator=generator).cuda()


left, right = random(512, 512), random(512, 512)
image, weight = random(8, 16, 64, 64), random(32, 16, 3, 3)
definite = left @ left.T + 512 * torch.eye(512, device="cuda")
sparse = (left * (left > 1.5)).to_sparse_csr()
calls = {
    "cublas.float": lambda: left @ right,
    "cublas.double": lambda: left.double() @ right.double(),
    "cublas.bfloat16": lambda: left.bfloat16() @ right.bfloat16(),
    "cublas.batched": lambda: torch.bmm(left.view(8, 64, 512), right.view(8, 512, 64)),
    "cublaslt.bias": lambda: torch.addmm(right[0].half(), left.half(), right.half()),
    "cudnn.convolution": lambda: torch.nn.functional.conv2d(image, weight, padding=1),
    "cudnn.norm": lambda: torch.nn.functional.batch_norm(image, None, None, training=True),
    "cufft": lambda: torch.view_as_real(torch.fft.rfft2(image)),
    "cusolver.cholesky": lambda: torch.linalg.cholesky(definite),
    "cusparse": lambda: sparse @ right,
    "sort": lambda: torch.sort(left.flatten())[0],
    "scan": lambda: torch.cumsum(left, dim=1),
    "random": lambda: torch.rand(1000, device="cuda", generator=torch.Generator("cuda").manual_seed(7)),
}
found, failed = {}, {}
for name, call in calls.items():
    try:
        found[name] = torch_digest(call())
    except Exception as error:  # One library must not hide the others.
        failed[name] = f"{type(error).__name__}: {error}"[:300]
started = since_start()
measured = torch_steps(torch, calls["cublas.float"], 3, 100)
finish(**measured, startSeconds=started, digest=found, failed=failed)

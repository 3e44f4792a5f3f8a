"""Every operator in PyTorch's own list, once, in float32 (else its first type), on a vGPU that says it is newer than any machine code.

An operator passes where each kernel behind it came as PTX, or where it needs none, and its result is the CPU's.
"""

import os
import unittest

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_map

torch.manual_seed(3)


def on_device(value):
    return tree_map(lambda leaf: leaf.cuda() if isinstance(leaf, torch.Tensor) else leaf, value)


def on_host(value):
    return tree_map(lambda leaf: leaf.cpu() if isinstance(leaf, torch.Tensor) else leaf, value)


def try_operator(operator, test):
    kinds = operator.dtypes
    kind = torch.float32 if torch.float32 in kinds else sorted(kinds, key=str)[0]
    sample = next(iter(operator.sample_inputs("cpu", kind)))
    arguments, keywords = on_device(sample.args), on_device(sample.kwargs)
    keywords = {name: "cuda" if name == "device" else value for name, value in keywords.items()}
    device_input = on_device(sample.input)
    want = operator(sample.input, *sample.args, **sample.kwargs)
    try:
        got = on_host(operator(device_input, *arguments, **keywords))
    except NotImplementedError:
        test.skipTest("PyTorch has no such operator for CUDA")
    finally:
        try:
            torch.cuda.synchronize()
        except RuntimeError:
            # The context is lost: the rest goes on in a new process.
            print(f"{operator.name}: the context is lost", flush=True)
            os._exit(3)
    if "rand" in operator.name or "bernoulli" in operator.name or "multinomial" in operator.name:
        return
    if "empty" in operator.name or "dropout" in operator.name or operator.name in ("normal", "uniform", "cauchy"):
        return
    torch.testing.assert_close(got, want, rtol=2e-3, atol=2e-3, equal_nan=True)


class Operators(unittest.TestCase):
    pass


def add(operator):
    name = operator.name + ("." + operator.variant_test_name if operator.variant_test_name else "")
    name = "test_" + name.replace(".", "_")
    setattr(Operators, name, lambda self: try_operator(operator, self))


for entry in op_db:
    # jiterator's stand on their own; the one without cuDNN has no samples for a CPU; the split takes a tensor on the CPU.
    if not entry.name.startswith(("_refs.", "__r", "torch.ops.", "jiterator")) and entry.name not in (
        "nn.functional.batch_norm", "tensor_split"
    ):
        add(entry)

"""JAX from PyPI on a vGPU."""

import unittest

import jax
import jax.numpy as jnp
import numpy as np


class Programs(unittest.TestCase):
    def check(self, got, want):
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-4, atol=1e-4)

    def test_devices(self):
        self.assertEqual([device.platform for device in jax.devices()], ["gpu"])
        self.assertIn("Roost", jax.devices()[0].device_kind)

    def test_copies(self):
        host = np.arange(1000, dtype=np.float32)
        self.check(jax.device_put(host), host)

    def test_add(self):
        self.check(jnp.arange(10.0) + 1, np.arange(10) + 1)

    def test_sum(self):
        self.check(jnp.arange(1000.0).sum(), 499500)

    def test_jit(self):
        x = np.linspace(0, 1, 100, dtype=np.float32)
        self.check(jax.jit(lambda v: jnp.sin(v) * 2 + jnp.cos(v))(x), np.sin(x) * 2 + np.cos(x))

    def test_matmul(self):
        a = np.random.default_rng(0).standard_normal((64, 32), dtype=np.float32)
        with jax.default_matmul_precision("highest"):
            self.check(jnp.asarray(a) @ jnp.asarray(a).T, a @ a.T)

    def test_grad(self):
        self.check(jax.grad(lambda v: (v**3).sum())(jnp.arange(5.0)), 3 * np.arange(5) ** 2)

    def test_random(self):
        with jax.default_device(jax.devices("cpu")[0]):
            want = np.asarray(jax.random.normal(jax.random.key(0), (100,)))
        self.check(jax.random.normal(jax.random.key(0), (100,)), want)

    def test_sort(self):
        self.check(jnp.sort(jnp.asarray([3.0, 1, 2, 9, -1])), [-1, 1, 2, 3, 9])

    def test_scan(self):
        self.check(jax.lax.scan(lambda c, v: (c + v, c), 0.0, jnp.arange(10.0))[0], 45)

    def test_vmap(self):
        x = np.arange(12, dtype=np.float32).reshape(3, 4)
        self.check(jax.vmap(lambda row: row / row.sum())(jnp.asarray(x)), x / x.sum(1, keepdims=True))

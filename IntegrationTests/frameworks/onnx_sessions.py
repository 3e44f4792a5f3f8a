"""ONNX Runtime from PyPI on a vGPU: sessions of the CUDA provider and one node of each kind."""

import unittest

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

onnxruntime.preload_dlls()
onnxruntime.set_default_logger_severity(4)
X = np.arange(16, dtype=np.float32).reshape(4, 4)


def session(*nodes):
    graph = helper.make_graph(
        list(nodes), "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (4, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()

    made = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CUDAExecutionProvider"])
    assert made.get_providers()[0] == "CUDAExecutionProvider", made.get_providers()
    return made


def run(operation, *, inputs=1, **attributes):
    node = helper.make_node(operation, ["x"] * inputs, ["y"], **attributes)
    return session(node).run(None, {"x": X})[0]


class Sessions(unittest.TestCase):
    def test_session(self):
        session(helper.make_node("Identity", ["x"], ["y"]))

    def test_value_on_the_device(self):
        session(helper.make_node("Identity", ["x"], ["y"]))
        value = onnxruntime.OrtValue.ortvalue_from_numpy(X, "cuda", 0)
        self.assertEqual(value.device_name(), "cuda")
        np.testing.assert_array_equal(value.numpy(), X)

    def test_identity(self):
        np.testing.assert_array_equal(run("Identity"), X)

    def test_flatten(self):
        np.testing.assert_array_equal(run("Flatten", axis=0), X.reshape(1, 16))

    def test_add(self):
        np.testing.assert_allclose(run("Add", inputs=2), X + X)

    def test_relu(self):
        np.testing.assert_allclose(run("Relu"), X)

    def test_transpose(self):
        np.testing.assert_allclose(run("Transpose", perm=[1, 0]), X.T)

    def test_matmul(self):
        np.testing.assert_allclose(run("MatMul", inputs=2), X @ X)

    def test_gemm(self):
        np.testing.assert_allclose(run("Gemm", inputs=2), X @ X)

    def test_softmax(self):
        want = np.exp(X - X.max(1, keepdims=True))
        np.testing.assert_allclose(run("Softmax"), want / want.sum(1, keepdims=True), rtol=1e-5)

    def test_concat(self):
        np.testing.assert_allclose(run("Concat", inputs=2, axis=0), np.concatenate([X, X]))

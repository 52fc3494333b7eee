"""Export a run's network to ONNX, and check its numbers: python to_onnx.py RUN MODEL.onnx

pip install onnx onnxscript onnxruntime
"""

import sys

import onnxruntime
import torch

from rstan_lite import load

model = load(sys.argv[1], device="cpu").network
sizes, K, T = model.config, 7, 8
cubes = {s: torch.randn(2, T, K * K, sizes.d_cv[s]) for s in sizes.streams}
vectors = {s: torch.randn(2, T, sizes.d_fc[s]) for s in sizes.streams}
torch.onnx.export(model, kwargs={"cubes": cubes, "vectors": vectors}, f=sys.argv[2], dynamo=True)
session = onnxruntime.InferenceSession(sys.argv[2])
arrays = [value.numpy() for part in (cubes, vectors) for value in part.values()]
names = [one.name for one in session.get_inputs()]
logits = session.run(None, dict(zip(names, arrays, strict=True)))[0]
wanted = model(cubes, vectors).logits.detach().numpy()
print(f"largest difference: {abs(logits - wanted).max():.1e}")

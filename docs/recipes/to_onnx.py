"""Export a run's network to ONNX, and check its numbers: python to_onnx.py RUN MODEL.onnx

Needs the extra `onnx`. The model takes any number of videos. T frames and K * K places are fixed.
"""

import sys

import onnxruntime
import torch

from rstan_lite import load

model = load(sys.argv[1], device="cpu").network
sizes, K, T = model.config, 7, 8
cubes = {s: torch.randn(2, T, K * K, sizes.d_cv[s]) for s in sizes.streams}
vectors = {s: torch.randn(2, T, sizes.d_fc[s]) for s in sizes.streams}
inputs = {"cubes": cubes, "vectors": vectors}
batch = {0: torch.export.Dim("B")}
free = {name: dict.fromkeys(part, batch) for name, part in inputs.items()}
torch.onnx.export(model, kwargs=inputs, f=sys.argv[2], dynamo=True, dynamic_shapes=free)
session = onnxruntime.InferenceSession(sys.argv[2])
cubes, vectors = ({s: x[:1] for s, x in part.items()} for part in inputs.values())  # one video
arrays = [value.numpy() for part in (cubes, vectors) for value in part.values()]
names = [one.name for one in session.get_inputs()]
logits = session.run(None, dict(zip(names, arrays, strict=True)))[0]
wanted = model(cubes, vectors).logits.detach().numpy()
print(f"largest difference: {abs(logits - wanted).max():.1e}")

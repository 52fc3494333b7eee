"""BN-Inception against a walk in NumPy, and the files of its published weights."""

import hashlib

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.torch import save_file

from rstan_lite.features.architectures import BNInception
from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.networks import load_imagenet
from rstan_lite.system.errors import CheckpointError

# Columns as in the table of Ioffe and Szegedy, numbers of the released Caffe network: side is that
# of the block's output for 224 pixels, pool "avg" or "max", "pass" a pooling without projection.
TABLE = """
block  side  1x1  reduce 3x3  reduce double-3x3  pool project  out
3a      28    64     64   64      64         96   avg      32  256
3b      28    64     64   96      64         96   avg      64  320
3c      14     -    128  160      64         96   max    pass  576
4a      14   224     64   96      96        128   avg     128  576
4b      14   192     96  128      96        128   avg     128  576
4c      14   160    128  160     128        160   avg     128  608
4d      14    96    128  192     160        192   avg     128  608
4e       7     -    128  192     192        256   max    pass 1056
5a       7   352    192  320     160        224   avg     128 1024
5b       7   352    192  320     192        224   max     128 1024
"""
PUBLISHED_PARAMETERS = 11_295_240  # of the network with 1000 classes, as model lists give it


def layers():
    """Every convolution in order: name, input, output channels, kernel, stride."""
    yield "conv1_7x7_s2", 3, 64, 7, 2
    yield "conv2_3x3_reduce", 64, 64, 1, 1
    yield "conv2_3x3", 64, 192, 3, 1
    width = 192
    for row in TABLE.split("\n")[2:-1]:
        name, _, one, r3, c3, rd, cd, _, project, out = row.split()
        stride, prefix = (2 if project == "pass" else 1), f"inception_{name}_"
        if one != "-":
            yield prefix + "1x1", width, int(one), 1, 1
        yield prefix + "3x3_reduce", width, int(r3), 1, 1
        yield prefix + "3x3", int(r3), int(c3), 3, stride
        yield prefix + "double_3x3_reduce", width, int(rd), 1, 1
        yield prefix + "double_3x3_1", int(rd), int(cd), 3, 1
        yield prefix + "double_3x3_2", int(cd), int(cd), 3, stride
        if project != "pass":
            yield prefix + "pool_proj", width, int(project), 1, 1
        width = int(out)


def test_names_shapes_and_number_of_parameters():
    expected = {"last_linear.weight": (1000, 1024), "last_linear.bias": (1000,)}
    for name, inputs, outputs, kernel, _ in layers():
        expected[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        for part in (".bias", "_bn.weight", "_bn.bias", "_bn.running_mean", "_bn.running_var"):
            expected[name + part] = (outputs,)
        expected[f"{name}_bn.num_batches_tracked"] = ()
    network = BNInception()
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == expected
    assert sum(p.numel() for p in network.parameters()) == PUBLISHED_PARAMETERS
    norm = network.inception_4c_3x3_bn
    assert (norm.eps, norm.momentum) == (1e-5, 0.1)  # Caffe's 0.9 is the share that is kept


class Walk:
    """The network as plain arrays (C, H, W), by the released Caffe description."""

    def __init__(self, state):
        self.state = {name: tensor.numpy() for name, tensor in state.items()}
        self.strides = {name: (kernel, stride) for name, _, _, kernel, stride in layers()}

    def unit(self, name, x):
        """Convolution with bias, batch normalisation by the stored statistics, ReLU."""
        kernel, stride = self.strides[name]
        edge = kernel // 2
        x = np.pad(x, ((0, 0), (edge, edge), (edge, edge)))
        windows = sliding_window_view(x, (kernel, kernel), (1, 2))[:, ::stride, ::stride]
        y = np.tensordot(self.state[f"{name}.weight"], windows, axes=((1, 2, 3), (0, 3, 4)))
        y += self.state[f"{name}.bias"][:, None, None]
        mean, variance, scale, shift = (
            self.state[f"{name}_bn.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return np.maximum(0, scale * (y - mean) / np.sqrt(variance + 1e-5) + shift)

    @staticmethod
    def halve(x):
        """Caffe's 3 x 3 maximum with stride 2: as many windows as start inside, the last cut."""
        n = -(-(x.shape[1] - 3) // 2) + 1
        rows = [x[:, 2 * i : 2 * i + 3].max(1) for i in range(n)]
        y = np.stack(rows, 1)
        return np.stack([y[:, :, 2 * i : 2 * i + 3].max(2) for i in range(n)], 2)

    @staticmethod
    def pool(x, kind):
        """3 x 3 places about each place; the average counts zeros beyond the border."""
        fill = 0.0 if kind == "avg" else -np.inf
        x = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=fill)
        windows = sliding_window_view(x, (3, 3), (1, 2))
        return windows.sum((3, 4)) / 9 if kind == "avg" else windows.max((3, 4))

    def run(self, image):
        """The output of every block, the pooled vector and the logits."""
        x = self.halve(self.unit("conv1_7x7_s2", image))
        x = self.halve(self.unit("conv2_3x3", self.unit("conv2_3x3_reduce", x)))
        found = {}
        for row in TABLE.split("\n")[2:-1]:
            name, _, one, *_, kind, project, out = row.split()
            prefix, parts = f"inception_{name}_", []
            if one != "-":
                parts.append(self.unit(prefix + "1x1", x))
            parts.append(self.unit(prefix + "3x3", self.unit(prefix + "3x3_reduce", x)))
            y = x
            for step in ("reduce", "1", "2"):
                y = self.unit(f"{prefix}double_3x3_{step}", y)
            parts.append(y)
            if project == "pass":
                parts.append(self.halve(x))
            else:
                parts.append(self.unit(prefix + "pool_proj", self.pool(x, kind)))
            x = found[name] = np.concatenate(parts)
            assert len(x) == int(out)
        vector = x.mean((1, 2))
        logits = self.state["last_linear.weight"] @ vector + self.state["last_linear.bias"]
        return found, vector, logits


@pytest.fixture(scope="module")
def network():
    """With random weights and random statistics of batch normalisation, in double precision."""
    torch.manual_seed(0)
    network = BNInception().double().eval()
    for name, module in network.named_modules():
        if name.endswith("_bn"):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.3, 1.2)
            torch.nn.init.uniform_(module.weight, 0.7, 1.4)
            torch.nn.init.normal_(module.bias, 0.1, 0.2)
    return network


@torch.no_grad()
def test_the_forward_pass_is_the_walks(network):
    from torchvision.models.feature_extraction import create_feature_extractor

    image = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    blocks, vector, logits = Walk(network.state_dict()).run(image[0].numpy())
    nodes = [f"inception_{name}_output" for name in blocks]
    found = create_feature_extractor(network, [*nodes, "global_pool", "last_linear"])(image)
    for name, block in blocks.items():
        assert block.std() > 0.05  # or there would be little to compare
        np.testing.assert_allclose(
            found[f"inception_{name}_output"][0], block, rtol=1e-9, atol=1e-10
        )
    np.testing.assert_allclose(found["global_pool"].flatten(), vector, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found["last_linear"][0], logits, rtol=1e-9, atol=1e-10)


def test_shapes_of_blocks_at_224_pixels():
    from torchvision.models.feature_extraction import create_feature_extractor

    rows = [row.split() for row in TABLE.split("\n")[2:-1]]
    with torch.device("meta"):  # shapes alone
        nodes = [f"inception_{row[0]}_output" for row in rows]
        found = create_feature_extractor(BNInception(), nodes)(torch.zeros(2, 3, 224, 224))
    for node, (_, side, *_, out) in zip(nodes, rows, strict=True):
        assert found[node].shape == (2, int(out), int(side), int(side))


def test_images_are_bgr_less_a_mean_and_flow_is_less_128():
    image = torch.tensor([128, 117, 104], dtype=torch.uint8).expand(1, 4, 4, 3).clone()
    image[0, 0, 0, 0] += 9  # red
    seen = FeatureNet(backbone("bninception"), "appearance").normalise(image)
    assert seen[0, 2, 0, 0] == pytest.approx(9, abs=1e-3)
    seen[0, 2, 0, 0] = 0
    assert seen.abs().max() < 1e-3
    flow = torch.full((1, 4, 4, 10), 128, dtype=torch.uint8)
    flow[..., 3] = 121
    seen = FeatureNet(backbone("bninception"), "motion").normalise(flow)
    assert seen[:, 3].allclose(torch.tensor(-7.0), atol=1e-3)
    assert seen[:, :3].abs().max() < 1e-3


def save_hashed(state, folder, digits, **options):
    """A file named as torch hub's: the digits begin its SHA-256."""
    path = folder / "new.pth"
    torch.save(state, path, **options)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(folder / f"bn_inception-{digest[:digits]}.pth")


def check_trunk(net, state):
    trunk = net.trunk.state_dict()
    for name, tensor in trunk.items():
        if name == "conv1_7x7_s2.weight" and net.stream == "motion":
            torch.testing.assert_close(tensor, state[name].mean(1, True).expand(-1, 10, -1, -1))
        elif not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(tensor, state[name])
    assert "inception_5b_pool_proj_bn.running_var" in trunk
    assert "last_linear.weight" not in trunk


@pytest.fixture(scope="module")
def state(network):
    return {k: v.float() if v.is_floating_point() else v for k, v in network.state_dict().items()}


def old_form(state):
    """As TSN's own release holds them: (1, C) statistics, no counters, the classifier `fc`."""
    return {
        name.replace("last_linear", "fc"): tensor[None] if "_bn." in name else tensor
        for name, tensor in state.items()
        if "num_batches" not in name
    }


@pytest.mark.parametrize("stream", ["appearance", "motion"])
def test_both_published_forms_are_read(stream, state, tmp_path):
    old = save_hashed(old_form(state), tmp_path, 16, _use_new_zipfile_serialization=False)
    net = FeatureNet(backbone("bninception"), stream)
    load_imagenet(net, old)
    check_trunk(net, state)
    new = save_hashed(state, tmp_path, 9)
    net = FeatureNet(backbone("bninception"), stream)
    load_imagenet(net, new)
    check_trunk(net, state)


def test_tensors_that_lack_are_named(state, tmp_path):
    more = {**state, "extra.weight": torch.zeros(2), "last_linear.bias": torch.zeros(7)}
    save_file(more, tmp_path / "more.safetensors")
    net = FeatureNet(backbone("bninception"), "appearance")
    load_imagenet(net, tmp_path / "more.safetensors")
    check_trunk(net, state)
    less = {k: v for k, v in state.items() if k != "inception_4b_3x3.weight"}
    save_file(less, tmp_path / "less.safetensors")
    with pytest.raises(CheckpointError, match=r"inception_4b_3x3\.weight"):
        load_imagenet(FeatureNet(backbone("bninception"), "motion"), tmp_path / "less.safetensors")

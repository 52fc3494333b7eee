"""What an RSTAN learns, under the paper's symbols: shapes and first values."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

GATES = ("i", "f", "o", "g")  # order of the blocks in U_x, U_phi, U_h and b, as in Eq. 8-11


class Stream(nn.Module):
    """Parameters of one stream.

    Always: U_x (4 d_h, d_fc), U_h (4 d_h, d_h), b (4 d_h,), in blocks of GATES.
    With attention also U_phi (4 d_h, d_cv); A_h (d_att, d_h), A_cv (d_att, d_cv), v_a and b_a
    (d_att,) of Eq. 2; B_h, B_L, v_b and b_b, of the same shapes, of Eq. 5.

    U_h starts orthogonal gate by gate, which keeps the length of h over many steps. The others
    start Xavier uniform, U_x and U_phi gate by gate, and biases at 0, but at 1 for the forget gate.
    """

    def __init__(self, d_h: int, d_att: int, d_fc: int, d_cv: int | None):
        """d_cv: None for a stream without attention."""
        super().__init__()
        self.U_x = _drawn(4 * d_h, d_fc, blocks=4)
        self.U_h = _drawn(4 * d_h, d_h, blocks=4, draw=nn.init.orthogonal_)
        self.b = nn.Parameter(torch.zeros(4 * d_h))
        with torch.no_grad():
            self.b.chunk(4)[GATES.index("f")].fill_(1.0)
        if d_cv is not None:
            self.U_phi = _drawn(4 * d_h, d_cv, blocks=4)
            self.A_h, self.A_cv = _drawn(d_att, d_h), _drawn(d_att, d_cv)  # Eq. 2
            self.v_a, self.b_a = _drawn(d_att), nn.Parameter(torch.zeros(d_att))
            self.B_h, self.B_L = _drawn(d_att, d_h), _drawn(d_att, d_cv)  # Eq. 5
            self.v_b, self.b_b = _drawn(d_att), nn.Parameter(torch.zeros(d_att))


class Classifier(nn.Module):
    """One data set's classifier: W (C, d_h) a stream; b (C,), or one a stream if not joint."""

    def __init__(self, streams: Sequence[str], d_h: int, classes: int, joint: bool):
        super().__init__()
        self.W = nn.ParameterDict({s: _drawn(classes, d_h) for s in streams})
        biases = {s: nn.Parameter(torch.zeros(classes)) for s in streams}
        self.b: nn.Parameter | nn.ParameterDict
        self.b = biases[streams[0]] if joint else nn.ParameterDict(biases)


def _drawn(
    *shape: int, blocks: int = 1, draw: Callable[[Tensor], Tensor] = nn.init.xavier_uniform_
) -> nn.Parameter:
    value = torch.empty(shape)
    for block in value.chunk(blocks):
        draw(block if block.ndim == 2 else block[None])
    return nn.Parameter(value)

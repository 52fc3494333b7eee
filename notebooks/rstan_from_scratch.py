"""RSTAN in plain PyTorch (Eq. 2-19). It trains on toy clips, or on the file that it is given.

Shapes: B videos, T steps, N frames that a step looks at, P places of a frame, C classes.
"""

import sys

import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear


def fresh(rows, columns, blocks=1):
    """Xavier uniform weights, drawn block by block. A single row becomes a vector."""
    drawn = [nn.init.xavier_uniform_(torch.empty(rows // blocks, columns)) for _ in range(blocks)]
    return nn.Parameter(torch.cat(drawn).squeeze(0))


class Stream(nn.Module):
    """What one stream learns, under the paper's symbols. Gates lie in the order i, f, o, g."""

    def __init__(self, d_fc, d_cv, d_h, d_att):
        super().__init__()
        self.U_x, self.U_phi, self.U_h = (fresh(4 * d_h, d, blocks=4) for d in (d_fc, d_cv, d_h))
        self.b = nn.Parameter(torch.tensor([0.0, 1, 0, 0]).repeat_interleave(d_h))
        self.A_h, self.A_cv, self.v_a = fresh(d_att, d_h), fresh(d_att, d_cv), fresh(1, d_att)
        self.B_h, self.B_L, self.v_b = fresh(d_att, d_h), fresh(d_att, d_cv), fresh(1, d_att)
        self.b_a, self.b_b = (nn.Parameter(torch.zeros(d_att)) for _ in "ab")

    def places(self, h, CV, gamma):
        inside = linear(CV, self.A_cv) + linear(h, self.A_h, self.b_a)[:, None, None]
        return torch.softmax(gamma * inside.tanh() @ self.v_a, dim=-1)  # Eq. 2-3, (B, N, P)

    def frames(self, h, L, gamma):
        inside = linear(L, self.B_L) + linear(h, self.B_h, self.b_b)[:, None]
        return torch.softmax(gamma * inside.tanh() @ self.v_b, dim=-1)  # Eq. 5-6, (B, N)

    def remember(self, x, phi, h, c):
        gates = linear(x, self.U_x) + linear(phi, self.U_phi) + linear(h, self.U_h, self.b)
        i, f, o, g = gates.chunk(4, dim=-1)  # (B, d_h) each
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()  # Eq. 8, 9, 11, 12
        return o.sigmoid() * c.tanh(), c  # Eq. 10, 13


class RSTAN(nn.Module):
    """sizes: (d_fc, d_cv) by stream. looks: frames that a step sees, None for all, 0: an LSTM."""

    def __init__(self, sizes, classes, d_h=64, d_att=32, looks=2, gammas=(1, 1)):
        super().__init__()
        self.d_h, self.looks, self.gammas = d_h, looks, gammas
        self.streams = nn.ModuleDict({s: Stream(*size, d_h, d_att) for s, size in sizes.items()})
        self.W = nn.ParameterDict({s: fresh(classes, d_h) for s in sizes})
        self.b = nn.Parameter(torch.zeros(classes))

    def forward(self, CV, FC):
        """CV (B, T, P, d_cv), FC (B, T, d_fc) by stream to logits (B, T, C) and maps (B, T, P)."""
        streams = self.streams.items()
        h = {s: FC[s].new_zeros(len(FC[s]), self.d_h) for s, _ in streams}  # h_0 = c_0 = 0
        c, phi, logits, maps = dict(h), {s: torch.zeros_like(CV[s][:, 0, 0]) for s in h}, [], []
        for t in range(FC[next(iter(h))].shape[1]):
            if self.looks != 0:
                first, last = (0, None) if self.looks is None else (t, t + self.looks)
                see = {s: CV[s][:, first:last] for s in h}  # (B, N, P, d_cv)
                each = [p.places(h[s], see[s], self.gammas[0]) for s, p in streams]
                alpha = torch.stack(each).amax(0)  # Eq. 14: the larger weight wins
                L = {s: torch.einsum("bnp,bnpd->bnd", alpha, see[s]) for s in h}  # Eq. 4
                each = [p.frames(h[s], L[s], self.gammas[1]) for s, p in streams]
                beta = torch.stack(each).amax(0)  # Eq. 15
                phi = {s: torch.einsum("bn,bnd->bd", beta, L[s]) for s in h}  # Eq. 7
                maps.append(alpha[:, t - first])  # over frame t itself, for Eq. 18
            for s, p in streams:
                h[s], c[s] = p.remember(FC[s][:, t], phi[s], h[s], c[s])
            logits.append(sum(linear(h[s], self.W[s]) for s in h) + self.b)  # Eq. 16
        return torch.stack(logits, dim=1), torch.stack(maps, dim=1) if maps else None


def losses(logits, maps, labels, M, kind="ce"):
    """All steps' cross-entropy (Eq. 17), and how far the maps are from silhouettes M (Eq. 18)."""
    wanted = labels[:, None].expand(logits.shape[:2])
    main = cross_entropy(logits.mT, wanted, reduction="sum") / len(labels)
    if maps is None:
        return main, torch.zeros(())
    share = (maps / maps.sum(-1, keepdim=True)).clamp(min=1e-38)
    rows = (maps - M).square() if kind == "l2" else -M * share.log()
    return main, (rows.sum(-1) * (M.sum(-1) > 0)).sum() / len(labels)


def train(model, batches, milestone, lambda_AA, kind="ce"):
    """Section IV-B: SGD, a tenth of the rate from the milestone on; long gradients are cut."""
    optimizer = torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [milestone])
    for CV, FC, labels, M in batches:
        main, actor = losses(*model(CV, FC), labels, M, kind)
        optimizer.zero_grad()
        (main + lambda_AA * actor).backward()  # Eq. 19
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()


def toy_clips(n, T=6, P=9):
    """Two people move, up and down. Appearance sees which of them counts, motion how they move."""
    i, labels, actor = torch.arange(n), torch.randint(2, (n,)), torch.randint(P, (n,))
    rival, up = (actor + torch.randint(1, P, (n,))) % P, 4.0 * labels[:, None] - 2
    CV = {s: 0.1 * torch.randn(n, T, P, 2) for s in ("appearance", "motion")}
    CV["appearance"][i, :, actor, 0] += 2
    CV["motion"][i, :, actor, 1], CV["motion"][i, :, rival, 1] = up, -up
    return CV, {s: x.mean(2) for s, x in CV.items()}, labels, torch.eye(P)[actor].unsqueeze(1)


if __name__ == "__main__":
    torch.manual_seed(0)
    toys = [toy_clips(16) for _ in range(120)], toy_clips(100)
    batches, (CV, FC, labels, M) = torch.load(sys.argv[1]) if sys.argv[1:] else toys
    model = RSTAN({s: (FC[s].shape[-1], CV[s].shape[-1]) for s in CV}, int(labels.max()) + 1)
    train(model, batches, milestone=len(batches) * 3 // 5, lambda_AA=2.0)
    logits, maps = model(CV, FC)
    right = (logits[:, -1].argmax(-1) == labels).float().mean()
    on = ((maps * (M > 0)).sum() / maps.sum()).item()
    print(f"{right:.0%} of the test clips named rightly, {on:.0%} of the attention on the person")

"""RSTAN as the lessons build it, one class further in each: for whoever comes in at a later one."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy


def fresh(rows, columns, blocks=1):
    """Xavier uniform weights, drawn block by block. A single row becomes a vector."""
    drawn = [nn.init.xavier_uniform_(torch.empty(rows // blocks, columns)) for _ in range(blocks)]
    return nn.Parameter(torch.cat(drawn).squeeze(0))


def lstm_step(x, h, c, p):
    """One step of B clips: x (B, d_x), h and c (B, d_h) to the new h and c."""
    i, f, o, g = (x @ p.U_x.T + h @ p.U_h.T + p.b).chunk(4, dim=-1)  # (B, d_h) each
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)  # Eq. 8, 9, 11, 12
    h = torch.sigmoid(o) * torch.tanh(c)  # Eq. 10, 13
    return h, c


class LSTM(nn.Module):
    """Reads one vector per frame, and names the action at every step."""

    def __init__(self, d_x, classes, d_h=64):
        super().__init__()
        self.U_x, self.U_h = fresh(4 * d_h, d_x, blocks=4), fresh(4 * d_h, d_h, blocks=4)
        self.b = nn.Parameter(torch.tensor([0.0, 1, 0, 0]).repeat_interleave(d_h))  # f starts open
        self.W, self.b_y = fresh(classes, d_h), nn.Parameter(torch.zeros(classes))

    def forward(self, x):
        h = c = x.new_zeros(len(x), self.U_h.shape[1])  # h_0 = c_0 = 0
        logits = []
        for t in range(x.shape[1]):
            h, c = lstm_step(x[:, t], h, c, self)
            logits.append(h @ self.W.T + self.b_y)
        return torch.stack(logits, dim=1)  # (B, T, C)


def place_weights(h, CV, p, gamma=1.0):
    """Weights of the places: h (B, d_h) and CV (B, N, P, d_cv) to alpha (B, N, P)."""
    inside = CV @ p.A_cv.T + (h @ p.A_h.T)[:, None, None] + p.b_a  # (B, N, P, d_att)
    scores = torch.tanh(inside) @ p.v_a  # Eq. 2, (B, N, P)
    return torch.softmax(gamma * scores, dim=-1)  # Eq. 3


def weighted_sum(weights, vectors):
    """Vectors (..., n, d), added up by their weights (..., n), to (..., d): Eq. 4 and Eq. 7."""
    return (weights[..., None] * vectors).sum(dim=-2)


class SpatialLSTM(LSTM):
    """Reads, at each step, the places of the step's own frame that it attends to."""

    def __init__(self, d_cv, classes, d_h=64, d_att=32):
        super().__init__(d_cv, classes, d_h)
        self.A_h, self.A_cv, self.v_a = fresh(d_att, d_h), fresh(d_att, d_cv), fresh(1, d_att)
        self.b_a = nn.Parameter(torch.zeros(d_att))

    def forward(self, CV):
        h = c = CV.new_zeros(len(CV), self.U_h.shape[1])
        logits, maps = [], []
        for t in range(CV.shape[1]):
            alpha = place_weights(h, CV[:, t : t + 1], self)  # (B, N = 1, P)
            L = weighted_sum(alpha, CV[:, t : t + 1])  # (B, 1, d_cv)
            h, c = lstm_step(L[:, 0], h, c, self)
            logits.append(h @ self.W.T + self.b_y)
            maps.append(alpha[:, 0])
        return torch.stack(logits, dim=1), torch.stack(maps, dim=1)  # (B, T, C), (B, T, P)


def frame_weights(h, L, p, gamma=1.0):
    """Weights of the frames: h (B, d_h) and L (B, N, d_cv) to beta (B, N)."""
    inside = L @ p.B_L.T + (h @ p.B_h.T)[:, None] + p.b_b  # (B, N, d_att)
    scores = torch.tanh(inside) @ p.v_b  # Eq. 5, (B, N)
    return torch.softmax(gamma * scores, dim=-1)  # Eq. 6


class SpatialTemporalLSTM(SpatialLSTM):
    """Reads, at each step, the context: what it attends to in all frames of the clip."""

    def __init__(self, d_cv, classes, d_h=64, d_att=32):
        super().__init__(d_cv, classes, d_h, d_att)
        self.B_h, self.B_L, self.v_b = fresh(d_att, d_h), fresh(d_att, d_cv), fresh(1, d_att)
        self.b_b = nn.Parameter(torch.zeros(d_att))

    def forward(self, CV):
        h = c = CV.new_zeros(len(CV), self.U_h.shape[1])
        logits, betas = [], []
        for _ in range(CV.shape[1]):
            L = weighted_sum(place_weights(h, CV, self), CV)  # Eq. 2-4, (B, T, d_cv)
            beta = frame_weights(h, L, self)  # Eq. 5-6, (B, T)
            h, c = lstm_step(weighted_sum(beta, L), h, c, self)  # Eq. 7, then the LSTM
            logits.append(h @ self.W.T + self.b_y)
            betas.append(beta)
        return torch.stack(logits, dim=1), torch.stack(betas, dim=1)  # (B, T, C), (B, T, T)


def remember(x, Phi, h, c, p):
    """One step with context: x (B, d_fc), Phi (B, d_cv), h and c (B, d_h) to the new h and c."""
    gates = x @ p.U_x.T + Phi @ p.U_phi.T + h @ p.U_h.T + p.b  # (B, 4 d_h)
    i, f, o, g = gates.chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)  # Eq. 8, 9, 11, 12
    return torch.sigmoid(o) * torch.tanh(c), c  # Eq. 10, 13


class Stream(nn.Module):
    """All that one stream learns, but for the classifier."""

    def __init__(self, d_fc, d_cv, d_h=64, d_att=32):
        super().__init__()
        self.U_x, self.U_phi, self.U_h = (fresh(4 * d_h, d, blocks=4) for d in (d_fc, d_cv, d_h))
        self.b = nn.Parameter(torch.tensor([0.0, 1, 0, 0]).repeat_interleave(d_h))
        self.A_h, self.A_cv, self.v_a = fresh(d_att, d_h), fresh(d_att, d_cv), fresh(1, d_att)
        self.B_h, self.B_L, self.v_b = fresh(d_att, d_h), fresh(d_att, d_cv), fresh(1, d_att)
        self.b_a, self.b_b = (nn.Parameter(torch.zeros(d_att)) for _ in "ab")


class RecurrentAttention(nn.Module):
    """One stream of RSTAN. looks: frames that a step sees, from its own on; None: all."""

    def __init__(self, d_fc, d_cv, classes, d_h=64, d_att=32, looks=2, gammas=(1.0, 1.0)):
        super().__init__()
        self.stream, self.looks, self.gammas = Stream(d_fc, d_cv, d_h, d_att), looks, gammas
        self.W, self.b_y = fresh(classes, d_h), nn.Parameter(torch.zeros(classes))

    def forward(self, CV, FC):
        p, logits, alphas, betas = self.stream, [], [], []
        h = c = FC.new_zeros(len(FC), p.U_h.shape[1])
        for t in range(FC.shape[1]):
            see = CV if self.looks is None else CV[:, t : t + self.looks]  # (B, N, P, d_cv)
            alpha = place_weights(h, see, p, self.gammas[0])  # Eq. 2-3
            L = weighted_sum(alpha, see)  # Eq. 4
            beta = frame_weights(h, L, p, self.gammas[1])  # Eq. 5-6
            h, c = remember(FC[:, t], weighted_sum(beta, L), h, c, p)  # Eq. 7, then 8-13
            logits.append(h @ self.W.T + self.b_y)
            alphas.append(alpha)
            betas.append(beta)
        return torch.stack(logits, dim=1), alphas, betas  # (B, T, C); by step, (B, N, P), (B, N)


def look_together(h, see, streams, gammas=(1.0, 1.0)):
    """What two streams attend to: h (B, d_h), see (B, N, P, d_cv) by stream.

    Returns alpha_com (B, N, P), beta_com (B, N), and Phi (B, d_cv) by stream.
    """
    alpha = [place_weights(h[s], see[s], p, gammas[0]) for s, p in streams.items()]
    alpha_com = torch.maximum(*alpha)  # Eq. 14
    L = {s: weighted_sum(alpha_com, see[s]) for s in see}  # Eq. 4
    beta = [frame_weights(h[s], L[s], p, gammas[1]) for s, p in streams.items()]
    beta_com = torch.maximum(*beta)  # Eq. 15
    return alpha_com, beta_com, {s: weighted_sum(beta_com, L[s]) for s in L}  # Eq. 7


class RSTAN(nn.Module):
    """Two streams that look together and answer together. sizes: (d_fc, d_cv) by stream."""

    def __init__(self, sizes, classes, d_h=64, d_att=32, looks=2, gammas=(1.0, 1.0)):
        super().__init__()
        self.looks, self.gammas, self.d_h = looks, gammas, d_h
        self.streams = nn.ModuleDict({s: Stream(*size, d_h, d_att) for s, size in sizes.items()})
        self.W = nn.ParameterDict({s: fresh(classes, d_h) for s in sizes})
        self.b = nn.Parameter(torch.zeros(classes))

    def forward(self, CV, FC):
        h = {s: x.new_zeros(len(x), self.d_h) for s, x in FC.items()}
        c, logits, maps = dict(h), [], []
        for t in range(FC["motion"].shape[1]):
            first, last = (0, None) if self.looks is None else (t, t + self.looks)
            see = {s: CV[s][:, first:last] for s in h}
            alpha, _, Phi = look_together(h, see, self.streams, self.gammas)  # Eq. 2-7, 14, 15
            for s, p in self.streams.items():
                h[s], c[s] = remember(FC[s][:, t], Phi[s], h[s], c[s], p)  # Eq. 8-13
            logits.append(sum(h[s] @ self.W[s].T for s in h) + self.b)  # Eq. 16
            maps.append(alpha[:, t - first])
        return torch.stack(logits, dim=1), torch.stack(maps, dim=1)


def main_loss(logits, labels):
    """Cross-entropy of every step (Eq. 17): logits (B, T, C), labels (B,) to a number."""
    wanted = labels[:, None].expand(logits.shape[:2])
    return cross_entropy(logits.mT, wanted, reduction="sum") / len(labels)


def silhouette_loss(alpha, M, kind="ce"):
    """Eq. 18 of B clips: maps and targets (B, T, P) to a number; "l2", or "ce" for Table II's."""
    if kind == "l2":
        rows = (alpha - M).square().sum(-1)  # Eq. 18, (B, T)
    else:
        rows = -(M * torch.log(alpha / alpha.sum(-1, keepdim=True))).sum(-1)
    return (rows * (M.sum(-1) > 0)).sum() / len(M)  # frames without a silhouette add nothing


class Objective(nn.Module):
    """What training makes small (Eq. 19): the losses of a model's answers and maps."""

    def __init__(self, model, lambda_AA=2.0, kind="ce"):
        super().__init__()
        self.model, self.lambda_AA, self.kind = model, lambda_AA, kind

    def forward(self, CV, FC, labels, M):
        logits, maps = self.model(CV, FC)
        main, actor = main_loss(logits, labels), silhouette_loss(maps, M, self.kind)
        return main + self.lambda_AA * actor, main, actor

"""Every equation of the paper as plain loops over float64 numbers, apart from the package.

Nothing here is fast or shared with rstan_lite: a sum in an equation is a loop, a superscript star
is a loop over streams, and softmaxes are exponentials over their sum, as printed. Arrays are
NumPy's; places and frames are indexed from 0.
"""

from types import SimpleNamespace

import numpy as np

GATE_ROWS = {"i": 0, "f": 1, "o": 2, "g": 3}  # block of U and b that each gate owns


def dot(a, b):
    total = 0.0
    for left, right in zip(a, b, strict=True):
        total += float(left) * float(right)
    return total


def times(matrix, vector):
    return [dot(row, vector) for row in matrix]


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def eq01_places(cube):
    """(K, K, d_cv) cube -> its K * K vectors, row after row."""
    places = []
    for row in range(cube.shape[0]):
        for column in range(cube.shape[1]):
            places.append(cube[row, column])
    return np.array(places)


def eq02_location_score(h, cv, A_h, A_cv, v_a, b_a):
    """Un-normalised score of one place vector cv (d_cv,)."""
    guide, seen = times(A_h, h), times(A_cv, cv)
    total = 0.0
    for unit in range(len(v_a)):
        total += v_a[unit] * np.tanh(guide[unit] + seen[unit] + b_a[unit])
    return total


def eq03_location_weights(scores, gamma):
    """Scores of one frame's places -> weights."""
    powers = [np.exp(score) ** gamma for score in scores]
    total = 0.0
    for power in powers:
        total += power
    return [power / total for power in powers]


def eq04_frame_feature(alpha, places):
    feature = np.zeros(places.shape[1])
    for k in range(len(places)):
        feature = feature + alpha[k] * places[k]
    return feature


def eq05_frame_score(h, feature, B_h, B_L, v_b, b_b):
    """Un-normalised score of one frame feature (d_cv,)."""
    guide, seen = times(B_h, h), times(B_L, feature)
    total = 0.0
    for unit in range(len(v_b)):
        total += v_b[unit] * np.tanh(guide[unit] + seen[unit] + b_b[unit])
    return total


def eq06_frame_weights(scores, gamma):
    powers = [np.exp(score) ** gamma for score in scores]
    total = 0.0
    for power in powers:
        total += power
    return [power / total for power in powers]


def eq07_context(beta, features):
    context = np.zeros(len(features[0]))
    for n in range(len(features)):
        context = context + beta[n] * features[n]
    return context


def _gate(gate, x, phi, h, U_x, U_phi, U_h, b):
    """What stands inside the brackets of Eq. 8-11; phi is None in the plain LSTM."""
    d_h = len(h)
    inside = []
    for unit in range(d_h):
        row = GATE_ROWS[gate] * d_h + unit
        total = dot(U_x[row], x) + dot(U_h[row], h) + b[row]
        if phi is not None:
            total += dot(U_phi[row], phi)
        inside.append(total)
    return np.array(inside)


def eq08_input_gate(*parts):
    return sigmoid(_gate("i", *parts))


def eq09_forget_gate(*parts):
    return sigmoid(_gate("f", *parts))


def eq10_output_gate(*parts):
    return sigmoid(_gate("o", *parts))


def eq11_candidate(*parts):
    return np.tanh(_gate("g", *parts))


def eq12_memory(f, c, i, g):
    return np.array([f[u] * c[u] + i[u] * g[u] for u in range(len(c))])


def eq13_hidden(o, c):
    return np.array([o[u] * np.tanh(c[u]) for u in range(len(c))])


def _merge(by_stream, fusion):
    """One weight a place or frame out of one a stream."""
    merged = []
    for entry in range(len(by_stream[0])):
        values = [weights[entry] for weights in by_stream]
        merged.append(max(values) if fusion == "max" else sum(values) / len(values))
    return merged


def eq14_fused_locations(by_stream, fusion="max"):
    return _merge(by_stream, fusion)


def eq15_fused_frames(by_stream, fusion="max"):
    return _merge(by_stream, fusion)


def softmax(values):
    powers = [np.exp(value) for value in values]
    return np.array([power / sum(powers) for power in powers])


def eq16_prediction(hidden, W, b):
    """Lists of h (d_h,) and W (C, d_h), one a stream -> y_hat (C,)."""
    inside = []
    for c in range(len(b)):
        total = b[c]
        for h, weight in zip(hidden, W, strict=True):
            total += dot(weight[c], h)
        inside.append(total)
    return softmax(inside)


def eq17_main_loss(y_hat, label, decay=0.0, parameters=()):
    """y_hat (T, C) of one video with class label."""
    loss = 0.0
    for t in range(len(y_hat)):
        for c in range(len(y_hat[t])):
            y = 1.0 if c == label else 0.0
            loss -= y * np.log(y_hat[t][c])
    squares = 0.0
    for parameter in parameters:
        for value in np.ravel(parameter):
            squares += value**2
    return loss + decay * np.sqrt(squares)


def eq18_actor_attention(alpha_diagonal, target):
    """Maps and silhouettes (T, P) of one video; a silhouette of zeros is none at all."""
    loss = 0.0
    for t in range(len(target)):
        if sum(target[t]) == 0:
            continue
        for k in range(len(target[t])):
            loss += (alpha_diagonal[t][k] - target[t][k]) ** 2
    return loss


def eq18_cross_entropy(alpha_diagonal, target):
    """Table II's other form of the same loss."""
    loss = 0.0
    for t in range(len(target)):
        for k in range(len(target[t])):
            if target[t][k] > 0:
                loss -= target[t][k] * np.log(alpha_diagonal[t][k] / sum(alpha_diagonal[t]))
    return loss


def eq19_total_loss(main, actor_attention, lambda_aa):
    return main + lambda_aa * actor_attention


def frames_of_step(config, t, steps):
    """Slots of step t: a frame's index, or None past the end of the clip."""
    if config.attention == "all":
        return list(range(steps))
    size = 1 if config.attention == "current" else min(config.window, steps)
    return [t + j if t + j < steps else None for j in range(size)]


def fuse(config, by_stream, equation):
    """Weights by stream -> the weights that each stream uses."""
    if config.fusion == "none":
        return by_stream
    merged = equation(list(by_stream.values()), config.fusion)
    if config.renormalize:
        merged = [weight / sum(merged) for weight in merged]
    return {stream: merged for stream in by_stream}


def forward_video(params, cubes, vectors, config, real):
    """One video: cubes[s] (T, P, d_cv), vectors[s] (T, d_fc), real (T,) -> see forward."""
    streams = list(config.streams)
    steps = len(real)
    h = {s: np.zeros(config.d_h) for s in streams}
    c = {s: np.zeros(config.d_h) for s in streams}
    rows = []
    y_hat = y_stream = None
    for t in range(steps):
        slots = [] if config.attention == "none" else frames_of_step(config, t, steps)
        places = cubes[streams[0]].shape[1] if slots else 0
        row = SimpleNamespace(
            alpha={s: np.zeros((len(slots), places)) for s in streams},
            beta={s: np.zeros(len(slots)) for s in streams},
            alpha_com={s: np.zeros((len(slots), places)) for s in streams},
            beta_com={s: np.zeros(len(slots)) for s in streams},
        )
        if real[t]:
            phi = {s: None for s in streams}
            if slots:
                used = [j for j, n in enumerate(slots) if n is not None and real[n]]
                features = {s: [] for s in streams}
                for j in used:
                    n = slots[j]
                    alpha = {}
                    for s in streams:
                        p = params[s]
                        scores = [
                            eq02_location_score(h[s], cv, p["A_h"], p["A_cv"], p["v_a"], p["b_a"])
                            for cv in cubes[s][n]
                        ]
                        alpha[s] = eq03_location_weights(scores, config.gamma_alpha)
                    alpha_com = fuse(config, alpha, eq14_fused_locations)
                    for s in streams:
                        features[s].append(eq04_frame_feature(alpha_com[s], cubes[s][n]))
                        row.alpha[s][j], row.alpha_com[s][j] = alpha[s], alpha_com[s]
                beta = {}
                for s in streams:
                    p = params[s]
                    scores = [
                        eq05_frame_score(h[s], feature, p["B_h"], p["B_L"], p["v_b"], p["b_b"])
                        for feature in features[s]
                    ]
                    beta[s] = eq06_frame_weights(scores, config.gamma_beta)
                beta_com = fuse(config, beta, eq15_fused_frames)
                for s in streams:
                    phi[s] = eq07_context(beta_com[s], features[s])
                    for position, j in enumerate(used):
                        row.beta[s][j] = beta[s][position]
                        row.beta_com[s][j] = beta_com[s][position]
            for s in streams:
                p = params[s]
                U_phi = p["U_phi"] if slots else None
                parts = (vectors[s][t], phi[s], h[s], p["U_x"], U_phi, p["U_h"], p["b"])
                i, f = eq08_input_gate(*parts), eq09_forget_gate(*parts)
                o, g = eq10_output_gate(*parts), eq11_candidate(*parts)
                c[s] = eq12_memory(f, c[s], i, g)
                h[s] = eq13_hidden(o, c[s])
            W, b = params["W"], params["b"]
            if config.classifier == "joint":
                y_hat = eq16_prediction([h[s] for s in streams], [W[s] for s in streams], b)
            else:
                y_stream = {s: eq16_prediction([h[s]], [W[s]], b[s]) for s in streams}
                y_hat = sum(y_stream.values()) / len(streams)
        row.y_hat, row.y_stream = y_hat, y_stream
        row.h, row.c = dict(h), dict(c)
        row.slots = slots
        rows.append(row)
    return rows


def forward(params, cubes, vectors, config, frame_mask=None):
    """The whole network of Eq. 2-16 over a batch.

    params[stream][symbol], params["W"][stream], params["b"] (or params["b"][stream] where the
    classifier is "score"); cubes[stream] (B, T, P, d_cv); vectors[stream] (B, T, d_fc); config:
    anything with RSTANConfig's fields; frame_mask (B, T), real frames first in each row.
    Returns y_hat (B, T, C), y_stream, alpha (B, T, N, P) and beta (B, T, N) of each stream before
    fusion, alpha_com and beta_com as each stream uses them, diagonal (B, T, P) of each stream.
    """
    streams = list(config.streams)
    videos, steps = vectors[streams[0]].shape[:2]
    mask = np.ones((videos, steps), bool) if frame_mask is None else frame_mask
    batch = []
    for v in range(videos):
        own_cubes = {s: cubes[s][v] for s in streams} if config.attention != "none" else {}
        own_vectors = {s: vectors[s][v] for s in streams}
        batch.append(forward_video(params, own_cubes, own_vectors, config, mask[v]))

    def collect(pick):
        return np.array([[pick(row) for row in rows] for rows in batch])

    result = SimpleNamespace(y_hat=collect(lambda row: row.y_hat), y_stream=None)
    if config.classifier == "score":
        result.y_stream = {s: collect(lambda row, s=s: row.y_stream[s]) for s in streams}
    for field in ("alpha", "beta", "alpha_com", "beta_com"):
        by_stream = {s: collect(lambda row, s=s, f=field: getattr(row, f)[s]) for s in streams}
        setattr(result, field, by_stream)
    result.diagonal = {}
    if config.attention != "none":
        for s in streams:
            maps = [
                [row.alpha_com[s][row.slots.index(t)] for t, row in enumerate(rows)]
                for rows in batch
            ]
            result.diagonal[s] = np.array(maps)
    return result

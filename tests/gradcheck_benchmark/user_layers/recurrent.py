"""A recurrent cell: paths through gates and through time."""

import numpy as np

from .base import UserLayer, normal, sigmoid

H = 3


class GRULayer(UserLayer):
    """h[t] = z h[t-1] + (1 - z) n, n = tanh(x W_n + (r h[t-1]) U_n); W, U and b hold z, r and n side by side."""

    shape = (3, 4, 2)
    weights = {"W": (lambda s: (s[-1], 3 * H), normal), "U": ((H, 3 * H), normal), "b": ((3 * H,), "zeros")}
    bugs = {
        "z and 1-z swapped": "dz is d * (n - h), where d * (h - n) is due: z and 1 - z are exchanged, the gate's sign is wrong",
        "carry z h missing": "the direct path h[t-1] -> z h[t-1] is missing in what goes back in time",
        "reset path missing": "the path h[t-1] -> r h[t-1] -> n is missing in what goes back in time",
        "no gradient through time": "nothing is carried back from one step to the step before",
        "candidate without tanh'": "the derivative of n's tanh is missing",
        "U n-gate without r": "the candidate's part of U.grad is made from h, where r * h is due",
        "bias of last step": "b.grad holds the last step alone, where the sum over time is due",
        "z without sigmoid'": "the derivative of z's sigmoid is missing",
    }

    def forward(self, x):
        W, U, b = self.W.value, self.U.value, self.b.value
        h, steps, out = np.zeros((len(x), H), x.dtype), [], []
        for t in range(x.shape[1]):
            a = x[:, t] @ W + b
            z = sigmoid(a[:, :H] + h @ U[:, :H])
            r = sigmoid(a[:, H : 2 * H] + h @ U[:, H : 2 * H])
            n = np.tanh(a[:, 2 * H :] + (r * h) @ U[:, 2 * H :])
            steps.append((x[:, t], h, z, r, n))
            h = z * h + (1 - z) * n
            out.append(h)
        self.cache = steps
        return np.stack(out, 1)

    def backward(self, dy):
        steps, W, U, bug = self.cache, self.W.value, self.U.value, self.bug
        dW, dU, db = np.zeros(W.shape, dy.dtype), np.zeros(U.shape, dy.dtype), np.zeros(3 * H, dy.dtype)
        dh, dx = np.zeros_like(dy[:, 0]), []
        for t in reversed(range(len(steps))):
            x, h, z, r, n = steps[t]
            d = dy[:, t] + dh
            dz = d * (n - h if bug == "z and 1-z swapped" else h - n)
            dn = d * (1 - z)
            an = dn if bug == "candidate without tanh'" else dn * (1 - n * n)
            az = dz if bug == "z without sigmoid'" else dz * z * (1 - z)
            drh = an @ U[:, 2 * H :].T
            ar = drh * h * r * (1 - r)
            da = np.concatenate([az, ar, an], 1)
            dW += x.T @ da
            if bug != "bias of last step" or t == len(steps) - 1:
                db += da.sum(0)
            dU[:, : 2 * H] += h.T @ da[:, : 2 * H]
            dU[:, 2 * H :] += (h if bug == "U n-gate without r" else r * h).T @ an
            dh = az @ U[:, :H].T + ar @ U[:, H : 2 * H].T
            if bug != "reset path missing":
                dh = dh + drh * r
            if bug != "carry z h missing":
                dh = dh + d * z
            if bug == "no gradient through time":
                dh = dh * 0
            dx.append(da @ W.T)
        self.W.grad, self.U.grad, self.b.grad = dW, dU, db
        return np.stack(dx[::-1], 1)


CLASSES = [GRULayer]

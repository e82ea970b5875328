"""Spirals: a network with two hidden layers bends its decision boundary, epoch by epoch, around intertwined spirals.

python models/spirals.py                three spirals; train, report and draw into output/
python models/spirals.py --classes 2    two of them
"""

import argparse
import json
import sys
import time
from pathlib import Path

import minitorch_np as mt
from minitorch_np import callbacks, datasets, plotting, schedules, significance


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=3, help="how many spirals (3)")
    parser.add_argument("--noise", type=float, default=0.12, help="how far points lie off their spiral (0.12)")
    parser.add_argument("--points", type=int, default=600, help="to learn from; as many again are held out (600)")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--learning-rate", type=float, default=0.02, help="at first (0.02)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--hidden", type=int, nargs="*", default=[64, 64], help="units of the hidden layers (64 64)")
    parser.add_argument("--seed", type=int, default=1, help="of the points and of the network")
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for all that is written (output)")
    return parser.parse_args()


def build(hidden, args):
    """The last layer gives one score per class; the loss turns scores into probabilities by itself."""
    layers = [mt.Input((2,))]
    for units in hidden:
        layers += [mt.Dense(units, kernel_initializer="he_normal"), mt.ReLU()]
    layers.append(mt.Dense(args.classes))
    model = mt.Sequential(layers, rng=args.seed)
    optimizer = mt.SGD(args.learning_rate, momentum=0.9)
    return model.compile(optimizer=optimizer, loss=mt.CrossEntropyLoss(), metrics=["accuracy"])


class Snapshots(mt.Callback):
    """Keep the weights after five of the epochs: the first, the last, and between them each so many times as late as the one before."""

    def on_train_begin(self, logs=None):
        self.due = {round(self.params["epochs"] ** (place / 4)) for place in range(5)}
        self.taken = []

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 in self.due:
            title = f"epoch {epoch + 1}: {logs['accuracy']:.0%} right"
            self.taken.append((title, self.model.get_weights()))


def draw(model, x, y, snapshots, history, path):
    """The boundary as it was at each snapshot, and the learning curve."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(2, 3, figsize=(12, 8), layout="constrained")
    *places, last = axes.ravel()
    for ax, (title, weights) in zip(places, snapshots, strict=False):
        model.set_weights(weights)
        plotting.plot_decision_boundary(model, x, y, ax=ax, title=title)
    for ax in places[len(snapshots) :]:
        ax.axis("off")
    plotting.plot_history(history, ax=last, title="Cost on the points to learn from").set_box_aspect(1)
    last.figure.savefig(path, dpi=110)


def main():
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    x, y = datasets.make_spirals(2 * args.points, args.classes, args.noise, rng=args.seed)
    x_train, y_train, x_test, y_test = x[: args.points], y[: args.points], x[args.points :], y[args.points :]
    print(f"{args.points} points of {args.classes} spirals to learn from, {args.points} for the test")
    linear = build([], args)
    linear.fit(x_train, y_train, epochs=args.epochs, batch_size=args.batch_size)

    model = build(args.hidden, args)
    model.summary()
    snapshots = Snapshots()
    # At a constant rate the last steps still jump, and where training ends is luck. So the rate falls along half a cosine.
    falling = callbacks.LearningRateScheduler(schedules.CosineDecay(args.learning_rate, steps=args.epochs))
    start = time.perf_counter()
    history = model.fit(
        x_train, y_train, epochs=args.epochs, batch_size=args.batch_size, callbacks=[snapshots, falling]
    )
    seconds = time.perf_counter() - start
    model.save(args.output / "spirals.keras")

    answers = {name: m.predict(x_test).argmax(axis=1) for name, m in (("regression", linear), ("network", model))}
    scores = {name: significance.score(y_test, answer) for name, answer in answers.items()}
    print(f"trained in {seconds:.1f} s; cost {history['loss'][0]:.4f} at first, {history['loss'][-1]:.4f} at last\n")
    for name, score in scores.items():
        low, high = score["interval"]
        print(
            f"{name:10}  {score['accuracy']:.1%} right, {score['misses']} misses (95 % interval {low:.1%} to {high:.1%})"
        )
    settings = {name: str(value) for name, value in vars(args).items()}
    metrics = {"settings": settings, "seconds": seconds, "test": scores, "costs": history["loss"]}
    (args.output / "spirals_metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    try:
        draw(model, x_train, y_train, snapshots.taken, history, args.output / "spirals.png")
    except ImportError as error:
        print(f"No picture is drawn. It needs matplotlib: pip install 'minitorch-np[plot]' ({error})")
    print(f"Written to {args.output}/")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"spirals: {error}")

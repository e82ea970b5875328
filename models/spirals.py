"""Spirals: a network with two hidden layers bends its decision boundary, epoch by epoch, around intertwined spirals.

python models/spirals.py                three spirals; train, report and plot into output/spirals/
python models/spirals.py --classes 2    two of them
"""

import math
import time

from recipe import make_folder, number, options, run, stop_if_interrupted, write_metrics

import minitorch_np as mt
from minitorch_np import callbacks, datasets, plotting, schedules, significance

BASELINE_EPOCHS, BASELINE_RATE = 150, 0.02  # more than softmax regression needs: it changes little after 20 epochs


def arguments():
    parser = options(__doc__, "spirals", epochs=150)
    parser.add_argument("--classes", type=number(int, 2), default=3, help="number of spirals (3)")
    parser.add_argument(
        "--noise",
        type=number(float, 0),
        default=0.12,
        help="standard deviation of the points around their spiral (0.12)",
    )
    parser.add_argument(
        "--points", type=number(int, 1), default=600, help="for training, and as many for the test (600)"
    )
    parser.add_argument("--learning-rate", type=number(float, 0), default=0.02, help="at first (0.02)")
    parser.add_argument("--batch-size", type=number(int, 1), default=32, help="points in a step (32)")
    parser.add_argument(
        "--hidden", type=number(int, 1), nargs="*", default=[64, 64], help="units of the hidden layers (64 64)"
    )
    return parser.parse_args()


def build(hidden, learning_rate, args):
    """The last layer gives one logit per class; the loss includes the softmax."""
    layers = [mt.Input((2,))]
    for units in hidden:
        layers += [mt.Dense(units, kernel_initializer="he_normal"), mt.ReLU()]
    layers.append(mt.Dense(args.classes))
    model = mt.Sequential(layers, rng=args.seed)
    optimizer = mt.SGD(learning_rate, momentum=0.9)
    return model.compile(optimizer=optimizer, loss=mt.CrossEntropyLoss(), metrics=["accuracy"])


class Snapshots(mt.Callback):
    """Keep the weights after five epochs: the first, the last, and three between them, at equal ratios."""

    def on_train_begin(self, logs=None):
        self.due = {round(self.params["epochs"] ** (place / 4)) for place in range(5)}
        self.taken = {}

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 in self.due:
            self.taken[epoch + 1] = self.model.get_weights()


def plot(model, x, y, snapshots, history, path):
    """The training points with the decision boundary at each snapshot, and the learning curve."""
    import matplotlib.pyplot as plt

    charts = len(snapshots) + 1
    rows = 1 if charts < 4 else 2
    columns = math.ceil(charts / rows)
    figure, axes = plt.subplots(rows, columns, figsize=(4 * columns, 4 * rows), layout="constrained", squeeze=False)
    for ax in axes.flat[charts:]:
        ax.axis("off")
    for ax, (epoch, weights) in zip(axes.flat, snapshots.items(), strict=False):
        model.set_weights(weights)
        title = f"after epoch {epoch}: {model.evaluate(x, y).accuracy:.1%} right"
        plotting.plot_decision_boundary(model, x, y, ax=ax, title=title)
    plotting.plot_history(history, ax=axes.flat[charts - 1], title="Loss on the training points").set_box_aspect(1)
    figure.suptitle(f"{len(x)} training points, and the classes that the network predicts around them")
    figure.savefig(path, dpi=110)


def main():
    args = arguments()
    make_folder(args.output)
    x, y = datasets.make_spirals(2 * args.points, args.classes, args.noise, rng=args.seed)
    x_train, y_train, x_test, y_test = x[: args.points], y[: args.points], x[args.points :], y[args.points :]
    print(f"{args.points} training and {args.points} test points of {args.classes} spirals")
    regression = build([], BASELINE_RATE, args)
    stop_if_interrupted(regression.fit(x_train, y_train, epochs=BASELINE_EPOCHS, batch_size=32), BASELINE_EPOCHS)

    model = build(args.hidden, args.learning_rate, args)
    model.summary()
    snapshots = Snapshots()
    # At a constant rate the last steps still change the boundary, and the result depends on where training ends.
    falling = callbacks.LearningRateScheduler(schedules.CosineDecay(args.learning_rate, steps=args.epochs))
    start = time.perf_counter()
    history = model.fit(
        x_train, y_train, epochs=args.epochs, batch_size=args.batch_size, callbacks=[snapshots, falling]
    )
    seconds = time.perf_counter() - start
    stop_if_interrupted(history, epochs=1)
    model.save(args.output / "spirals.keras")

    models = {"regression": regression, "network": model}
    scores = {name: significance.score(y_test, m.predict(x_test).argmax(axis=1)) for name, m in models.items()}
    print(f"trained in {seconds:.1f} s; loss {history['loss'][0]:.4f} at first, {history['loss'][-1]:.4f} at last\n")
    for name, score in scores.items():
        low, high = score["interval"]
        print(
            f"{name:10}  {score['accuracy']:.1%} right, {score['misses']} misses (95 % interval {low:.1%} to {high:.1%})"
        )
    write_metrics(args, seconds=seconds, test=scores, loss=history["loss"])
    try:
        plot(model, x_train, y_train, snapshots.taken, history, args.output / "spirals.png")
    except ImportError as error:
        print(f"No plots are made. Plots need matplotlib: pip install 'minitorch-np[plot]' ({error})")
    print(f"Written to {args.output}/")


if __name__ == "__main__":
    run("spirals", main)

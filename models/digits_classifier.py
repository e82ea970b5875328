"""Ten handwritten digits: a network with one hidden layer learns 1198 pictures of 8 x 8 pixels and is asked about 599.

python models/digits_classifier.py      train, report and draw into output/
"""

import argparse
import json
import sys
import time
from pathlib import Path

import minitorch_np as mt
from minitorch_np import datasets, plotting, significance


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--hidden", type=int, nargs="*", default=[128], help="units of the hidden layers (128)")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for all that is written (output)")
    return parser.parse_args()


def build(hidden, data, args):
    """The last layer gives one score per class; the loss turns scores into probabilities by itself."""
    layers = [mt.Input(data.x_train.shape[1:]), mt.Rescaling(1 / 16), mt.Flatten()]
    for units in hidden:
        layers += [mt.Dense(units, kernel_initializer="he_normal"), mt.ReLU()]
    layers.append(mt.Dense(len(data.class_names)))
    model = mt.Sequential(layers, rng=args.seed, dtype=args.dtype)
    optimizer = mt.SGD(args.learning_rate, momentum=0.9, weight_decay=1e-4)
    return model.compile(optimizer=optimizer, loss=mt.CrossEntropyLoss(), metrics=["accuracy"])


def fit(model, data, args):
    return model.fit(data.x_train, data.y_train, epochs=args.epochs, batch_size=args.batch_size)


def draw(data, history, answer, output):
    pictures = {
        "digits_example": plotting.plot_images(data.x_train[:10], [str(label) for label in data.y_train[:10]])[0],
        "digits_learning_curve": plotting.plot_history(history, title="Cost on the training pictures"),
        "digits_mislabelled": plotting.plot_mislabeled(data.x_test, data.y_test, answer, data.class_names)[0],
    }
    for name, ax in pictures.items():
        ax.figure.savefig(output / f"{name}.png", dpi=150)


def main():
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    data = datasets.load_digits()
    print(data.describe())
    logistic = build([], data, args)
    fit(logistic, data, args)

    model = build(args.hidden, data, args)
    model.summary()
    start = time.perf_counter()
    history = fit(model, data, args)
    seconds = time.perf_counter() - start
    model.class_names = data.class_names
    model.save(args.output / "digits_classifier.keras")

    answers = {
        name: m.predict(data.x_test).argmax(axis=1) for name, m in (("regression", logistic), ("network", model))
    }
    scores = {name: significance.score(data.y_test, answer) for name, answer in answers.items()}
    print(f"trained in {seconds:.1f} s; cost {history['loss'][0]:.4f} at first, {history['loss'][-1]:.4f} at last\n")
    for name, score in scores.items():
        low, high = score["interval"]
        print(
            f"{name:10}  {score['accuracy']:.1%} right, {score['misses']} misses (95 % interval {low:.1%} to {high:.1%})"
        )
    right = {name: answer == data.y_test for name, answer in answers.items()}
    print(significance.compare(right["network"], right["regression"], "the network", "softmax regression"))

    settings = {name: str(value) for name, value in vars(args).items()}
    metrics = {"settings": settings, "seconds": seconds, "test": scores, "costs": history["loss"]}
    (args.output / "digits_metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    try:
        draw(data, history, answers["network"], args.output)
    except ImportError as error:
        print(f"No pictures are drawn. {error}")
    print(f"Written to {args.output}/")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"digits_classifier: {error}")

"""Ten handwritten digits: two hidden layers learn 1198 pictures of 8 x 8 pixels and are asked about 599.

python models/digits_classifier.py      train, report and draw into output/
"""

import argparse
import json
import sys
import time
from pathlib import Path

import minitorch_np as mt
from minitorch_np import datasets, plotting, schedules, significance


def arguments(text, epochs):
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--shift", type=float, default=0.06, help="pictures are shifted by this share of their size")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for all that is written (output)")
    return parser


def perceptron(hidden, args):
    layers = [mt.Flatten()]
    for units in hidden:
        layers += [mt.Dense(units, kernel_initializer="he_normal"), mt.ReLU(), mt.Dropout(args.dropout)]
    return [*layers, mt.Dense(10)]


def fit(layers, data, args, shift):
    """The last layer gives one score per class; the loss turns scores into probabilities by itself."""
    prepared = [
        mt.Input(data.x_train.shape[1:]),
        mt.Rescaling(1 / 16),
        mt.RandomTranslation(shift, shift, "constant"),
    ]
    model = mt.Sequential([*prepared, *layers], rng=args.seed, dtype=args.dtype)
    steps = args.epochs * -(-len(data.x_train) // args.batch_size)
    optimizer = mt.AdamW(schedules.CosineDecay(args.learning_rate, steps), weight_decay=0.01)
    model.compile(optimizer, mt.CrossEntropyLoss(), metrics=["accuracy"])
    model.class_names = data.class_names
    return model, model.fit(data.x_train, data.y_train, epochs=args.epochs, batch_size=args.batch_size)


def draw(data, history, answer, output):
    pictures = {
        "digits_example": plotting.plot_images(data.x_train[:10], [str(label) for label in data.y_train[:10]])[0],
        "digits_learning_curve": plotting.plot_history(history, title="Cost on the training pictures"),
        "digits_mislabelled": plotting.plot_mislabeled(data.x_test, data.y_test, answer, data.class_names)[0],
        "digits_confusion": plotting.plot_confusion_matrix(data.y_test, answer, data.class_names),
    }
    for name, ax in pictures.items():
        ax.figure.savefig(output / f"{name}.png", dpi=150)


def run(layers, name, args):
    """Train the layers, and softmax regression to compare; report, draw, and save the model under the recipe's name."""
    args.output.mkdir(parents=True, exist_ok=True)
    data = datasets.load_digits()
    print(data.describe())
    logistic, _ = fit(perceptron([], args), data, args, shift=0.0)
    start = time.perf_counter()
    model, history = fit(layers, data, args, args.shift)
    seconds = time.perf_counter() - start
    model.summary()
    model.save(args.output / f"{name}.keras")

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


def main():
    parser = arguments(__doc__, epochs=80)
    parser.add_argument(
        "--hidden", type=int, nargs="*", default=[256, 128], help="units of the hidden layers (256 128)"
    )
    args = parser.parse_args()
    run(perceptron(args.hidden, args), "digits_classifier", args)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"digits_classifier: {error}")

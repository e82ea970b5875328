"""Ten handwritten digits: two hidden layers learn from 1198 images of 8 x 8 pixels, and are tested on 599 others.

python models/digits_classifier.py      train, report and plot into output/digits_classifier/
"""

import time

from recipe import make_folder, number, options, run, stop_if_interrupted, write_metrics

import minitorch_np as mt
from minitorch_np import datasets, plotting, schedules, significance

BASELINE_EPOCHS, BASELINE_RATE = 200, 0.01  # then softmax regression is as good as scikit-learn's


def network_options(text, recipe, epochs, dropout, learning_rate):
    """The options of a recipe that learns the digits, with its defaults."""
    parser = options(text, recipe, epochs)
    parser.add_argument(
        "--learning-rate", type=number(float, 0), default=learning_rate, help=f"at first ({learning_rate})"
    )
    parser.add_argument("--batch-size", type=number(int, 1), default=32, help="images in a step (32)")
    parser.add_argument(
        "--dropout", type=number(float, 0, 1), default=dropout, help=f"share that is dropped ({dropout})"
    )
    parser.add_argument(
        "--shift", type=number(float, 0, 1), default=0.06, help="images are shifted by up to this share"
    )
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    return parser


def perceptron(hidden, args):
    layers = [mt.Flatten()]
    for units in hidden:
        layers += [mt.Dense(units, kernel_initializer="he_normal"), mt.ReLU(), mt.Dropout(args.dropout)]
    return [*layers, mt.Dense(10)]


def build(layers, data, learning_rate, epochs, batch_size, shift, args):
    """The layers behind the preprocessing. The last gives one logit per class; the loss includes the softmax."""
    preprocessing = [
        mt.Input(data.x_train.shape[1:]),
        mt.Rescaling(1 / 16),
        mt.RandomTranslation(shift, shift, "constant"),
    ]
    model = mt.Sequential([*preprocessing, *layers], rng=args.seed, dtype=args.dtype)
    model.class_names = data.class_names
    steps = epochs * -(-len(data.x_train) // batch_size)
    optimizer = mt.AdamW(schedules.CosineDecay(learning_rate, steps), weight_decay=0.01)
    return model.compile(optimizer, mt.CrossEntropyLoss(), metrics=["accuracy"])


def train_baseline(data, args):
    """Softmax regression, trained for as long as it needs, whatever the options of the network."""
    model = build(perceptron([], args), data, BASELINE_RATE, BASELINE_EPOCHS, 32, 0.0, args)
    history = model.fit(data.x_train, data.y_train, epochs=BASELINE_EPOCHS, batch_size=32)
    stop_if_interrupted(history, BASELINE_EPOCHS)
    return model


def plot(data, history, predicted, output):
    charts = {
        "example": plotting.plot_images(data.x_train[:10], [str(label) for label in data.y_train[:10]])[0],
        "learning_curve": plotting.plot_history(history, title="Loss on the training images"),
        "mislabelled": plotting.plot_mislabeled(data.x_test, data.y_test, predicted, data.class_names)[0],
        "confusion": plotting.plot_confusion_matrix(data.y_test, predicted, data.class_names),
    }
    for name, ax in charts.items():
        ax.figure.savefig(output / f"{name}.png", dpi=150)


def report(data, predictions):
    """How many test images each model classifies correctly, and whether the network is significantly better."""
    scores = {name: significance.score(data.y_test, predicted) for name, predicted in predictions.items()}
    for name, score in scores.items():
        low, high = score["interval"]
        print(
            f"{name:10}  {score['accuracy']:.1%} right, {score['misses']} misses (95 % interval {low:.1%} to {high:.1%})"
        )
    right = {name: predicted == data.y_test for name, predicted in predictions.items()}
    print(significance.compare(right["network"], right["regression"], "the network", "softmax regression"))
    return scores


def train(layers, recipe, args):
    """Train the layers, and softmax regression to compare with; report, plot, and save the model under the recipe's name."""
    make_folder(args.output)
    data = datasets.load_digits()
    print(data.describe())
    regression = train_baseline(data, args)
    model = build(layers, data, args.learning_rate, args.epochs, args.batch_size, args.shift, args)
    model.summary()
    start = time.perf_counter()
    history = model.fit(data.x_train, data.y_train, epochs=args.epochs, batch_size=args.batch_size)
    seconds = time.perf_counter() - start
    stop_if_interrupted(history, epochs=1)
    model.save(args.output / f"{recipe}.keras")
    print(f"trained in {seconds:.1f} s; loss {history['loss'][0]:.4f} at first, {history['loss'][-1]:.4f} at last\n")
    models = {"regression": regression, "network": model}
    predictions = {name: model.predict(data.x_test).argmax(axis=1) for name, model in models.items()}
    scores = report(data, predictions)
    write_metrics(args, seconds=seconds, test=scores, loss=history["loss"])
    try:
        plot(data, history, predictions["network"], args.output)
    except ImportError as error:
        print(f"No plots are made. {error}")
    print(f"Written to {args.output}/")


def main():
    parser = network_options(__doc__, "digits_classifier", epochs=80, dropout=0.3, learning_rate=2e-3)
    parser.add_argument(
        "--hidden", type=number(int, 1), nargs="*", default=[256, 128], help="units of the hidden layers (256 128)"
    )
    args = parser.parse_args()
    train(perceptron(args.hidden, args), "digits_classifier", args)


if __name__ == "__main__":
    run("digits_classifier", main)

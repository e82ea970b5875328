"""Cat or not: four dense layers learn from 209 images of 64 x 64 pixels, and are tested on 50 others.

python models/cat_classifier.py                      train, report and plot into output/cat_classifier/
python models/cat_classifier.py --image photo.jpg    classify an image of your own
python models/cat_classifier.py --published-init     repeat the published run, cost by cost
"""

import time

import numpy as np
from recipe import make_folder, number, options, run, stop_if_interrupted, write_metrics

import minitorch_np as mt
from minitorch_np import datasets, plotting, significance

BASELINE_STEPS, BASELINE_RATE = 2500, 0.0075  # then logistic regression is right on over 99 % of the training images


def arguments():
    parser = options(__doc__, "cat_classifier", epochs=2500)
    parser.add_argument("--learning-rate", type=number(float, 0), default=0.0075, help="of each step (0.0075)")
    parser.add_argument(
        "--hidden", type=number(int, 1), nargs="*", default=[20, 7, 5], help="units of the hidden layers (20 7 5)"
    )
    parser.add_argument("--dtype", choices=["float32", "float64"], help="float32; float64 with --published-init")
    parser.add_argument("--data", help="folder of the HDF5 files; else $MINITORCH_NP_DATA, the cache, a download")
    parser.add_argument("--image", help="an image to classify; trains first if the output folder has no model")
    parser.add_argument("--published-init", action="store_true", help="initialise the weights as published, in float64")
    return parser.parse_args()


def load_images(folder):
    """The cats; without a file or a connection, the digits 3 and 8, with pixels from 0 to 255 like the cats'."""
    try:
        return "cat", datasets.load_cats(folder)
    except datasets.DataUnavailable as error:
        print(f"Using the digits 3 and 8 of the package instead of the cats. {error}\n")
    x_train, y_train, x_test, y_test, _ = datasets.load_digits()
    train, test = np.isin(y_train, (3, 8)), np.isin(y_test, (3, 8))
    x_train, x_test = ((x * (255 / 16)).round().astype(np.uint8) for x in (x_train[train], x_test[test]))
    return "digit", datasets.Dataset(x_train, (y_train[train] == 8) * 1, x_test, (y_test[test] == 8) * 1, ["3", "8"])


def build(hidden, image_shape, learning_rate, args):
    """Dense layers with ReLU between them and a sigmoid at the end. The model includes its preprocessing."""
    dtype = args.dtype or ("float64" if args.published_init else "float32")
    layers = [mt.Input(image_shape), mt.Rescaling(1 / 255), mt.Flatten()]
    for units in hidden:
        layers += [mt.Dense(units, kernel_initializer="lecun_normal"), mt.ReLU()]
    layers += [mt.Dense(1, kernel_initializer="lecun_normal"), mt.Sigmoid()]
    model = mt.Sequential(layers, rng=args.seed, dtype=dtype)
    if args.published_init:
        model.set_weights(published_weights(model))
    return model.compile(optimizer=mt.SGD(learning_rate), loss=mt.BCELoss(), metrics=["accuracy"])


def are_wide(images, units):
    """Whether the images have far more numbers than there are images. Then fit(in_span=True) gives the same network sooner, as
    docs/wide_data.md derives.
    """
    return 2 * (len(images) + units) < images[0].size


def published_weights(model):
    """The published run took NumPy's legacy generator, and one column per example, hence the transpose. Biases are 0 at first."""
    legacy = np.random.RandomState(1)
    return [legacy.randn(*w.shape[::-1]).T / np.sqrt(w.shape[0]) if w.ndim == 2 else w for w in model.get_weights()]


class PrintCost(mt.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch % 100 == 0 or epoch == self.params["epochs"] - 1:
            print(f"  cost after {epoch:4} steps  {logs['loss']:.6f}", flush=True)


def baselines(data, args):
    """The test predictions of logistic regression: scikit-learn's, as published, and our own."""
    predictions = {}
    try:
        from sklearn.linear_model import LogisticRegression

        x_train, x_test = (x.reshape(len(x), -1) / 255 for x in (data.x_train, data.x_test))
        model = LogisticRegression(C=1000, solver="liblinear", random_state=0).fit(x_train, data.y_train)
        print(f"\nscikit-learn's logistic regression: intercept {model.intercept_[0]:.5f}")
        predictions["scikit-learn's logistic regression"] = model.predict(x_test)
    except ImportError:
        print("\nWithout scikit-learn its baseline is left out: pip install 'minitorch-np[baseline]'")
    ours = build([], data.x_train.shape[1:], BASELINE_RATE, args)
    wide = are_wide(data.x_train, units=1)
    history = ours.fit(data.x_train, data.y_train, epochs=BASELINE_STEPS, batch_size=None, in_span=wide)
    stop_if_interrupted(history, BASELINE_STEPS)
    predictions["our logistic regression"] = ours.predict(data.x_test).ravel() > 0.5
    return predictions


def report(data, predictions):
    """How many test images each model classifies correctly, and whether the last is significantly better than the others."""
    commonest = np.bincount(data.y_test).argmax()
    always = {f"always {data.class_names[commonest]!r}": np.full(len(data.y_test), commonest)}
    scores = {name: significance.score(data.y_test, predicted) for name, predicted in (always | predictions).items()}
    print(f"\n{len(data.y_test)} test images                        accuracy   misses   95 % interval")
    for name, score in scores.items():
        low, high = score["interval"]
        print(f"  {name:34} {score['accuracy']:8.1%} {score['misses']:8}   {low:.0%} to {high:.0%}")
    *others, last = predictions
    for other in others:
        right, right_other = predictions[last] == data.y_test, predictions[other] == data.y_test
        scores[other]["p"] = significance.mcnemar(right, right_other)
        print(significance.compare(right, right_other, last, other))
    return scores


def plot_cost(history):
    """The cost of each step, and the lowest so far.

    The rate is constant. Where the cost bends more than a step of this length can follow, steps overshoot, and the cost rises for
    a few of them (Cohen et al. 2021, "the edge of stability").
    """
    overshoots = (np.diff(history["loss"]) > 0).any()
    title = "Cost on the training images" + ("; it rises where a step overshoots" if overshoots else "")
    ax = plotting.plot_history(history, title=title)
    lowest = np.minimum.accumulate(history["loss"])
    each = ax.lines[0]
    each.set(alpha=0.5, linewidth=1, label="each step")
    ax.plot(each.get_xdata(), lowest, each.get_marker(), color="#d9722e", linewidth=2, label="lowest so far")
    ax.set(xlabel="step", ylabel="cost")
    ax.legend(frameon=False)
    return ax


def plot(data, curve, predicted, output):
    """Ten training images, the learning curve, and the test images that are classified wrongly."""
    names = [data.class_names[label] for label in data.y_train[:10]]
    charts = {
        "example": plotting.plot_images(data.x_train[:10], names)[0],
        "learning_curve": curve,
        "mislabelled": plotting.plot_mislabeled(data.x_test, data.y_test, predicted, data.class_names)[0],
    }
    for name, ax in charts.items():
        ax.figure.savefig(output / f"{name}.png", dpi=150)


def train(model, data, path, args):
    print(data.describe())
    predictions = baselines(data, args)
    print()
    model.summary()
    wide = are_wide(data.x_train, units=model.layers[3].units)
    if wide:
        print(
            "There are far fewer images than numbers in each, so the first layer is trained in their span (in_span=True)."
        )
    start = time.perf_counter()
    history = model.fit(
        data.x_train,
        data.y_train,
        epochs=args.epochs,
        batch_size=None,
        progress=False,
        callbacks=[PrintCost()],
        in_span=wide,
    )
    seconds = time.perf_counter() - start
    stop_if_interrupted(history, epochs=1)
    model.class_names = data.class_names
    model.save(path)
    predicted = predictions["the network"] = model.predict(data.x_test).ravel() > 0.5
    on_train = significance.score(data.y_train, model.predict(data.x_train) > 0.5)
    print(f"trained in {seconds:.1f} s; training images: {on_train['accuracy']:.6f}, {on_train['misses']} misses")
    scores = report(data, predictions)
    write_metrics(args, seconds=seconds, train=on_train, test=scores, costs=history["loss"][::100])
    try:
        plot(data, plot_cost(history), predicted, args.output)
    except ImportError as error:
        print(f"No plots are made. {error}")
    print(f"Written to {args.output}/")


def classify(model, image, name, class_names):
    probability = model.predict(image[None]).item()
    print(f"{name}: {class_names[probability > 0.5]} (probability of {class_names[1]}: {probability:.3f})")


def main():
    args = arguments()
    make_folder(args.output)
    task, data = load_images(args.data)
    image_shape = data.x_train.shape[1:]
    image = datasets.load_image(args.image, image_shape) if args.image else None
    path = args.output / f"{task}_classifier.keras"
    if args.image and path.is_file():
        print(f"The model is that of {path}; without --image it is trained anew.")
        model = mt.load_model(path)
    else:
        model = build(args.hidden, image_shape, args.learning_rate, args)
        train(model, data, path, args)
    if image is not None:
        classify(model, image, args.image, data.class_names)


if __name__ == "__main__":
    run("cat_classifier", main)

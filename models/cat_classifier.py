"""Cat or not: a five-layer network learns 209 pictures of 64 x 64 pixels, and is asked about 50 it has never seen.

python models/cat_classifier.py                      train, report and draw into output/
python models/cat_classifier.py --image photo.jpg    ask about a picture of your own
python models/cat_classifier.py --published-init     repeat the published run, cost by cost
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

import minitorch_np as mt
from minitorch_np import datasets, plotting, significance


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2500, help="steps, each on all training pictures (2500)")
    parser.add_argument("--learning-rate", type=float, default=0.0075)
    parser.add_argument("--hidden", type=int, nargs="*", default=[20, 7, 5], help="units of the hidden layers (20 7 5)")
    parser.add_argument("--dtype", choices=["float32", "float64"], help="float32; float64 with --published-init")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", help="folder of the HDF5 files; else $MINITORCH_NP_DATA, the cache, a download")
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for all that is written (output)")
    parser.add_argument("--image", help="a picture to predict; trains first if the output folder has no model")
    parser.add_argument("--published-init", action="store_true", help="draw the weights as published, in float64")
    return parser.parse_args()


def load_pictures(folder):
    """The cats; where they cannot be had, the digits 3 and 8 with pixels from 0 to 255 as theirs are."""
    try:
        return "cat", datasets.load_cats(folder)
    except datasets.DataUnavailable as error:
        print(f"The shipped digits stand in, 3 against 8, because {error}\n")
    x_train, y_train, x_test, y_test, _ = datasets.load_digits()
    train, test = np.isin(y_train, (3, 8)), np.isin(y_test, (3, 8))
    x_train, x_test = ((x * (255 / 16)).round().astype(np.uint8) for x in (x_train[train], x_test[test]))
    return "digit", datasets.Dataset(x_train, (y_train[train] == 8) * 1, x_test, (y_test[test] == 8) * 1, ["3", "8"])


def build(hidden, image_shape, args):
    """Dense layers with ReLU between them and a sigmoid at the end. The model carries its own preprocessing."""
    dtype = args.dtype or ("float64" if args.published_init else "float32")
    layers = [mt.Input(image_shape), mt.Rescaling(1 / 255), mt.Flatten()]
    for units in hidden:
        layers += [mt.Dense(units, kernel_initializer="lecun_normal"), mt.ReLU()]
    layers += [mt.Dense(1, kernel_initializer="lecun_normal"), mt.Sigmoid()]
    model = mt.Sequential(layers, rng=args.seed, dtype=dtype)
    if args.published_init:
        model.set_weights(published_weights(model))
    return model.compile(optimizer=mt.SGD(args.learning_rate), loss=mt.BCELoss(), metrics=["accuracy"])


def published_weights(model):
    """NumPy's first generator; one column per example there, hence the transpose. Biases begin at 0."""
    legacy = np.random.RandomState(1)
    return [legacy.randn(*w.shape[::-1]).T / np.sqrt(w.shape[0]) if w.ndim == 2 else w for w in model.get_weights()]


class PrintCost(mt.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch % 100 == 0 or epoch == self.params["epochs"] - 1:
            print(f"  cost after {epoch:4} steps  {logs['loss']:.6f}", flush=True)


def baselines(data, args):
    """The answers of logistic regression to the test pictures: scikit-learn's, as published, and our own."""
    answers = {}
    try:
        from sklearn.linear_model import LogisticRegression

        x_train, x_test = (x.reshape(len(x), -1) / 255 for x in (data.x_train, data.x_test))
        model = LogisticRegression(C=1000, solver="liblinear", random_state=0).fit(x_train, data.y_train)
        print(f"\nscikit-learn's logistic regression: intercept {model.intercept_[0]:.5f}")
        answers["scikit-learn's logistic regression"] = model.predict(x_test)
    except ImportError:
        print("\nWithout scikit-learn its baseline is left out: pip install 'minitorch-np[baseline]'")
    ours = build([], data.x_train.shape[1:], args)
    ours.fit(data.x_train, data.y_train, epochs=args.epochs, batch_size=None)
    answers["our logistic regression"] = ours.predict(data.x_test).ravel() > 0.5
    return answers


def report(data, answers):
    """How many test pictures each model gets right, and whether the last is really better than the others."""
    commonest = np.bincount(data.y_test).argmax()
    always = {f"always {data.class_names[commonest]!r}": np.full(len(data.y_test), commonest)}
    scores = {name: significance.score(data.y_test, answer) for name, answer in (always | answers).items()}
    print(f"\n{len(data.y_test)} test pictures                      accuracy   misses   95 % interval")
    for name, score in scores.items():
        low, high = score["interval"]
        print(f"  {name:34} {score['accuracy']:8.1%} {score['misses']:8}   {low:.0%} to {high:.0%}")
    *others, last = answers
    for other in others:
        right, right_other = answers[last] == data.y_test, answers[other] == data.y_test
        scores[other]["p"] = significance.mcnemar(right, right_other)
        print(significance.compare(right, right_other, last, other))
    return scores


def draw(data, history, answer, output):
    names = [data.class_names[label] for label in data.y_train[:10]]
    pictures = {
        "example": plotting.plot_images(data.x_train[:10], names)[0],
        "learning_curve": plotting.plot_history(history, title="Cost on the training pictures"),
        "mislabelled": plotting.plot_mislabeled(data.x_test, data.y_test, answer, data.class_names)[0],
    }
    for name, ax in pictures.items():
        ax.figure.savefig(output / f"{name}.png", dpi=150)


def train(model, data, path, args):
    print(data.describe())
    answers = baselines(data, args)
    print()
    model.summary()
    start = time.perf_counter()
    history = model.fit(
        data.x_train, data.y_train, epochs=args.epochs, batch_size=None, progress=False, callbacks=[PrintCost()]
    )
    seconds = time.perf_counter() - start
    model.class_names = data.class_names
    model.save(path)
    answers["the network"] = model.predict(data.x_test).ravel() > 0.5
    on_train = significance.score(data.y_train, model.predict(data.x_train) > 0.5)
    print(f"trained in {seconds:.1f} s; training pictures: {on_train['accuracy']:.6f}, {on_train['misses']} misses")
    scores = report(data, answers)
    settings = {name: str(value) for name, value in vars(args).items()}
    metrics = {
        "settings": settings,
        "seconds": seconds,
        "train": on_train,
        "test": scores,
        "costs": history["loss"][::100],
    }
    (args.output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    try:
        draw(data, history, answers["the network"], args.output)
    except ImportError as error:
        print(f"No pictures are drawn. {error}")
    print(f"Written to {args.output}/: {', '.join(sorted(path.name for path in args.output.iterdir()))}")


def main():
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    task, data = load_pictures(args.data)
    image_shape = data.x_train.shape[1:]
    image = datasets.load_image(args.image, image_shape) if args.image else None
    path = args.output / f"{task}_classifier.keras"
    if args.image and path.is_file():
        print(f"The model is that of {path}; without --image it is trained anew.")
        model = mt.load_model(path)
    else:
        model = build(args.hidden, image_shape, args)
        train(model, data, path, args)
    if image is not None:
        probability = model.predict(image[None]).item()
        answer = data.class_names[probability > 0.5]
        print(f"{args.image}: {answer} (probability of {data.class_names[1]}: {probability:.3f})")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        sys.exit(f"cat_classifier: {error}")

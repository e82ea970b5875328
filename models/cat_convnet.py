"""Cat or not, with convolutions: a small network learns 209 pictures of 64 x 64 pixels, and is asked about 50 it has never seen.

python models/cat_convnet.py                      train, report and draw into output/
python models/cat_convnet.py --image photo.jpg    ask about a picture of your own
python models/cat_convnet.py --search             compare settings by cross-validation, on the training pictures alone
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from cat_classifier import draw, load_pictures, report

import minitorch_np as mt
from minitorch_np import datasets, schedules, significance, tuning

LARGEST_BATCH = 16
COMPONENTS = 12  # of the 27 of a patch of 3 x 3 pixels in colour
COPY = 17  # this test picture of the cats is the training picture 146 as well
# What --search compares, on the training pictures alone. README.md says how the defaults of build were chosen.
SPACE = {"shift": [6 / 64, 0.15], "learning_rate": [5e-4, 1e-3], "weight_decay": [0.01, 5.0]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", help="folder of the HDF5 files; else $MINITORCH_NP_DATA, the cache, a download")
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for all that is written (output)")
    parser.add_argument("--image", help="a picture to predict; trains first if the output folder has no model")
    parser.add_argument("--search", action="store_true", help="try the settings in SPACE by cross-validation, and end")
    return parser.parse_args()


def batches(count, epochs):
    """The batch size, and the steps in so many epochs: batches are about even, as the last one counts in the moving averages of
    BatchNormalization like any other. 209 pictures in batches of 16 would end each epoch with a batch of one.
    """
    number = -(-count // LARGEST_BATCH)
    return -(-count // number), epochs * number


def whitening(pictures):
    """Kernels of 3 x 3 pixels for a first convolution whose outputs vary alike and independently of each other: PCA whitening.

    Neighbouring pixels agree on nearly everything, and their differences are what there is to see. So each kernel is a principal
    component of the patches, divided by its standard deviation, where 0.01 is added to the variance, so as not to raise mere noise.
    The negative of each is there too, as ReLU lets one side pass. They come from the pictures alone, without their classes.
    """
    patches = np.lib.stride_tricks.sliding_window_view(pictures / np.float32(255), (3, 3), axis=(1, 2))
    patches = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * pictures.shape[-1])
    variances, axes = np.linalg.eigh(np.cov(patches, rowvar=False))
    kernels = (axes / np.sqrt(variances + 0.01))[:, -COMPONENTS:]  # eigh puts the largest last
    return np.concatenate([kernels, -kernels], axis=1).reshape(3, 3, pictures.shape[-1], -1)


def build(shape, steps, kernels, shift=0.15, brightness=0.2, learning_rate=5e-4, weight_decay=5.0, rng=None):
    """Whitening, then four times: convolve, normalise, rectify, halve the picture.

    Each time there is less to see where, and more to see what. The pictures that it learns from are mirrored, shifted and lit a
    little differently every time it sees them. Normalised, a convolution gives the same whatever the size of its kernel; but a
    small kernel turns further in a step. Weight decay keeps it so, and every other parameter small: by learning_rate *
    weight_decay a step, which is 0.25% at most.
    """
    small = mt.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    layers = [
        mt.Input(shape),
        mt.Rescaling(1 / 255),
        mt.RandomFlip("horizontal"),
        mt.RandomTranslation(shift, shift, "constant", interpolation="nearest"),  # edges come in black
        mt.RandomBrightness(brightness, (0, 1)),
        mt.Conv2D(kernels.shape[-1], 3, padding="same", use_bias=False),
        mt.ReLU(),
    ]
    for filters in (16, 32, 64, 64):
        layers += [
            mt.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=small),
            mt.BatchNormalization(momentum=0.9),
            mt.ReLU(),
            mt.MaxPooling2D(padding="same"),  # which leaves something of the smallest pictures too
        ]
    layers += [mt.Flatten(), mt.Dropout(0.3), mt.Dense(1, kernel_initializer=small), mt.Sigmoid()]
    model = mt.Sequential(layers, rng=rng)
    whiten = next(layer for layer in model.layers if isinstance(layer, mt.Conv2D))
    whiten.kernel.value[...] = kernels
    whiten.kernel.trainable = False
    optimizer = mt.AdamW(schedules.CosineDecay(learning_rate, steps, warmup=steps // 20), weight_decay=weight_decay)
    return model.compile(optimizer, mt.BCELoss(), metrics=["accuracy", "balanced_accuracy"])


def search(data, args):
    """Cross-validation in five parts, on the training pictures alone; the table can be gone on with."""
    args.output.mkdir(parents=True, exist_ok=True)
    shape, (batch_size, steps) = data.x_train.shape[1:], batches(len(data.x_train) * 4 // 5, args.epochs)
    kernels = whitening(data.x_train)  # of the pictures held out as well, but without their classes

    def make(shift, learning_rate, weight_decay, rng):
        return build(shape, steps, kernels, shift, learning_rate=learning_rate, weight_decay=weight_decay, rng=rng)

    found = tuning.search(
        make,
        SPACE,
        data.x_train,
        data.y_train,
        method="grid",
        folds=5,
        epochs=args.epochs,
        batch_size=batch_size,
        objective="balanced_accuracy",
        rng=args.seed,
        table=args.output / "cat_convnet_search.json",
    )
    print(found)
    found.to_csv(args.output / "cat_convnet_search.csv")


def train(data, path, args):
    print(data.describe())
    batch_size, steps = batches(len(data.x_train), args.epochs)
    model = build(data.x_train.shape[1:], steps, whitening(data.x_train), rng=args.seed)
    model.class_names = data.class_names
    model.summary()
    start = time.perf_counter()
    history = model.fit(data.x_train, data.y_train, epochs=args.epochs, batch_size=batch_size)
    seconds = time.perf_counter() - start
    model.save(path, include_optimizer=False)  # half the size, and Keras has no CosineDecay that warms up so
    answer = model.predict(data.x_test).ravel() > 0.5
    scores = report(data, {"the convolutional network": answer})
    print(f"trained in {seconds:.1f} s, the last cost {history['loss'][-1]:.4f}")
    if path.name.startswith("cat"):
        new = np.arange(len(data.y_test)) != COPY
        scores = {"without the copy": significance.score(data.y_test[new], answer[new]), **scores}
        print(
            "without the test picture that is a training picture too: {accuracy:.1%}, {misses} misses".format_map(
                scores["without the copy"]
            )
        )
    settings = {name: str(value) for name, value in vars(args).items()}
    metrics = {"settings": settings, "seconds": seconds, "test": scores, "costs": history["loss"]}
    (args.output / "convnet_metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    try:
        draw(data, history, answer, args.output)
    except ImportError as error:
        print(f"No pictures are drawn. {error}")
    return model


def main():
    args = arguments()
    if args.epochs < 1:
        raise ValueError(f"--epochs is at least 1, got {args.epochs}.")
    task, data = load_pictures(args.data)
    if args.search:
        search(data, args)
        return
    args.output.mkdir(parents=True, exist_ok=True)
    image = datasets.load_image(args.image, data.x_train.shape[1:]) if args.image else None
    path = args.output / f"{task}_convnet.keras"
    if args.image and path.is_file():
        print(f"The model is that of {path}; without --image it is trained anew.")
        model = mt.load_model(path)
    else:
        model = train(data, path, args)
    if image is not None:
        probability = model.predict(image[None]).item()
        answer = data.class_names[probability > 0.5]
        print(f"{args.image}: {answer} (probability of {data.class_names[1]}: {probability:.3f})")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        sys.exit(f"cat_convnet: {error}")
    except KeyboardInterrupt:
        sys.exit("cat_convnet: stopped. With --search, the same command goes on from the table.")

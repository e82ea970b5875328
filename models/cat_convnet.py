"""Cat or not, with convolutions: a small network learns from 209 images of 64 x 64 pixels, and is tested on 50 others.

python models/cat_convnet.py                      train, report and plot into output/cat_convnet/
python models/cat_convnet.py --image photo.jpg    classify an image of your own
python models/cat_convnet.py --search             compare settings by cross-validation, on the training images alone
"""

import time

import numpy as np
from cat_classifier import classify, load_images, plot, report
from recipe import make_folder, options, run, stop_if_interrupted, write_metrics

import minitorch_np as mt
from minitorch_np import datasets, plotting, schedules, significance, tuning

LARGEST_BATCH = 16
COMPONENTS = 12  # of the 27 of a patch of 3 x 3 pixels in colour
COPY = 17  # this test image of the cats is training image 146 as well
# What --search compares, on the training images alone. README.md says how the defaults of build were chosen.
SPACE = {"shift": [6 / 64, 0.15], "learning_rate": [5e-4, 1e-3], "weight_decay": [0.01, 5.0]}


def arguments():
    parser = options(__doc__, "cat_convnet", epochs=80)
    parser.add_argument("--data", help="folder of the HDF5 files; else $MINITORCH_NP_DATA, the cache, a download")
    parser.add_argument("--image", help="an image to classify; trains first if the output folder has no model")
    parser.add_argument("--search", action="store_true", help="try the settings in SPACE by cross-validation, and end")
    return parser.parse_args()


def batches(count, epochs):
    """The batch size, and the number of steps in all epochs.

    All batches are about equally large, since each counts alike in the moving averages of BatchNormalization. 209 images in
    batches of 16 would end each epoch with a batch of one.
    """
    number = -(-count // LARGEST_BATCH)
    return -(-count // number), epochs * number


def whitening(images):
    """Kernels of 3 x 3 pixels whose outputs are uncorrelated and of similar variance: PCA whitening, for the first convolution.

    Neighbouring pixels are nearly equal, and what an image shows is in their small differences. So each kernel is a principal
    component of the patches, divided by its standard deviation. 0.01 is added to the variance, so that components of mere noise are
    not amplified. Each kernel comes with its negative, because the ReLU after it passes only one sign. The kernels depend on the
    images alone, and not on their classes.
    """
    patches = np.lib.stride_tricks.sliding_window_view(images / np.float32(255), (3, 3), axis=(1, 2))
    patches = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * images.shape[-1])
    variances, axes = np.linalg.eigh(np.cov(patches, rowvar=False))
    kernels = (axes / np.sqrt(variances + 0.01))[:, -COMPONENTS:]  # eigh puts the largest last
    return np.concatenate([kernels, -kernels], axis=1).reshape(3, 3, images.shape[-1], -1)


def build(shape, steps, kernels, shift=0.15, brightness=0.2, learning_rate=5e-4, weight_decay=5.0, rng=None):
    """Whitening, then four times: convolution, batch normalisation, ReLU, pooling that halves the image.

    Training images are flipped, shifted and brightened at random, differently in each epoch. After BatchNormalization, the scale
    of a kernel makes no difference to the output; but a step of the same length changes the direction of a small kernel more. So
    kernels are initialised small, and weight decay keeps them small: it takes learning_rate * weight_decay of each
    parameter in a step, 0.25 % at most.
    """
    small = mt.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    layers = [
        mt.Input(shape),
        mt.Rescaling(1 / 255),
        mt.RandomFlip("horizontal"),
        mt.RandomTranslation(shift, shift, "constant", interpolation="nearest"),  # fills the edges with black
        mt.RandomBrightness(brightness, (0, 1)),
        mt.Conv2D(kernels.shape[-1], 3, padding="same", use_bias=False),
        mt.ReLU(),
    ]
    for filters in (16, 32, 64, 64):
        layers += [
            mt.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=small),
            mt.BatchNormalization(momentum=0.9),
            mt.ReLU(),
            mt.MaxPooling2D(padding="same"),  # "valid" would leave nothing of images of 8 x 8 pixels
        ]
    layers += [mt.Flatten(), mt.Dropout(0.3), mt.Dense(1, kernel_initializer=small), mt.Sigmoid()]
    model = mt.Sequential(layers, rng=rng)
    whiten = next(layer for layer in model.layers if isinstance(layer, mt.Conv2D))
    whiten.kernel.value[...] = kernels
    whiten.kernel.trainable = False
    optimizer = mt.AdamW(schedules.CosineDecay(learning_rate, steps, warmup=steps // 20), weight_decay=weight_decay)
    return model.compile(optimizer, mt.BCELoss(), metrics=["accuracy", "balanced_accuracy"])


def search(data, args):
    """Cross-validation in five parts, on the training images alone. A search that was stopped continues from its table."""
    shape, (batch_size, steps) = data.x_train.shape[1:], batches(len(data.x_train) * 4 // 5, args.epochs)
    kernels = whitening(data.x_train)  # from the held-out images as well, but without their classes

    def make(shift, learning_rate, weight_decay, rng):
        return build(shape, steps, kernels, shift, learning_rate=learning_rate, weight_decay=weight_decay, rng=rng)

    table = args.output / "search.json"
    try:
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
            table=table,
        )
    except KeyboardInterrupt:
        print(f"The same command continues from {table}.")
        raise
    print(found)
    found.to_csv(args.output / "search.csv")


def train(data, path, args):
    print(data.describe())
    batch_size, steps = batches(len(data.x_train), args.epochs)
    model = build(data.x_train.shape[1:], steps, whitening(data.x_train), rng=args.seed)
    model.class_names = data.class_names
    model.summary()
    start = time.perf_counter()
    history = model.fit(data.x_train, data.y_train, epochs=args.epochs, batch_size=batch_size)
    seconds = time.perf_counter() - start
    stop_if_interrupted(history, epochs=1)
    model.save(path, include_optimizer=False)  # half the size; and Keras has no CosineDecay with this warmup
    predicted = model.predict(data.x_test).ravel() > 0.5
    scores = report(data, {"the convolutional network": predicted})
    print(f"trained in {seconds:.1f} s; loss {history['loss'][0]:.4f} at first, {history['loss'][-1]:.4f} at last")
    if path.name.startswith("cat"):
        new = np.arange(len(data.y_test)) != COPY
        scores = {"without the copy": significance.score(data.y_test[new], predicted[new]), **scores}
        print(
            "without the test image that is a training image too: {accuracy:.1%}, {misses} misses".format_map(
                scores["without the copy"]
            )
        )
    write_metrics(args, seconds=seconds, test=scores, loss=history["loss"])
    try:
        curve = plotting.plot_history(history, title="Loss on the training images")
        plot(data, curve, predicted, args.output)
    except ImportError as error:
        print(f"No plots are made. {error}")
    print(f"Written to {args.output}/")
    return model


def main():
    args = arguments()
    make_folder(args.output)
    task, data = load_images(args.data)
    if args.search:
        search(data, args)
        return
    image = datasets.load_image(args.image, data.x_train.shape[1:]) if args.image else None
    path = args.output / f"{task}_convnet.keras"
    if args.image and path.is_file():
        print(f"The model is that of {path}; without --image it is trained anew.")
        model = mt.load_model(path)
    else:
        model = train(data, path, args)
    if image is not None:
        classify(model, image, args.image, data.class_names)


if __name__ == "__main__":
    run("cat_convnet", main)

"""Ten handwritten digits, with convolutions: three of them learn from 1198 images of 8 x 8 pixels, and are tested on 599 others.

python models/digits_convnet.py      train, report and plot into output/digits_convnet/
"""

from digits_classifier import network_options, train
from recipe import number, run

import minitorch_np as mt


def convolutions(width, args):
    """Three convolutions, each with normalisation and ReLU. Pooling halves the image after the second and after the third."""
    layers = []
    for filters, halve in ((width, False), (2 * width, True), (2 * width, True)):
        layers += [
            mt.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal"),
            mt.BatchNormalization(momentum=0.9),
            mt.ReLU(),
            *([mt.MaxPooling2D()] if halve else []),
        ]
    return [*layers, mt.Flatten(), mt.Dropout(args.dropout), mt.Dense(10)]


def main():
    parser = network_options(__doc__, "digits_convnet", epochs=30, dropout=0.5, learning_rate=3e-3)
    parser.add_argument("--width", type=number(int, 1), default=32, help="channels of the first convolution (32)")
    args = parser.parse_args()
    train(convolutions(args.width, args), "digits_convnet", args)


if __name__ == "__main__":
    run("digits_convnet", main)

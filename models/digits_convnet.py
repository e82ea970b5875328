"""Ten handwritten digits, with convolutions: three of them learn 1198 pictures of 8 x 8 pixels and are asked about 599.

python models/digits_convnet.py      train, report and draw into output/
"""

import sys

from digits_classifier import arguments, run

import minitorch_np as mt


def convolutions(width, args):
    """The first looks at the pixels as they are; before each further one the picture is halved and the channels doubled."""
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
    parser = arguments(__doc__, epochs=30)
    parser.set_defaults(dropout=0.5, learning_rate=3e-3)
    parser.add_argument("--width", type=int, default=32, help="channels of the first convolution (32)")
    args = parser.parse_args()
    run(convolutions(args.width, args), "digits_convnet", args)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"digits_convnet: {error}")

"""Writing: a small transformer reads "Alice's Adventures in Wonderland", letter by letter, and goes on in its style.

python models/text_generator.py                            train, report, draw and write into output/
python models/text_generator.py --prompt 'The Queen '      go on from a text of your own
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

import minitorch_np as mt
from minitorch_np import datasets, plotting, schedules


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--context", type=int, default=64, help="letters that it sees at once (64)")
    parser.add_argument("--width", type=int, default=96, help="numbers for each letter, a multiple of 16 (96)")
    parser.add_argument("--blocks", type=int, default=2, help="blocks of the transformer (2)")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--temperature", type=float, default=0.7, help="below 1 it writes more carefully (0.7)")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for all that is written (output)")
    parser.add_argument("--prompt", help="a text to go on from; trains first if the output folder has no model")
    return parser.parse_args()


def windows(numbers, context, stride):
    """Pieces of the text, and the same pieces one letter on: at each letter the next is to be told."""
    starts = np.arange(0, len(numbers) - context, stride)[:, None]
    places = starts + np.arange(context)
    return numbers[places], numbers[places + 1]


def build(letters, steps, args):
    """Vaswani et al. 2017, normalised before each part as in Radford et al. 2019. The last layer scores the next letter."""
    width = args.width
    layers = [mt.Input((args.context,)), mt.Embedding(len(letters), width), mt.PositionalEmbedding(args.context)]
    for _ in range(args.blocks):
        attention = mt.MultiHeadAttention(num_heads=width // 16, key_dim=16, causal=True)
        mlp = [mt.Dense(4 * width), mt.ReLU(), mt.Dense(width)]
        layers += [
            mt.Residual([mt.LayerNormalization(), attention, mt.Dropout(args.dropout)]),
            mt.Residual([mt.LayerNormalization(), *mlp, mt.Dropout(args.dropout)]),
        ]
    layers += [mt.LayerNormalization(), mt.Dense(len(letters))]
    model = mt.Sequential(layers, rng=args.seed, dtype=args.dtype)
    model.class_names = letters  # the file keeps them
    rate = schedules.CosineDecay(args.learning_rate, steps=steps, warmup=min(100, steps // 4))
    return model.compile(mt.AdamW(rate, weight_decay=0.01), mt.CrossEntropyLoss(), metrics=["accuracy"])


def write(model, prompt, length, temperature, seed):
    """The prompt and what the model makes of it: each letter is drawn with the probability that the model gives it."""
    rng = np.random.default_rng(seed)
    number = {letter: number for number, letter in enumerate(model.class_names)}
    unknown = sorted(set(prompt) - set(number))
    if unknown:
        raise ValueError(f"the prompt holds {unknown[0]!r}, which does not occur in the text.")
    context = model.input_shape[0]
    known = [number[letter] for letter in datasets.load_text()[-context:] + prompt]  # as if it followed the book
    for _ in range(length):
        scores = model.predict(np.array([known[-context:]]))[0, -1].astype(np.float64) / temperature
        shares = np.exp(scores - scores.max())
        known.append(rng.choice(len(shares), p=shares / shares.sum()))
    return "".join(model.class_names[number] for number in known[context:])


class ShowProgress(mt.Callback):
    """After an epoch: how well it tells the next letter, and what it writes."""

    def __init__(self, args):
        self.args = args

    def on_epoch_end(self, epoch, logs=None):
        print(
            f"\nepoch {epoch + 1:2}: perplexity {np.exp(logs['loss']):.2f}, on unread text {np.exp(logs['val_loss']):.2f}"
        )
        print(
            "   | " + write(self.model, "Alice ", 160, self.args.temperature, epoch).replace("\n", "\n   | "),
            flush=True,
        )


def counted(learnt, unread, letters):
    """Perplexity and accuracy of guessing by counts: of letters, and of letters by the one before. None is impossible."""
    pairs = np.ones((letters, letters))
    np.add.at(pairs, (learnt[:-1], learnt[1:]), 1)
    alone = np.tile(np.bincount(learnt, minlength=letters) + 1.0, (letters, 1))
    return {
        name: score(table / table.sum(axis=1, keepdims=True), unread)
        for name, table in (("unigram", alone), ("bigram", pairs))
    }


def score(shares, unread):
    before, after = unread[:-1], unread[1:]
    return {
        "perplexity": float(np.exp(-np.log(shares[before, after]).mean())),
        "accuracy": float((shares[before].argmax(axis=1) == after).mean()),
    }


def train(args, path):
    text = datasets.load_text()
    letters = sorted(set(text))
    numbers = np.searchsorted(letters, list(text))
    learnt, unread = np.split(numbers, [int(0.9 * len(numbers))])
    print(f"{len(learnt):,} letters to learn from, the last {len(unread):,} held out, {len(letters)} different ones")
    x, y = windows(learnt, args.context, args.context // 2)
    held_out = windows(unread, args.context, args.context)
    model = build(letters, args.epochs * -(-len(x) // args.batch_size), args)
    model.summary()
    start = time.perf_counter()
    history = model.fit(
        x,
        y,
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_data=held_out,
        callbacks=[ShowProgress(args)],
        progress=False,
    )
    seconds = time.perf_counter() - start
    scores = counted(learnt, unread, len(letters))
    measured = model.evaluate(*held_out)
    scores["network"] = {"perplexity": float(np.exp(measured.loss)), "accuracy": measured.accuracy}
    print(f"\ntrained in {seconds:.1f} s; on the held-out end of the text:")
    for name, values in scores.items():
        print(f"  {name:8} perplexity {values['perplexity']:6.2f}, next letter right {values['accuracy']:.1%}")
    model.save(path, include_optimizer=False)
    settings = {name: str(value) for name, value in vars(args).items()}
    curve = {name: history[name] for name in ("loss", "val_loss")}
    metrics = {"settings": settings, "seconds": seconds, "test": scores, "costs": curve}
    (args.output / "text_metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    try:
        ax = plotting.plot_history(history, title="Cost of the next letter")
        ax.figure.savefig(args.output / "text_learning_curve.png", dpi=150)
    except ImportError as error:
        print(f"No pictures are drawn. {error}")
    return model


def main():
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / "text_generator.keras"
    if args.prompt and path.is_file():
        print(f"The model is that of {path}; without --prompt it is trained anew.\n")
        model = mt.load_model(path)
    else:
        model = train(args, path)
    sample = write(model, args.prompt or "Alice ", 500, args.temperature, args.seed)
    (args.output / "text_sample.txt").write_text(sample + "\n")
    print(f"\n{sample}\n\nWritten to {args.output}/")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"text_generator: {error}")

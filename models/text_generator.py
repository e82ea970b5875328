"""Text: a small transformer learns "Alice's Adventures in Wonderland" letter by letter, and continues it in its style.

python models/text_generator.py                            train, report, plot and write into output/text_generator/
python models/text_generator.py --prompt 'The Queen '      continue a text of your own
"""

import time
import warnings

import numpy as np
from recipe import make_folder, number, options, run, stop_if_interrupted, write_metrics

import minitorch_np as mt
from minitorch_np import datasets, plotting, schedules


def arguments():
    parser = options(__doc__, "text_generator", epochs=16)
    parser.add_argument("--learning-rate", type=number(float, 0), default=3e-3, help="after the warmup (0.003)")
    parser.add_argument("--batch-size", type=number(int, 1), default=32, help="pieces of text in a step (32)")
    parser.add_argument("--context", type=number(int, 1), default=64, help="letters of a piece (64)")
    parser.add_argument("--width", type=number(int, 16), default=96, help="numbers for each letter, 16 per head (96)")
    parser.add_argument("--blocks", type=number(int, 0), default=2, help="blocks of the transformer (2)")
    parser.add_argument("--dropout", type=number(float, 0, 1), default=0.1, help="share that is dropped (0.1)")
    parser.add_argument(
        "--temperature", type=number(float, 0.01), default=0.7, help="the lower, the likelier its letters (0.7)"
    )
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--prompt", help="a text to continue; trains first if the output folder has no model")
    return parser.parse_args()


def windows(numbers, context, stride):
    """Pieces of the text, and the same pieces one letter later: each letter's target is the next one."""
    starts = np.arange(0, len(numbers) - context, stride)[:, None]
    places = starts + np.arange(context)
    return numbers[places], numbers[places + 1]


def build(letters, steps, args):
    """Vaswani et al. 2017, with normalisation before each part as in Radford et al. 2019. One logit per possible next letter."""
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
    """The prompt and its continuation: each next letter is drawn at random from the probabilities that the model predicts."""
    rng = np.random.default_rng(seed)
    number = {letter: number for number, letter in enumerate(model.class_names)}
    context = model.input_shape[0]
    known = [
        number[letter] for letter in datasets.load_text()[-context:] + prompt
    ]  # the end of the book fills the context
    for _ in range(length):
        logits = model.predict(np.array([known[-context:]]))[0, -1].astype(np.float64) / temperature
        shares = np.exp(logits - logits.max())
        known.append(rng.choice(len(shares), p=shares / shares.sum()))
    return "".join(model.class_names[number] for number in known[context:])


class PrintSample(mt.Callback):
    """After each epoch, print the perplexity and a sample."""

    def __init__(self, args):
        self.args = args

    def on_epoch_end(self, epoch, logs=None):
        training, held_out = np.exp(logs["loss"]), np.exp(logs["val_loss"])
        sample = write(self.model, "Alice ", 160, self.args.temperature, epoch).replace("\n", "\n   | ")
        print(f"\nepoch {epoch + 1:2}: perplexity {training:.2f}, on held-out text {held_out:.2f}")
        print(f"   | {sample}", flush=True)


def baselines(learnt, held_out, letters):
    """Scores of predicting by counted frequencies: of letters, and of letters after the one before. Counts begin at 1."""
    pairs = np.ones((letters, letters))
    np.add.at(pairs, (learnt[:-1], learnt[1:]), 1)
    single = np.tile(np.bincount(learnt, minlength=letters) + 1.0, (letters, 1))
    return {
        name: score(table / table.sum(axis=1, keepdims=True), held_out)
        for name, table in (("unigram", single), ("bigram", pairs))
    }


def score(shares, held_out):
    before, after = held_out[:-1], held_out[1:]
    return {
        "perplexity": float(np.exp(-np.log(shares[before, after]).mean())),
        "accuracy": float((shares[before].argmax(axis=1) == after).mean()),
    }


def load(args):
    """The different letters, the numbers of the text's first nine tenths, and those of the rest."""
    text = datasets.load_text()
    letters = sorted(set(text))
    numbers = np.searchsorted(letters, list(text))
    learnt, held_out = np.split(numbers, [int(0.9 * len(numbers))])
    if args.context >= len(held_out):
        raise ValueError(f"--context: expected fewer than the {len(held_out)} held-out letters, got {args.context}.")
    return letters, learnt, held_out


def train(args, path):
    letters, learnt, held_out = load(args)
    print(f"{len(learnt):,} letters for training, the last {len(held_out):,} held out, {len(letters)} different ones")
    x, y = windows(learnt, args.context, args.context // 2 or 1)
    validation_data = windows(held_out, args.context, args.context)
    model = build(letters, args.epochs * -(-len(x) // args.batch_size), args)
    model.summary()
    start = time.perf_counter()
    history = model.fit(
        x,
        y,
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_data=validation_data,
        callbacks=[PrintSample(args)],
        progress=False,
    )
    seconds = time.perf_counter() - start
    stop_if_interrupted(history, epochs=1)
    scores = baselines(learnt, held_out, len(letters))
    measured = model.evaluate(*validation_data)
    scores["network"] = {"perplexity": float(np.exp(measured.loss)), "accuracy": measured.accuracy}
    print(f"\ntrained in {seconds:.1f} s; on the held-out end of the text:")
    for name, values in scores.items():
        print(f"  {name:8} perplexity {values['perplexity']:6.2f}, next letter right {values['accuracy']:.1%}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Keras has no PositionalEmbedding")  # nor is it needed
        model.save(path, include_optimizer=False)
    write_metrics(args, seconds=seconds, test=scores, loss=history["loss"], val_loss=history["val_loss"])
    try:
        ax = plotting.plot_history(history, title="Loss of the next letter")
        ax.figure.savefig(args.output / "learning_curve.png", dpi=150)
    except ImportError as error:
        print(f"No plots are made. {error}")
    return model


def main():
    args = arguments()
    make_folder(args.output)
    prompt = args.prompt or "Alice "
    if unknown := sorted(set(prompt) - set(datasets.load_text())):
        raise ValueError(f"--prompt: expected characters that occur in the book, got {unknown[0]!r}. Leave it out.")
    path = args.output / "text_generator.keras"
    if args.prompt and path.is_file():
        print(f"The model is that of {path}; without --prompt it is trained anew.\n")
        model = mt.load_model(path)
    else:
        model = train(args, path)
    sample = write(model, prompt, 500, args.temperature, args.seed)
    (args.output / "sample.txt").write_text(sample + "\n")
    print(f"\n{sample}\n\nWritten to {args.output}/")


if __name__ == "__main__":
    run("text_generator", main)

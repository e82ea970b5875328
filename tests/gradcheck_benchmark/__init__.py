"""A benchmark of gradient checkers: layers with one planted bug each, and what every checker says of them."""

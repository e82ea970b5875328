"""A benchmark of gradient checkers: layers with one planted bug each, and the verdict of every checker."""

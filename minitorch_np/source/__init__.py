"""Data that come batch by batch: Source, which people subclass, and batches of user-defined iterables."""

from minitorch_np.source.source import Source

__all__ = ["Source"]

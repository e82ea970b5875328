"""Tracing: run a forward once more on arrays that remember where they came from, and keep its graph."""

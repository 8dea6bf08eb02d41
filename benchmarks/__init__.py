"""Benchmarks: one command each, a table and JSON out, the other stacks measured in the same run."""

"""What this project does of each standard, and the proof: ``python -m tools.conformance``."""

"""Session descriptions: model, parser and writer (RFC 8866)."""

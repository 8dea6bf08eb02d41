"""Programs that use peerix, to be read and run from a checkout."""

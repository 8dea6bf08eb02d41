"""Commands for those who work on peerix; the Makefile calls them."""

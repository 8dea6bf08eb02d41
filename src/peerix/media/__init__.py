"""Sound and pictures: sources, files, recording, encoders and decoders (extra `media`)."""

"""The daemon: one writer in the background, how it is doing, and how it is started and stopped."""

"""How this installation is wired: the config file, the first one, and secrets by reference."""

"""The YAML shape of each policy kind: one file per kind with its keys, a runnable example and its reader."""

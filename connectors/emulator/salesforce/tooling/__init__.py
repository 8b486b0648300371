"""The Tooling API: what this org's objects and fields are, and that it has no code and no packages. It only reads."""

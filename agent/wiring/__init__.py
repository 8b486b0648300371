"""Config → objects. The only package that imports connectors."""

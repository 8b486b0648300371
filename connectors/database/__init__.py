"""Tables of a SQL database as a system: the product's customers, a warehouse, through SQLAlchemy."""

from connectors.database.declaration import CONNECTOR

__all__ = ["CONNECTOR"]

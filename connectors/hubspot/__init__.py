"""HubSpot through its real Python client, wrapped where that client breaks our promises."""

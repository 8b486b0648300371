"""HubSpot's REST side and what people do in the practice portal."""

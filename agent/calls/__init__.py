"""Every call to a vendor: counted, kept by the hour, and held back when its share of the day is used up."""

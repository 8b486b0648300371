"""CSV exports of a real CRM put into an empty practice world: checked whole first, then loaded whole, or not at all."""

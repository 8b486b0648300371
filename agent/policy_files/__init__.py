"""Policy files on disk: read safely, taken over whole, shipped, drafted from another sync, and the rights they need."""

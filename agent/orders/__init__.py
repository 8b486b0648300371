"""What people order, and the way an order takes to the one writer."""

"""What people read afterwards: figures, reasons, lines of time, lists."""

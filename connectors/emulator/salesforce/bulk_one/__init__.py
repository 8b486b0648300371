"""Bulk API 1.0: jobs of batches, each sent by the caller; JSON, CSV or XML. Other tools use it, Truce does not."""

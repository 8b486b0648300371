"""Opt-outs carried to every record with the address; opt-ins only with evidence and two people."""

"""The SOAP API (partner): login, merge, undelete, convertLead, and the plain writes."""

"""Salesforce behind the port: ``connector.Salesforce`` on the simple-salesforce library."""

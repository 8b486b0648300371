"""A stand-in for both vendors over HTTP, as strict as what is known of them. Imports nothing else of ours."""

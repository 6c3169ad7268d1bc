"""The service: ask over HTTP, in a browser, and get what the command line gives."""

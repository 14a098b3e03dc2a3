"""The `dobae` command. Importing it imports no model library."""

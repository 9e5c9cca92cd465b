"""The independent checker of certificates, and what it checks: the theorems, by hand."""

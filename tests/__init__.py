"""Tests of symcomp and proofs_checks."""

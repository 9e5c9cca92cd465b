"""Worked examples: programs that use symcomp as anyone would."""

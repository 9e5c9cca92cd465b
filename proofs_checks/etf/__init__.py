"""The ETF theorem (theory.md, E4, E5): its lemmas as claims, its page and its figure."""

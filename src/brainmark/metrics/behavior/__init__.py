"""How alike the choices and judgements of models and people are."""

"""SOQL: lexer, parser, evaluator. Text never reaches Python's own evaluator."""
